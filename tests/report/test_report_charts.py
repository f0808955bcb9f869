"""What the HTML page draws: like beside like, on one scale, and nothing where nothing is known."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from zkprep.report import charts
from zkprep.report.table import BY_KEY
from zkprep.report.types import ERROR_EDGES, Fidelity, Report, SliceReport

SliceOf = Callable[..., SliceReport]


def _fidelity(errors: list[int]) -> Fidelity:
    return Fidelity(max_error=1, relative_error=1, argmax_agrees=True, errors=errors)


def test_a_prediction_stands_beside_what_was_measured(report: Report) -> None:
    (prove, setup, peak) = charts.forecasts(report)
    assert [one.quantity.key for one in (prove, setup, peak)] == ["prove_cpu", "setup_cpu", "peak"]
    first = prove.slices[0]
    assert (first.predicted.value, first.measured.value) == (201_111 / 10_000, 201_111 / 9_000)
    assert (first.predicted.predicted, first.measured.predicted) == (True, False)
    assert first.change.percent == pytest.approx(100 / 9)
    assert (first.start, first.length) == (90.0, 100.0)
    assert prove.slices[1].length == pytest.approx(100 * 120_004 / 201_111, abs=0.01)
    assert peak.total.measured.value == 201_111 * 2_200


@pytest.mark.parametrize("missing", ["prepared", "measured"])
def test_nothing_is_forecast_where_not_all_was_proved(report: Report, missing: str) -> None:
    variants: dict[str, Any] = dict(report.variants)
    if missing == "prepared":
        del variants["prepared"]
    else:
        variants["prepared"] = variants["plain"]
    assert charts.forecasts(msgspec.structs.replace(report, variants=variants)) == []


def test_errors_are_shown_from_the_first_to_the_last_bin_that_holds_any() -> None:
    errors = [0] * (len(ERROR_EDGES) + 1)
    errors[7], errors[9], errors[16] = 2, 4, 1
    bins = charts.histogram(_fidelity(errors), tolerance=0.01)
    assert [one.count for one in bins] == [2, 0, 4, 0, 0, 0, 0, 0, 0, 1]
    assert [one.label for one in bins[:3]] == ["up to 0.2 %", "up to 0.5 %", "up to 1 %"]
    assert bins[-1].label == "more than 100 %"
    assert [one.within for one in bins] == [True] * 3 + [False] * 7
    assert [one.length for one in bins[:3]] == [50.0, 0.0, 100.0]


def test_errors_that_were_not_counted_are_not_shown() -> None:
    assert charts.histogram(None, 0.01) == []
    assert charts.histogram(_fidelity([]), 0.01) == []
    with pytest.raises(ValueError, match="a histogram of errors has 17 bins"):
        _fidelity([1, 2])


def test_what_ezkl_takes_is_said_where_both_are_known(report: Report) -> None:
    (group,) = charts.totals(report, BY_KEY["cells"]).groups
    assert group.gain == "ezkl takes 1.4 times as much"
    alone = {"prepared": report.variants["prepared"]}
    report = msgspec.structs.replace(report, variants=alone)
    assert charts.totals(report, BY_KEY["cells"]).groups[0].gain == ""
