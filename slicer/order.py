"""One topological order, and a narrow one: few elements are alive between neighbouring nodes.

A tensor that a node produces is alive at a place of the order when nodes on both sides touch it
(produce or read it); an input of the model is at hand everywhere and never counts. Blocks are
intervals of the order, so what is alive at a place is what a cut there puts into links. The order
of least total width is NP-hard to find (Garey and Johnson, GT43), hence a greedy one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import networkx as nx

from slicer.graph import Tensor, read_tensors


@dataclass(frozen=True, slots=True)
class Span:
    """`tensor` is alive from the place after position `first` to the place before `last`."""

    tensor: Tensor
    first: int
    last: int


def topological_order(graph: nx.DiGraph) -> list[str]:
    """The nodes in an executable order with narrow places; the same for equal graphs.

    Greedy: of the ready nodes, the one after which the fewest elements are alive; among equals the
    one that became ready last, so that a branch is finished before another is begun (depth first);
    among those the first by name. Nothing depends on insertion order or hashing.

    Greed is shortsighted where branches begin: it runs a small source long before its reader, as
    soon as the main branch grows. Walked from the model's end it is shortsighted where branches end
    instead. So both directions are walked, and the order with fewer elements alive in total over
    its places wins (the forward one among equals).

    Raises:
        SlicerError: the graph is empty, cyclic, or its tensors contradict each other.
    """
    tensors = read_tensors(graph)
    forward = _greedy(graph, tensors)
    backward = _greedy(graph.reverse(copy=False), tensors)[::-1]
    return min(forward, backward, key=lambda order: _width(order, tensors))


def spans(order: Sequence[str], tensors: Sequence[Tensor]) -> list[Span]:
    """Where each of `tensors` that a node produces is alive in `order`."""
    position = {node: index for index, node in enumerate(order)}
    return [
        Span(tensor, position[tensor.producer], max(position[reader] for reader in tensor.readers))
        for tensor in tensors
        if tensor.producer is not None and tensor.readers
    ]


def _width(order: Sequence[str], tensors: Sequence[Tensor]) -> int:
    return sum(span.tensor.elements * (span.last - span.first) for span in spans(order, tensors))


def _greedy(graph: nx.DiGraph, tensors: Sequence[Tensor]) -> list[str]:
    """The greedy order along `graph`'s edges, which may be the model's or their reverse.

    A ready node waits in a heap; it is put there again whenever its growth changes, and what the
    heap holds of it from before is passed over.
    """
    alive = _Alive(graph, tensors)
    waits = dict(graph.in_degree())
    ready_since = {node: 0 for node, count in waits.items() if not count}
    heap = [(alive.growth(node), 0, node) for node in ready_since]
    heapify(heap)
    order: list[str] = []
    while heap:
        growth, _, chosen = heappop(heap)
        if chosen not in ready_since or growth != alive.growth(chosen):
            continue
        del ready_since[chosen]
        order.append(chosen)
        changed = alive.run(chosen)
        for successor in graph.successors(chosen):
            waits[successor] -= 1
            if not waits[successor]:
                ready_since[successor] = len(order)
                changed.add(successor)
        for node in changed & ready_since.keys():
            heappush(heap, (alive.growth(node), -ready_since[node], node))
    return order


class _Alive:
    """Which tensors are alive while nodes run one after the other."""

    def __init__(self, graph: nx.DiGraph, tensors: Sequence[Tensor]) -> None:
        self._touches: dict[str, list[Tensor]] = {node: [] for node in graph}
        self._ends: dict[str, int] = {}
        for tensor in tensors:
            if tensor.producer is not None and tensor.readers:
                self._ends[tensor.name] = 1 + len(tensor.readers)
                for node in (tensor.producer, *tensor.readers):
                    self._touches[node].append(tensor)
        self._untouched = dict(self._ends)

    def growth(self, node: str) -> int:
        """Elements that are alive after `node` and were not before, less those that end with it."""
        touched, ends, untouched = self._touches[node], self._ends, self._untouched
        begun = sum(t.elements for t in touched if untouched[t.name] == ends[t.name])
        ended = sum(t.elements for t in touched if untouched[t.name] == 1)
        return begun - ended

    def run(self, node: str) -> set[str]:
        """Run `node`; the nodes whose growth may have changed."""
        changed: set[str] = set()
        for tensor in self._touches[node]:
            began = self._untouched[tensor.name] == self._ends[tensor.name]
            self._untouched[tensor.name] -= 1
            if (began or self._untouched[tensor.name] == 1) and tensor.producer is not None:
                changed |= tensor.readers | {tensor.producer}
        return changed
