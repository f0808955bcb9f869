"""What blocks hold and what crosses their borders, in numbers: all that an oracle is told of them.

A node's attribute `weights` is a number or a sequence of numbers of one meaning per position (say,
cells and seconds), none negative; weights of nodes add up to those of a block. A border counts the
elements of distinct tensors, apart on each side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from slicer.graph import SlicerError
from slicer.partition import Block

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Loads:
    """The loads of many blocks.

    Attributes:
        weights: of each block, shape (blocks, meanings).
        inputs: elements that each reads from outside, shape (blocks,).
        outputs: elements that each puts out, shape (blocks,).
    """

    weights: Floats
    inputs: Floats
    outputs: Floats

    def __len__(self) -> int:
        """How many blocks."""
        return len(self.inputs)

    def where(self, chosen: NDArray[np.bool_]) -> "Loads":
        """Those of the blocks that are chosen."""
        return Loads(self.weights[chosen], self.inputs[chosen], self.outputs[chosen])


Oracle = Callable[[Loads], Floats]
"""A number per block, `math.inf` for one that cannot be; it must not fall as a load grows."""


def node_weights(graph: nx.DiGraph, nodes: Sequence[str]) -> Floats:
    """The weights of `nodes`, shape (nodes, meanings); 1 for each where no node has any.

    Raises:
        SlicerError: weights are missing, negative or not finite, or differ in number.
    """
    given = [graph.nodes[node].get("weights") for node in nodes]
    if all(one is None for one in given):
        return np.ones((len(nodes), 1))
    rows: list[Floats] = []
    for node, one in zip(nodes, given, strict=True):
        row = np.asarray(() if one is None else one, dtype=np.float64).ravel()
        if not row.size or not np.all(np.isfinite(row)) or row.min() < 0:
            raise SlicerError(
                f"node {node!r} has weights {one!r}; expected numbers that are finite and not "
                "negative"
            )
        if rows and len(row) != len(rows[0]):
            raise SlicerError(
                f"node {node!r} has {len(row)} weights and {nodes[0]!r} has {len(rows[0])}; "
                "expected as many on every node"
            )
        rows.append(row)
    return np.array(rows)


def loads_of(graph: nx.DiGraph, blocks: Sequence[Block]) -> Loads:
    """The loads of `blocks` of `graph`.

    Raises:
        SlicerError: the weights of a node break a rule of this module.
    """
    nodes = list(graph)
    weights = dict(zip(nodes, node_weights(graph, nodes), strict=True))
    return Loads(
        np.array([np.sum([weights[node] for node in block.nodes], axis=0) for block in blocks]),
        np.array([sum(block.inputs.values()) for block in blocks], dtype=np.float64),
        np.array([sum(block.outputs.values()) for block in blocks], dtype=np.float64),
    )
