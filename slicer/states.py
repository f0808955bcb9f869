"""How far a graph may have been run, and the blocks that lead from one such state to a later one.

A state is a set of nodes closed under predecessors (an order ideal); a partition is a chain of
states from none to all of the nodes, its blocks the differences. There are as many states as nodes
along a chain, and as many as the product of the branches' lengths where branches run side by side:
exponentially many in general. So there are two collections of states:

    Lattice   every state: what is found over it is the best of all partitions of the graph
    Line      the prefixes of one narrow order: the best of all partitions into intervals of it
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from slicer.graph import Tensor
from slicer.loads import Floats, Loads, node_weights

Stops = NDArray[np.intp]
Flags = NDArray[np.bool_]
Could = Callable[[Loads], Flags]
"""Whether blocks of these loads, or of larger ones, could be of use."""


class States(Protocol):
    """States by index: 0 is the start, the last one the end; blocks lead to larger indices."""

    @property
    def count(self) -> int:
        """How many states there are."""
        ...

    def nodes(self, before: int, after: int) -> list[str]:
        """The nodes of the block between two states, in topological order."""
        ...

    def blocks(self, could: Could) -> Iterator[tuple[Stops, Loads]]:
        """For every state but the last, in order: the states after it, and the blocks up to them.

        Blocks of no use may be left out. What is yielded may be overwritten by the next.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lattice:
    """Every state of a graph, fewer nodes first; arrays of shape (states, nodes or tensors).

    A block leads from I to every J that contains I. It reads a tensor that is an input of the model
    or born in I where more of its readers are in J than in I; it puts out a tensor born in J, not
    in I, that an output of the model or a reader outside J wants.

    Attributes:
        order: the nodes in topological order.
        held: the nodes that have been run.
        inside: the weights of these, shape (states, meanings).
        elements: of each tensor, shape (tensors,).
        born: the tensors that are there: the model's inputs always.
        made: those of them that nodes have made.
        read: how many readers of each tensor have been run.
        wanted: the tensors that something else needs.
    """

    order: Sequence[str]
    held: Flags
    inside: Floats
    elements: Floats
    born: Flags
    made: Flags
    read: NDArray[np.int32]
    wanted: Flags

    @property
    def count(self) -> int:
        """How many states there are."""
        return len(self.held)

    def nodes(self, before: int, after: int) -> list[str]:
        """The nodes of the block between two states, in topological order."""
        new = self.held[after] & ~self.held[before]
        return [node for node, chosen in zip(self.order, new, strict=True) if chosen]

    def blocks(self, could: Could) -> Iterator[tuple[Stops, Loads]]:
        """For every state but the last, in order: the states that contain it, and the blocks."""
        for state in range(self.count - 1):
            contain = self.held[state + 1 :, self.held[state]].all(axis=1)
            stops = state + 1 + np.flatnonzero(contain)
            weights, nothing = self.inside[stops] - self.inside[state], np.zeros(len(stops))
            useful = could(Loads(weights, nothing, nothing))
            stops, weights = stops[useful], weights[useful]
            read = (self.read[stops] > self.read[state]) & self.born[state]
            made = self.made[stops] & ~self.made[state] & self.wanted[stops]
            yield stops, Loads(weights, read @ self.elements, made @ self.elements)


def lattice(
    graph: nx.DiGraph, order: Sequence[str], tensors: Sequence[Tensor], most: int
) -> Lattice | None:
    """Every state of `graph`, or None where there are more than `most`."""
    found = _ideals(graph, order, most)
    if found is None:
        return None
    held = np.array([[state >> place & 1 for place in range(len(order))] for state in found], bool)
    place = {node: index for index, node in enumerate(order)}
    reads, makes = (np.zeros((len(order), len(tensors)), np.int32) for _ in range(2))
    for column, tensor in enumerate(tensors):
        reads[[place[reader] for reader in tensor.readers], column] = 1
        if tensor.producer is not None:
            makes[place[tensor.producer], column] = 1
    read = held.astype(np.int32) @ reads
    made = (held.astype(np.int32) @ makes).astype(bool)
    return Lattice(
        order=order,
        held=held,
        inside=held.astype(np.float64) @ node_weights(graph, order),
        elements=np.array([tensor.elements for tensor in tensors], np.float64),
        born=made | ~makes.any(axis=0),
        made=made,
        read=read,
        wanted=(read < reads.sum(axis=0)) | np.array([t.leaves for t in tensors], bool),
    )


