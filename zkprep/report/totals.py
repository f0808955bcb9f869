"""What a variant's slices add up to."""

from typing import TypeVar

from zkprep.report.types import Counts, Fidelity, Measured, Prediction, SliceReport

_Additive = TypeVar("_Additive", Counts, Prediction, Measured)
_LARGEST = frozenset({"logrows", "inner_columns", "degree", "peak_bytes"})


def total(slices: list[SliceReport], fidelity: Fidelity | None) -> SliceReport:
    """The sum of `slices`; extents that are not additive (logrows, degree, peak) take the largest.

    The total is measured when every slice is. `fidelity` is the whole chain's.

    Raises:
        ValueError: there is no slice to add up.
    """
    if not slices:
        raise ValueError("a total needs at least one slice")
    measured = [part.measured for part in slices if part.measured is not None]
    return SliceReport(
        name="total",
        counts=_combine([part.counts for part in slices]),
        predicted=_combine([part.predicted for part in slices]),
        measured=_combine(measured) if len(measured) == len(slices) else None,
        fidelity=fidelity,
    )


def _combine(parts: list[_Additive]) -> _Additive:
    return type(parts[0])(
        **{
            field: (max if field in _LARGEST else sum)(getattr(part, field) for part in parts)
            for field in parts[0].__struct_fields__
        }
    )
