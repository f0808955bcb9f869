"""Lightest paths over the intervals of an order: the dynamic programs behind `cut`.

An order of n nodes has the places 0 to n; an arc from place i to place j is the interval of nodes
i to j - 1 as one block, and a path from 0 to n is a partition. A path's weight is the sum, or the
largest, of its arcs' weights. Both are monotone (a <= b gives a + c <= b + c, and so for max, also
in floating point): a lightest path to a place extends a lightest one to an earlier place (Bellman).
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# arcs[stop]: (start, weight) of each arc that ends at place `stop`, by start.
Arcs = Sequence[Sequence[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class Path:
    """A path of `length` arcs from place 0 to `stop`; `before` is the path without the last arc."""

    weight: float
    length: int
    stop: int
    before: "Path | None"

    @property
    def places(self) -> list[int]:
        """The places the path visits, from 0 to `stop`."""
        places, path = [self.stop], self
        while path.before is not None:
            path = path.before
            places.append(path.stop)
        return places[::-1]


def least_sum(arcs: Arcs, length: int | None = None) -> Path | None:
    """A path to the last place with the least sum of weights; of those, one with the fewest arcs.

    Args:
        arcs: of every place; those that are not there may not be used.
        length: the path's number of arcs; None leaves it free.

    Returns:
        None when there is no such path.
    """
    return _least(arcs, length, operator.add, 0)


def least_largest(arcs: Arcs, length: int | None = None) -> Path | None:
    """A path to the last place whose largest weight is least; arguments as of `least_sum`."""
    return _least(arcs, length, max, -math.inf)


def within(arcs: Arcs, bound: float) -> Arcs:
    """Those of `arcs` that weigh no more than `bound`."""
    return [[arc for arc in ending if arc[1] <= bound] for ending in arcs]


def _least(
    arcs: Arcs, length: int | None, join: Callable[[float, float], float], nothing: float
) -> Path | None:
    last = len(arcs) - 1
    paths: list[Path | None] = [Path(nothing, 0, 0, None)]
    if length is None:
        for stop in range(1, last + 1):
            paths.append(_lightest_to(stop, arcs[stop], paths, join))
        return paths[last]
    paths += [None] * last
    for taken in range(1, length + 1):
        # The arcs still to be taken need a place each.
        reachable = range(taken, last - (length - taken) + 1)
        paths = [
            _lightest_to(stop, arcs[stop], paths, join) if stop in reachable else None
            for stop in range(last + 1)
        ]
    return paths[last]


def _lightest_to(
    stop: int,
    ending: Sequence[tuple[int, float]],
    paths: Sequence[Path | None],
    join: Callable[[float, float], float],
) -> Path | None:
    extensions = [
        (join(before.weight, weight), before.length, start)
        for start, weight in ending
        if (before := paths[start]) is not None
    ]
    if not extensions:
        return None
    weight, length, start = min(extensions)
    return Path(weight, length + 1, stop, paths[start])
