"""What EZKL's calibration would pick for a slice: its own digits, in the smallest single block."""

from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout, with_layout
from zkprep.cost.supposed import LEGS
from zkprep.errors import RangeExceeded
from zkprep.tune.choice import LARGEST_LOGROWS
from zkprep.tune.circuits import LOOKUP_MARGIN
from zkprep.tune.demand import Demand

LEAST_LEGS = CircuitSpec().decomp_legs


def plain(spec: CircuitSpec, demand: Demand, margin: int) -> CircuitSpec:
    """EZKL's default base, as many digits as the values need, the least rows that hold all cells.

    Raises:
        RangeExceeded: no layout holds the slice's values.
    """
    finest = spec.input_scale + max(spec.descents or (0,))
    scale = max(finest, spec.param_scale)
    largest = max(demand.largest.values(), default=0.0)
    needed = margin * largest * 2.0**scale
    for legs in LEGS[LEAST_LEGS - 1 :]:
        made = replace(spec, decomp_legs=legs)
        if made.largest_value < needed:
            continue
        settings = demand.settings_of(made)
        if settings.required_lookups:
            low, high = demand.lookups_of(made)
            bounds = LOOKUP_MARGIN * min(low, -1), LOOKUP_MARGIN * max(high, 1)
            made = replace(made, lookup_range=bounds)
        entries = made.lookup_range[1] - made.lookup_range[0] if settings.required_lookups else 0
        least = max(made.decomp_base, entries, settings.instances) + TABLE_RESERVED_ROWS
        for logrows in range((least - 1).bit_length(), LARGEST_LOGROWS + 1):
            candidate = replace(made, logrows=logrows)
            if layout(with_layout(settings, candidate)).blocks == 1:
                return candidate
    raise RangeExceeded(
        f"slice {demand.name}: values up to {largest:.3g} at scale {scale} exceed every circuit "
        "layout of EZKL's own digits",
        stage="tune",
        slice_name=demand.name,
        hint="lower --scale",
    )
