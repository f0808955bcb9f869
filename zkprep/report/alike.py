"""Predictions of two reports by the same constants: a fit to a machine is no change of a circuit.

What a fit adds is affine (zkprep.cost.work), and taken back for the reference machine:

    seconds = slowness * reference seconds
    peak - start = bulk * (reference peak - reference start)

Both were rounded when they were written, so they are rounded here to a little less: else that
would be a change.
"""

from msgspec.structs import replace

from zkprep.cost.work import REFERENCE
from zkprep.report.constants import Constants
from zkprep.report.types import Report, SliceReport, Variant

_DECIMALS = 6
"""Of a second."""

_BYTES = -3
"""As decimals: a peak is told in thousands of bytes."""

NOTE = (
    "predicted by different constants: CPU seconds and memory are compared as the reference "
    "machine's"
)


def differ(before: Report, after: Report) -> bool:
    """Whether predictions of the two were made by different constants."""
    return _law(before.constants) != _law(after.constants)


def at_reference(variant: Variant, made: Constants | None) -> Variant:
    """A variant as the reference machine's constants predict it; what was measured stays.

    Args:
        variant: of a report.
        made: the constants of that report; None: the reference machine's.
    """
    return replace(
        variant,
        slices=[_at_reference(part, made) for part in variant.slices],
        total=None if variant.total is None else _at_reference(variant.total, made),
    )


def _at_reference(part: SliceReport, made: Constants | None) -> SliceReport:
    slowness, start, bulk = _law(made)
    found = part.predicted
    peak = REFERENCE.memory_start + REFERENCE.bulk * (found.peak_bytes - start) / bulk
    predicted = replace(
        found,
        setup_cpu_seconds=round(found.setup_cpu_seconds / slowness, _DECIMALS),
        prove_cpu_seconds=round(found.prove_cpu_seconds / slowness, _DECIMALS),
        peak_bytes=max(0, round(peak, _BYTES)),
    )
    return replace(part, predicted=predicted)


def _law(made: Constants | None) -> tuple[float, float, float]:
    if made is None:
        return REFERENCE.slowness, REFERENCE.memory_start, REFERENCE.bulk
    return made.slowness, made.memory_start, made.bulk
