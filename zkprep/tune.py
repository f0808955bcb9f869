"""The cheapest circuit settings that hold the slice's values, chosen by calculation.

Cells do not depend on logrows, so one run of gen_settings per number of legs prices every layout:
the digit base is the largest whose table fills one column, b = 2**k - 8, and what must hold is
|v| <= b**L - 1 for every range-checked value. Soundness is not a choice: Freivalds stays off and
parameters stay fixed whatever is chosen here (zkprep.circuit).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from zkprep.circuit import CircuitSpec, Settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout, with_layout
from zkprep.cost.work import predict
from zkprep.errors import RangeExceeded

LEGS = (2, 3)
LOGROWS = range(10, 24)
EZKL_BASE = 16384
LOOKUP_MARGIN = 2
VALUE_MARGIN = 4

SettingsOf = Callable[[CircuitSpec], Settings]
"""EZKL's settings of the slice under a spec."""

LookupsOf = Callable[[CircuitSpec], tuple[int, int]]
"""Smallest and largest input of the slice's lookup tables on the samples under a spec."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a slice needs of its settings, whatever they are.

    Attributes:
        largest: largest |value| of any of its tensors on the samples, as a float.
        settings_of: EZKL's settings under a spec.
        lookups_of: extremes of the lookup inputs under a spec.
    """

    largest: float
    settings_of: SettingsOf
    lookups_of: LookupsOf


def tuned(spec: CircuitSpec, demand: Demand) -> CircuitSpec:
    """The spec with least predicted prover work; scales and visibilities are those of `spec`.

    The circuit leaves the range checks of its public boundary to the verifier (rule 5 of
    zkprep.chain), which saves all but one cell per boundary element.

    Raises:
        RangeExceeded: no layout holds the slice's values.
    """
    sparing = replace(spec, checks_boundary=False, integer_constants=True)
    priced = [
        (predict(layout(settings)).prove_cpu_seconds, candidate)
        for candidate, settings in _candidates(sparing, demand)
    ]
    if not priced:
        raise _no_room(spec, demand)
    return min(priced, key=lambda pair: pair[0])[1]


def plain(spec: CircuitSpec, demand: Demand) -> CircuitSpec:
    """EZKL's default digits in the smallest single block, which is what its calibration picks.

    Raises:
        RangeExceeded: no layout holds the slice's values.
    """
    for candidate, settings in _candidates(spec, demand, base=EZKL_BASE):
        if layout(settings).blocks == 1:
            return candidate
    raise _no_room(spec, demand)


def _candidates(
    spec: CircuitSpec, demand: Demand, base: int | None = None
) -> Iterator[tuple[CircuitSpec, Settings]]:
    """Layouts that hold the values, by legs, then logrows, with the settings each would have."""
    needed = VALUE_MARGIN * demand.largest * 2 ** max(spec.input_scale, spec.param_scale)
    for legs in LEGS:
        if _base(max(LOGROWS), base) ** legs <= needed:
            continue
        reference = replace(spec, decomp_legs=legs)
        settings = demand.settings_of(reference)
        lookups = _lookup_range(settings, reference, demand)
        for logrows in LOGROWS:
            digits = _base(logrows, base)
            candidate = replace(
                reference, logrows=logrows, decomp_base=digits, lookup_range=lookups
            )
            tables = max(digits, lookups[1] - lookups[0] if settings.required_lookups else 0)
            fits = max(tables, settings.instances) + TABLE_RESERVED_ROWS <= 2**logrows
            if fits and candidate.largest_value >= needed:
                yield candidate, with_layout(settings, candidate)


def _base(logrows: int, base: int | None) -> int:
    return base if base is not None else int(2**logrows - TABLE_RESERVED_ROWS)


def _lookup_range(settings: Settings, spec: CircuitSpec, demand: Demand) -> tuple[int, int]:
    if not settings.required_lookups:
        return spec.lookup_range
    smallest, largest = demand.lookups_of(spec)
    return LOOKUP_MARGIN * min(smallest, -1), LOOKUP_MARGIN * max(largest, 1)


def _no_room(spec: CircuitSpec, demand: Demand) -> RangeExceeded:
    scale = max(spec.input_scale, spec.param_scale)
    return RangeExceeded(
        f"values up to {demand.largest:.3g} at scale {scale} exceed every circuit layout",
        stage="tune",
        hint="lower --scale",
    )
