"""Constants in fewer bits than values, slice by slice, where that pays and is fine enough.

Every product adds the bits of its constant to a scale, so a slice whose constants have fewer bits
defers more rebases within the range its digits hold. How few are enough EZKL's witness says, with
rebases as early as can be; it is asked only where the fewest of all would pay.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from zkprep.errors import BackendError
from zkprep.tune.chain import tuned
from zkprep.tune.choice import Choice, Point
from zkprep.tune.circuits import LEGS, Circuits
from zkprep.tune.counts import reference

FEWEST_BITS = 4
PAYS = 0.98
"""Least share of the seconds that has to be left for fewer bits to be worth asking for."""


def refined(
    chain: Sequence[Circuits], scale: int, max_proof_bytes: int | None, allowed: float
) -> tuple[Choice, ...]:
    """As `tuned`, with as few bits of constants per slice as keep its error within `allowed`.

    Args:
        chain: the slices in executable order; their `param_scale` is chosen.
        scale: of the model's inputs, and the most that constants get.
        max_proof_bytes: most bytes of all raw proofs together.
        allowed: largest error of a slice, as a share of its outputs' range.
    """
    choices = tuned(chain, scale, max_proof_bytes)
    paying = [circuits for circuits in chain if _may_pay(circuits, scale)]
    for circuits in paying:
        circuits.param_scale = _fewest_bits(circuits, scale, allowed)
    coarse = tuned(chain, scale, max_proof_bytes) if paying else choices
    if _seconds(coarse) <= PAYS * _seconds(choices):
        return coarse
    for circuits in paying:
        circuits.param_scale = None
    return choices


def _may_pay(circuits: Circuits, scale: int) -> bool:
    """Whether the slice by itself would be cheaper with the fewest bits."""
    best = []
    for bits in (scale, min(scale, FEWEST_BITS)):
        points = circuits.points(scale, bits)
        found = [one.seconds for point in points for one in circuits.choices(point)]
        best.append(min(found, default=0.0))
    return best[1] < PAYS * best[0]


def _fewest_bits(circuits: Circuits, scale: int, allowed: float) -> int:
    """By bisection: more bits are finer."""
    low, high = min(scale, FEWEST_BITS), scale
    while low < high:
        bits = (low + high) // 2
        spec = replace(reference(Point(scale, bits, 1)), decomp_legs=LEGS[-2])
        try:
            fine = circuits.demand.error_of(spec) <= allowed
        except BackendError:
            fine = False
        low, high = (low, bits) if fine else (bits + 1, high)
    return high


def _seconds(choices: Sequence[Choice]) -> float:
    return sum(choice.seconds for choice in choices)
