"""Where to cut a weighted DAG: blocks in executable order, and the tensors that link them.

Sees a `networkx.DiGraph` and the numbers that the caller's oracles give blocks by their loads; it
knows nothing of what the nodes are. The graph's attributes, all optional:

    node  `weights`  numbers that add up to a block's (`slicer.loads`); by default 1
    node  `reads`    {tensor: elements} of the model's inputs that the node reads
    node  `writes`   {tensor: elements} of the model's outputs that the node produces
    edge  `tensors`  {tensor: elements} that flow along the edge; without any, the edge only orders

A tensor on several edges is one tensor with several readers: it is counted once, wherever it is
counted.
"""

from slicer.boundaries import Boundary, min_cut, narrow_places
from slicer.graph import SlicerError
from slicer.loads import Floats, Loads, Oracle, loads_of
from slicer.optimum import EXACT_STATES, Infeasible, Optimum, cut
from slicer.order import topological_order
from slicer.partition import Block, Link, Partition

# Another distribution has an import package of this name; zkprep looks for this mark.
__zkprep__ = True

__all__ = [
    "EXACT_STATES",
    "Block",
    "Boundary",
    "Floats",
    "Infeasible",
    "Link",
    "Loads",
    "Optimum",
    "Oracle",
    "Partition",
    "SlicerError",
    "cut",
    "loads_of",
    "min_cut",
    "narrow_places",
    "topological_order",
]
