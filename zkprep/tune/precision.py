"""Constants in fewer bits than values, slice by slice, where that pays and is fine enough.

Every product adds the bits of its constant to a scale, so a slice whose constants have fewer bits
defers more rebases within the range its digits hold. How few are enough EZKL's witness says, with
rebases as early as can be; it is asked only where the fewest of all would pay.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import onnx_ir as ir
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.nodes import constant_scale
from zkprep.cost.supposed import LEGS
from zkprep.errors import BackendError
from zkprep.room import usable_cores
from zkprep.tune.chain import ScaleConflict, estimated, tuned
from zkprep.tune.choice import Choice, Point
from zkprep.tune.circuits import Circuits
from zkprep.tune.counts import reference

FEWEST_BITS = 4
PAYS = 0.98
"""Largest share of the seconds that may be left for fewer bits to be worth it."""


def refined(
    chain: Sequence[Circuits], scale: int, max_proof_bytes: int | None, allowed: float
) -> tuple[Choice, ...]:
    """As `tuned`, with as few bits of constants per slice as keep its error within `allowed`.

    Args:
        chain: the slices in executable order; their `param_scale` is chosen.
        scale: of the model's inputs, and the most that a slice without its own gives constants.
        max_proof_bytes: most bytes of all raw proofs together.
        allowed: largest error of a slice, as a share of its outputs' range.
    """
    choices = tuned(chain, scale, max_proof_bytes)
    enough = PAYS * _seconds(choices)
    try:
        _give(chain, [min(one.scale or scale, FEWEST_BITS) for one in chain])
        if _seconds(estimated(chain, scale, max_proof_bytes)) <= enough:
            with ThreadPoolExecutor(usable_cores()) as pool:
                _give(chain, list(pool.map(partial(_fewest_bits, scale, allowed), chain)))
            coarse = tuned(chain, scale, max_proof_bytes)
            if _seconds(coarse) <= enough:
                return coarse
    except (ScaleConflict, BackendError):
        pass  # no such chain: what there was is kept
    _give(chain, [None] * len(chain))
    return choices


def _give(chain: Sequence[Circuits], bits: Sequence[int | None]) -> None:
    for circuits, each in zip(chain, bits, strict=True):
        circuits.param_scale = each


def _fewest_bits(scale: int, allowed: float, circuits: Circuits) -> int:
    """By bisection: more bits are finer."""
    scale = circuits.scale or scale
    low, high = min(scale, FEWEST_BITS), scale
    if not _has_fractions(circuits.demand.model, reference(Point(scale, scale, 1))):
        return low
    while low < high:
        bits = (low + high) // 2
        spec = replace(reference(Point(scale, bits, 1)), decomp_legs=LEGS[-2])
        try:
            fine = circuits.demand.error_of(spec) <= allowed
        except BackendError:
            fine = False
        low, high = (low, bits) if fine else (bits + 1, high)
    return high


def _has_fractions(model: ir.Model, spec: CircuitSpec) -> bool:
    """Whether it has constants that are rounded at all: integers are taken at scale 0."""
    tensors = (one.const_value for one in model.graph.initializers.values())
    return any(constant_scale(one.numpy(), spec) for one in tensors if one is not None)


def _seconds(choices: Sequence[Choice]) -> float:
    return sum(choice.seconds for choice in choices)
