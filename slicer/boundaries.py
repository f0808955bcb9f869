"""Where a graph is narrow: the tensors that cross from nodes run before to nodes run after.

A boundary splits the nodes so that every edge points from before to after; it costs the elements
of the tensors that cross, each counted once however many readers lie beyond. In the flow network a
tensor is therefore a node of its own, entered by an edge of its size and left by unlimited ones
(the net model of hypergraph cuts); unlimited reverse edges keep a node's ancestors on its side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import networkx as nx

from slicer.graph import SlicerError, read_tensors
from slicer.order import spans, topological_order


@dataclass(frozen=True, slots=True)
class Boundary:
    """A split of the nodes in two, and what crosses it.

    Attributes:
        before: the nodes on the near side, in topological order; no edge leads back to them.
        tensors: elements of each tensor produced before and read after, by name.
    """

    before: tuple[str, ...]
    tensors: Mapping[str, int] = field(hash=False)

    @property
    def elements(self) -> int:
        """Elements of all tensors that cross."""
        return sum(self.tensors.values())


def narrow_places(graph: nx.DiGraph) -> tuple[Boundary, ...]:
    """The boundaries between neighbours in `topological_order(graph)`, the narrowest first.

    Of equally narrow ones the earlier comes first; a single node has none.

    Raises:
        SlicerError: the graph breaks a rule of the package.
    """
    order = topological_order(graph)
    alive: list[dict[str, int]] = [{} for _ in order]
    for span in spans(order, read_tensors(graph)):
        for place in range(span.first + 1, span.last + 1):
            alive[place][span.tensor.name] = span.tensor.elements
    places = (Boundary(tuple(order[:place]), alive[place]) for place in range(1, len(order)))
    return tuple(sorted(places, key=lambda boundary: boundary.elements))


def min_cut(graph: nx.DiGraph, source: str, target: str) -> Boundary:
    """The cheapest boundary with `source` before it and `target` after it, over all orders.

    Of equally cheap ones that with the most nodes before it: the nearest to `target`.

    Raises:
        SlicerError: the graph breaks a rule of the package, has no such nodes, or runs `target`
            no later than `source`.
    """
    tensors = read_tensors(graph)
    for node in (source, target):
        if node not in graph:
            raise SlicerError(f"node {node!r} is not in the graph; expected one of its nodes")
    if nx.has_path(graph, target, source):
        raise SlicerError(
            f"no boundary has {source!r} before and {target!r} after it: every order runs "
            f"{target!r} no later than {source!r}"
        )
    network = nx.DiGraph()
    network.add_nodes_from(("node", node) for node in graph)
    network.add_edges_from((("node", after), ("node", before)) for before, after in graph.edges)
    for tensor in tensors:
        if tensor.producer is not None:
            net = ("tensor", tensor.name)
            network.add_edge(("node", tensor.producer), net, capacity=tensor.elements)
            network.add_edges_from((net, ("node", reader)) for reader in tensor.readers)
    _, (near, _) = nx.minimum_cut(network, ("node", source), ("node", target))
    before = {node for node in graph if ("node", node) in near}
    crossing = {
        tensor.name: tensor.elements
        for tensor in tensors
        if tensor.producer in before and not tensor.readers <= before
    }
    order = topological_order(graph)
    return Boundary(tuple(node for node in order if node in before), crossing)
