"""Where to cut a weighted DAG: blocks in executable order, and the tensors that link them.

Sees a `networkx.DiGraph` and two numbers per block that the caller's oracles give; knows nothing of
what the nodes are. The graph's attributes, all optional:

    node  `reads`    {tensor: elements} of the model's inputs that the node reads
    node  `writes`   {tensor: elements} of the model's outputs that the node produces
    edge  `tensors`  {tensor: elements} that flow along the edge; without any, the edge only orders

A tensor on several edges is one tensor with several readers: it is counted once, wherever it is
counted.
"""

from slicer.boundaries import Boundary, min_cut, narrow_places
from slicer.graph import SlicerError
from slicer.optimum import cut
from slicer.order import topological_order
from slicer.partition import Block, Link, Partition

# Another distribution has an import package of this name; zkprep looks for this mark.
__zkprep__ = True

__all__ = [
    "Block",
    "Boundary",
    "Link",
    "Partition",
    "SlicerError",
    "cut",
    "min_cut",
    "narrow_places",
    "topological_order",
]