def _ideals(graph: nx.DiGraph, order: Sequence[str], most: int) -> list[int] | None:
    """Every state as a set of bits, one per place of `order`; None if there are more than `most`.

    Level by level: a state and one node all of whose predecessors it has.
    """
    if len(order) >= most:
        return None
    bit = {node: 1 << place for place, node in enumerate(order)}
    needs = [sum(bit[one] for one in graph.predecessors(node)) for node in order]
    level, found = {0}, [0]
    for _ in order:
        grown = {
            state | 1 << place
            for state in level
            for place, need in enumerate(needs)
            if not state >> place & 1 and not need & ~state
        }
        if len(found) + len(grown) > most:
            return None
        level = grown
        found += sorted(grown)
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """The prefixes of an order: state i has run its first i nodes.

    Attributes:
        order: the nodes in topological order.
        inside: the weights of each prefix, shape (nodes + 1, meanings).
        tensors: of the graph.
    """

    order: Sequence[str]
    inside: Floats
    tensors: Sequence[Tensor]

    @property
    def count(self) -> int:
        """How many states there are."""
        return len(self.order) + 1

    def nodes(self, before: int, after: int) -> list[str]:
        """The nodes of the block between two states."""
        return list(self.order[before:after])

    def blocks(self, could: Could) -> Iterator[tuple[Stops, Loads]]:
        """For every start, in order: the stops after it as far as blocks could be of use.

        What blocks read and put out is kept for one start and every stop, and changed by what
        leaves with a node when the start moves past it.
        """
        inputs, outputs, moves = self._borders()
        reach = self._reach(could)
        every = np.arange(self.count)
        for start, last in enumerate(reach):
            here = slice(start + 1, last + 1)
            weights = self.inside[here] - self.inside[start]
            yield every[here], Loads(weights, inputs[here], outputs[here])
            for side, first, stop, elements in moves[start]:
                (inputs, outputs)[side][first:stop] += elements

    def _reach(self, could: Could) -> list[int]:
        """For every start the last stop whose block could be of use by its weights alone.

        By bisection for all starts at once, because weights only grow with the stop.
        """
        starts = np.arange(self.count - 1)
        low, high = starts.copy(), np.full(self.count - 1, self.count - 1)
        nothing = np.zeros(self.count - 1)
        while np.any(low < high):
            middle = (low + high + 1) // 2
            loads = Loads(self.inside[middle] - self.inside[starts], nothing, nothing)
            fits = could(loads)
            low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
        return [int(one) for one in low]

    def _borders(self) -> tuple[Floats, Floats, list[list[tuple[int, int, int, float]]]]:
        """Inputs and outputs of the blocks from 0 to every stop; what changes as the start moves.

        A tensor enters the blocks that start behind its birth, from the stop behind its next reader
        on; it leaves those that start before it, from the stop behind it to its last reader's.
        Changes are (0 for inputs or 1 for outputs, first stop, stop behind the last, elements).
        """
        place = {node: index for index, node in enumerate(self.order)}
        inputs, outputs = np.zeros(self.count), np.zeros(self.count)
        moves: list[list[tuple[int, int, int, float]]] = [[] for _ in self.order]
        for tensor in self.tensors:
            readers = sorted(place[reader] for reader in tensor.readers)
            size = float(tensor.elements)
            for reader, following in pairwise([*readers, self.count - 1]):
                moves[reader].append((0, reader + 1, following + 1, -size))
            if tensor.producer is None:
                inputs[readers[0] + 1 :] += size
                continue
            born = place[tensor.producer]
            dies = self.count - 1 if tensor.leaves else readers[-1]
            outputs[born + 1 : dies + 1] += size
            moves[born].append((1, born + 1, dies + 1, -size))
            if readers:
                moves[born].append((0, readers[0] + 1, self.count, size))
        return inputs, outputs, moves


def line(graph: nx.DiGraph, order: Sequence[str], tensors: Sequence[Tensor]) -> Line:
    """The prefixes of `order`."""
    weights = node_weights(graph, order)
    inside = np.vstack([np.zeros((1, weights.shape[1])), weights.cumsum(axis=0)])
    return Line(order, inside, tensors)
