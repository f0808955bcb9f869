"""Nodes in the order in which they can be run, where a converter left them in another.

ONNX asks for topological order and ONNX Runtime does without it, so converters that append nodes
(the one to float16 among them) are in use that break it.
"""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import onnx


def put_in_order(graph: onnx.GraphProto) -> None:
    """Sort the nodes of `graph`, in place, unless they are in order.

    A graph with a cycle is left as it is, for the checker to reject.
    """
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    reads = [[makers[name] for name in _read(node) if name in makers] for node in graph.node]
    if all(maker < i for i, found in enumerate(reads) for maker in found):
        return
    try:
        order = [*TopologicalSorter(dict(enumerate(reads))).static_order()]
    except CycleError:
        return
    nodes = [graph.node[i] for i in order]
    del graph.node[:]
    graph.node.extend(nodes)


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """What `node` reads, its bodies included."""
    yield from node.input
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from _read(inner)
