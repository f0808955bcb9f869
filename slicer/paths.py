"""Lightest paths over states: the dynamic programs behind `cut`.

A path from the first state to the last is a partition, its arcs the blocks. Its weight is the sum,
or the largest, of its arcs' weights. Both are monotone (a <= b gives a + c <= b + c, and so for
max, also in floating point): a lightest path to a state extends a lightest one to an earlier state
(Bellman). Arcs lead to larger states, so one walk over the states in order settles everything.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from slicer.loads import Floats, Loads, Oracle
from slicer.states import Flags, States, Stops

_KEPT = 1 << 23
"""Arcs that are kept for the next walk; more are computed anew each time."""


@dataclass(slots=True)
class Arcs:
    """The arcs between `states` and an oracle's weights of them, each finite and within a bound.

    Attributes:
        states: where they lead.
        oracle: their weights.
        idle: whether a block may hold nodes without weights alone.
        bound: the largest weight.
    """

    states: States
    oracle: Oracle
    idle: bool = False
    bound: float = math.inf
    _kept: list[tuple[Stops, Floats]] = field(default_factory=list, repr=False)

    def within(self, bound: float) -> "Arcs":
        """Those of them that weigh no more than `bound`."""
        made = Arcs(self.states, self.oracle, self.idle, min(bound, self.bound))
        made._kept = [_chosen(*arcs, arcs[1] <= bound) for arcs in self._kept]
        return made

    def __iter__(self) -> Iterator[tuple[Stops, Floats]]:
        """For every state but the last, in order: where its arcs lead, and their weights."""
        if self._kept:
            yield from self._kept
            return
        kept: list[tuple[Stops, Floats]] = []
        room = _KEPT
        for stops, loads in self.states.blocks(self._could):
            weights = self.oracle(loads)
            good = self._good(weights)
            if not self.idle:
                good &= loads.weights.any(axis=1)
            arcs = _chosen(stops, weights, good)
            room -= len(arcs[0])
            if room >= 0:
                kept.append(arcs)
            yield arcs
        if room >= 0:
            self._kept = kept

    def _could(self, loads: Loads) -> Flags:
        return self._good(self.oracle(loads))

    def _good(self, weights: Floats) -> Flags:
        return np.isfinite(weights) & (weights <= self.bound)


def _chosen(stops: Stops, weights: Floats, good: Flags) -> tuple[Stops, Floats]:
    return (stops, weights) if good.all() else (stops[good], weights[good])


@dataclass(frozen=True, slots=True)
class Path:
    """A path from the first state to the last: its weight, and the states it visits."""

    weight: float
    states: tuple[int, ...]

    @property
    def arcs(self) -> list[tuple[int, int]]:
        """The pairs of states it leads along."""
        return list(pairwise(self.states))


def least_sum(arcs: Arcs, length: int | None = None) -> Path | None:
    """A path with the least sum of weights; of those, one with the fewest arcs.

    Args:
        arcs: those there are.
        length: the path's number of arcs; None leaves it free.

    Returns:
        None when there is no such path.
    """
    return _lightest(arcs, np.add, 0.0, length)


def least_largest(arcs: Arcs, length: int | None = None) -> Path | None:
    """A path whose largest weight is least; arguments as of `least_sum`."""
    return _lightest(arcs, np.maximum, -math.inf, length)


def _lightest(
    arcs: Arcs, join: Callable[[Floats, Floats], Floats], nothing: float, length: int | None
) -> Path | None:
    """Row r of the tables holds paths of r arcs; without a length, all paths are in row 0."""
    shape = (1 if length is None else length + 1, arcs.states.count)
    weights, before = np.full(shape, math.inf), np.full(shape, -1)
    weights[0, 0] = nothing
    taken = np.zeros(shape[1], np.intp)
    shift = 0 if length is None else 1
    old, new = weights[: shape[0] - shift], weights[shift:]
    for state, (stops, arc_weights) in enumerate(arcs):
        ready = np.flatnonzero(old[:, state] < math.inf)
        if not len(stops) or not len(ready):
            continue
        joined = join(old[ready, state, None], arc_weights)
        known = new[ready][:, stops]
        better = joined < known
        if length is None:
            equal = joined == known
            if equal.any():
                better |= equal & (taken[state] + 1 < taken[stops])
            taken[stops[better[0]]] = taken[state] + 1
        rows, columns = np.nonzero(better)
        new[ready[rows], stops[columns]] = joined[rows, columns]
        before[ready[rows] + shift, stops[columns]] = state
    return _path(weights, before)


def _path(weights: Floats, before: Stops) -> Path | None:
    rows, count = weights.shape
    if weights[-1, -1] == math.inf:
        return None
    row, state, states = rows - 1, count - 1, [count - 1]
    while state:
        row, state = max(0, row - 1), int(before[row, state])
        states.append(state)
    return Path(float(weights[-1, -1]), tuple(states[::-1]))
