"""What an operator does to the largest |integer| of what it reads: the terms in which rules speak.

`met` is the largest that any step on the way takes, which must not reach p/2; `made` bounds the
result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from zkprep.bounds.table import Row

LARGEST_INTEGER = 2.0**127
"""EZKL quantises to integers of 128 bits: no constant and no entry of a table is larger."""

LARGEST_SHIFT = 62
"""Bits that EZKL moves a scale by at most: some of its multipliers have 64, one for the sign."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor that is read: its largest |integer|, its scale and its shape."""

    largest: float
    scale: int
    dims: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many values it has."""
        return prod(self.dims)


@dataclass(frozen=True, slots=True)
class Checks:
    """What a circuit checks: values up to `largest` by digits, up to `looked_up` by tables."""

    largest: float
    looked_up: float


@dataclass(frozen=True, slots=True)
class Effect:
    """The largest |integer| met on the way, and that of the result."""

    met: float
    made: float


Rule = Callable[[Row, Sequence[Operand], Checks], Effect]


def up_to(largest: float) -> Effect:
    """Nothing larger is met than is made."""
    return Effect(largest, largest)


def divided(largest: float, divisor: float, checks: Checks) -> Effect:
    """A quotient q of x: |x - q*divisor| < divisor, q range-checked; by 1 nothing is checked."""
    if divisor == 1:
        return up_to(largest)
    met = largest + (checks.largest + 1) * divisor
    return Effect(met, min(checks.largest, largest / divisor + 1))
