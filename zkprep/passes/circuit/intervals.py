"""How to combine the elements of many windows along an axis by operations on two shorter windows.

    f[a, a + l) = f[a, a + h) o f[a + h, a + l)                 o: a sum or a maximum
    f[a, a + l) = f[a, a + h) o f[a + l - g, a + l), h + g > l  o: a maximum alone
Windows that overlap share shorter ones, each made once. Two ways to halve are tried, h the largest
power of two below l: the halves side by side; and two halves of h places, which overlap. The one
that takes fewer operations is taken.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Halves = Callable[[int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Level:
    """Windows of one length, each made of two shorter ones.

    Attributes:
        length: places of every window.
        starts: first places of the windows, ascending.
        left: length of the first half, which starts where the window does.
        right: length of the other, which ends where it does.
    """

    length: int
    starts: tuple[int, ...]
    left: int
    right: int


def levels(starts: Iterable[int], length: int, *, overlapping: bool) -> list[Level]:
    """What it takes to make the windows of `length` places at `starts`, shortest first.

    Args:
        starts: first places of the windows.
        length: places of every window.
        overlapping: whether an element may count twice.
    """
    wanted = frozenset(starts)
    ways = (_apart, _overlapping) if overlapping else (_apart,)
    return min((_levels(wanted, length, halves) for halves in ways), key=operations)


def operations(plan: list[Level]) -> int:
    """How many operations on two windows it takes."""
    return sum(len(level.starts) for level in plan)


def _levels(starts: frozenset[int], length: int, halves: Halves) -> list[Level]:
    found = []
    waiting = {length: set(starts)}
    while (longest := max(waiting)) > 1:
        made = tuple(sorted(waiting.pop(longest)))
        left, right = halves(longest)
        waiting.setdefault(left, set()).update(made)
        waiting.setdefault(right, set()).update(start + longest - right for start in made)
        found.append(Level(longest, made, left, right))
    return found[::-1]


def _apart(length: int) -> tuple[int, int]:
    half = _half(length)
    return half, length - half


def _overlapping(length: int) -> tuple[int, int]:
    half = _half(length)
    return half, half


def _half(length: int) -> int:
    """The largest power of two below `length`."""
    return 1 << ((length - 1).bit_length() - 1)
