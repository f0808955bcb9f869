"""From which scales a slice's circuits may follow: multipliers and exits that can be proved.

A point is none where digits do not hold the values, where EZKL's multipliers do not reach from one
operand's scale to the other's, where a quotient is larger than EZKL's prover divides exactly, or
where an output is larger than it hands on and nothing can bring it down.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from zkprep.claims.allowed import LARGEST_DEFERRED_SCALE, LARGEST_EXIT, LARGEST_RANGE, LARGEST_SCALE
from zkprep.tune.choice import Limits, Point
from zkprep.tune.counts import Counts
from zkprep.tune.demand import LARGEST_OUTPUT, LARGEST_QUOTIENT, Demand


class Held(Protocol):
    """What is asked of a slice's circuits (zkprep.tune.circuits)."""

    demand: Demand
    limits: Limits
    counts: Counts

    def needed(self, point: Point) -> float:
        """The largest integer that range checks have to hold at `point`."""


def points(circuits: Held, start: Point, *, last: bool) -> Iterator[Point]:
    """Those of a slice without landings; arguments as of `Circuits.points`."""
    before: dict[str, int] = {}
    by = min(start.descents, default=0)
    for multiplier in range(1, circuits.limits.multiplier + 1):
        point = start._replace(multiplier=multiplier)
        if by and point.limit >= start.input_scale + by:
            break  # nothing comes down: as well taken for what it is
        scales = dict(circuits.counts.scales(point))
        if scales == before or not _may_be(circuits, point):
            break
        before = scales
        if found := settled(circuits, point, last=last):
            yield found


def settled(circuits: Held, point: Point, *, last: bool) -> Point | None:
    """`point`, with outputs brought down that are too large; None where it is none to prove."""
    if not _may_be(circuits, point):
        return None
    scales, margin = circuits.counts.scales(point), circuits.limits.margin
    demand, quotients = circuits.demand, circuits.counts.quotients(point)
    if demand.largest_of(quotients, scales, margin) >= LARGEST_QUOTIENT:
        return None
    if demand.puts_out(scales, margin) < LARGEST_OUTPUT:
        return point
    return _brought_down(circuits, point, scales) if last else None


def _may_be(circuits: Held, point: Point) -> bool:
    """Whether digits hold the values, and EZKL's multipliers what operands are apart."""
    if circuits.needed(point) >= LARGEST_RANGE:
        return False
    scales = circuits.counts.scales(point)
    reached = max((scales.get(name, 0) for name in circuits.demand.largest), default=0)
    deferred = point.limit <= LARGEST_DEFERRED_SCALE and reached <= LARGEST_SCALE
    return point.multiplier == 1 or deferred


def _brought_down(circuits: Held, point: Point, scales: Mapping[str, int]) -> Point | None:
    """`point` with outputs brought down that are too large; None where EZKL would not."""
    if point.limit > LARGEST_SCALE:
        return None  # that is what outputs would reach
    exits = circuits.demand.exits(scales, point.limit, circuits.limits.margin)
    if not all(0 <= bits <= LARGEST_EXIT for bits in exits):
        return None
    lowered = point._replace(exits=exits)
    said = zip(circuits.counts.said(lowered), exits, strict=True)
    return lowered if all(scale == point.limit for scale, bits in said if bits) else None
