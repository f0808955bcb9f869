"""Predictions by different constants: compared as the reference machine's, and said to be."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from zkprep.cost.work import REFERENCE
from zkprep.report import alike
from zkprep.report.compare import Comparison, compare, exceeded, parse_fail_on
from zkprep.report.constants import Constants
from zkprep.report.summary import facts
from zkprep.report.totals import total
from zkprep.report.types import Report, SliceReport, Variant

SliceOf = Callable[..., SliceReport]

HERE = Constants(
    slowness=0.41,
    memory_start=31e6,
    bulk=1.03,
    time_error=0.17,
    memory_error=0.01,
    busy=False,
)
NOTHING_MORE = parse_fail_on("setup_cpu:+0%,prove_cpu:+0%,peak:+0%")


def there(part: SliceReport) -> SliceReport:
    """A slice of the reference machine's as HERE predicts it."""
    found = part.predicted
    peak = HERE.memory_start + HERE.bulk * (found.peak_bytes - REFERENCE.memory_start)
    predicted = replace(
        found,
        setup_cpu_seconds=HERE.slowness * found.setup_cpu_seconds,
        prove_cpu_seconds=HERE.slowness * found.prove_cpu_seconds,
        peak_bytes=round(peak),
    )
    return replace(part, predicted=predicted)


def reported(report: Report, constants: Constants | None, *slices: SliceReport) -> Report:
    prepared = Variant(note="", slices=list(slices), total=total(list(slices), None))
    return replace(report, variants={"prepared": prepared}, constants=constants)


def seconds(comparison: Comparison) -> tuple[object, object]:
    (found,) = (one for one in comparison.total.changes if one.quantity == "prove_cpu")
    return found.before, found.after


@pytest.fixture
def slices(slice_of: SliceOf) -> list[SliceReport]:
    """Two that were counted, and not proved."""
    return [slice_of(name, cells, proved=False) for name, cells in (("a", 77_777), ("b", 12_345))]


@pytest.mark.parametrize("fitted", ["before", "after"])
def test_a_fit_is_no_change(report: Report, slices: list[SliceReport], fitted: str) -> None:
    plain = reported(report, None, *slices)
    here = reported(report, HERE, *map(there, slices))
    comparison = compare(here, plain) if fitted == "before" else compare(plain, here)
    assert comparison.notes == [alike.NOTE]
    assert exceeded(comparison, NOTHING_MORE) == []
    assert seconds(comparison) == (pytest.approx(9.0122), pytest.approx(9.0122))


def test_a_change_behind_a_fit_is_one(
    report: Report, slices: list[SliceReport], slice_of: SliceOf
) -> None:
    larger = slice_of("a", 78_777, proved=False)  # and 0.41 times as many seconds, there
    after = reported(report, HERE, *map(there, [larger, slices[1]]))
    comparison = compare(reported(report, None, *slices), after)
    assert len(exceeded(comparison, NOTHING_MORE)) == 3
    assert exceeded(comparison, parse_fail_on("prove_cpu:+2%,peak:+2%")) == []


def test_equal_constants_are_compared_as_they_are(
    report: Report, slices: list[SliceReport]
) -> None:
    here = reported(report, HERE, *map(there, slices))
    again = replace(here, constants=replace(HERE, time_error=0.3, busy=True))
    comparison = compare(here, again)
    assert comparison.notes == []
    assert seconds(comparison) == (pytest.approx(0.41 * 9.0122), pytest.approx(0.41 * 9.0122))


def test_what_was_measured_stays(report: Report, slice_of: SliceOf) -> None:
    proved = slice_of("a", 9000, proved=True)
    comparison = compare(reported(report, None, proved), reported(report, HERE, there(proved)))
    assert seconds(comparison) == (1.0, 1.0)


def test_a_report_says_whose_predictions_it_has(report: Report) -> None:
    said = {
        name: dict(facts(replace(report, constants=one)))["predictions"]
        for name, one in (("none", None), ("here", HERE), ("busy", replace(HERE, busy=True)))
    }
    assert "reference machine; `zkprep calibrate-machine` fits them" in said["none"]
    assert "0.41 of the reference CPU seconds, within 17 %, memory within 1 %" in said["here"]
    assert "busy" not in said["here"]
    assert said["busy"].startswith(said["here"])
    assert "busy: `zkprep calibrate-machine`" in said["busy"]
