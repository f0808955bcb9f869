from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from zkprep.errors import InputError
from zkprep.report import text
from zkprep.report.compare import compare, exceeded, parse_fail_on
from zkprep.report.totals import total
from zkprep.report.types import Machine, Report, SliceReport, Variant, dump

ChangeReport = Callable[..., Report]
SliceOf = Callable[..., SliceReport]


def with_slices(report: Report, *slices: SliceReport) -> Report:
    """The report with only the variant prepared, of these slices."""
    prepared = Variant(note="", slices=list(slices), total=total(list(slices), None))
    return msgspec.structs.replace(report, variants={"prepared": prepared})


def changes(compared: Any) -> dict[str, Any]:
    return {change.quantity: change for change in compared.changes}


def test_every_slice_and_the_total_are_compared(report: Report, slice_of: SliceOf) -> None:
    before = with_slices(report, slice_of("a", 1000, proved=True), slice_of("b", 500, proved=True))
    after = with_slices(report, slice_of("b", 500, proved=True), slice_of("a", 700, proved=True))
    comparison = compare(before, after)
    assert [part.name for part in comparison.slices] == ["a", "b"]
    cells = changes(comparison.slices[0])["cells"]
    assert (cells.before, cells.after, cells.absolute, cells.percent) == (1000, 700, -300, -30.0)
    assert changes(comparison.slices[1])["cells"].absolute == 0
    assert changes(comparison.total)["cells"].percent == -20.0
    assert comparison.notes == []


def test_other_slices_leave_the_total(report: Report, slice_of: SliceOf) -> None:
    before = with_slices(report, slice_of("a", 1000, proved=True))
    after = with_slices(report, slice_of("a", 400, proved=True), slice_of("b", 400, proved=True))
    comparison = compare(before, after)
    assert comparison.slices == []
    assert changes(comparison.total)["cells"].percent == -20.0
    assert comparison.notes == ["the slices' names differ: only the totals are compared"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("prover", "23.0.6", "prover differs: 23.0.5 before, 23.0.6 after"),
        ("tolerance", 0.02, "tolerance differs: 0.01 before, 0.02 after"),
    ],
)
def test_what_is_not_comparable_is_refused_unless_forced(
    report: Report, change_report: ChangeReport, field: str, value: Any, message: str
) -> None:
    other = change_report(**{field: value})
    with pytest.raises(InputError) as caught:
        compare(report, other)
    assert str(caught.value) == f"the reports are not comparable: {message}"
    assert caught.value.hint == "make both reports alike, or compare them anyway with --force"
    assert compare(report, other, force=True).notes == [message]


def test_all_differences_are_named_at_once(report: Report, change_report: ChangeReport) -> None:
    with pytest.raises(InputError, match="prover differs: .*; tolerance differs: "):
        compare(report, change_report(prover="23.0.6", tolerance=0.02))


def test_a_missing_variant_is_refused(report: Report, slice_of: SliceOf) -> None:
    after = with_slices(report, slice_of("000", 9, proved=False))
    with pytest.raises(InputError, match="the report after has no variant 'plain'") as caught:
        compare(report, after, variant="plain")
    assert caught.value.hint == "it has prepared"
    uncounted = {"ezkl": Variant(note="does not fit", slices=[], total=None)}
    with pytest.raises(
        InputError, match="variant 'ezkl' of the report before holds no figures: does not fit"
    ):
        compare(msgspec.structs.replace(report, variants=uncounted), report, variant="ezkl")


def test_another_scale_is_noted_and_compared(report: Report, change_report: ChangeReport) -> None:
    comparison = compare(report, change_report(scale=12))
    assert comparison.notes == ["the scale differs: 10 bits before, 12 after"]
    assert changes(comparison.total)["cells"].percent == 0


def test_another_model_or_machine_is_noted(report: Report, change_report: ChangeReport) -> None:
    machine = Machine(cpu="Other CPU", cores=8, memory_bytes=1, python="3.12.1")
    comparison = compare(report, change_report(model_digest="00" * 32, machine=machine))
    assert comparison.notes == [
        "the models differ",
        "the machines differ: times and memory say little",
    ]


def test_limits_are_read() -> None:
    limits = parse_fail_on("cells:+2%, prove_cpu:10%,rows:-0.5%")
    assert [(one.quantity, float(one.percent)) for one in limits] == [
        ("cells", 2.0),
        ("prove_cpu", 10.0),
        ("rows", -0.5),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "'' is not a limit"),
        ("cells", "'cells' is not a limit"),
        ("cells:2", "'cells:2' is not a limit"),
        ("cells:nan%", "'cells:nan%' is not a limit"),
        ("cells:+2%,", "'' is not a limit"),
        ("cells:+2%\n%", r"'cells:+2%\n%' is not a limit"),
        ("constraints:+2%", "'constraints' is not a quantity"),
        ("argmax:+2%", "'argmax' is not a quantity"),
        ("cells:+2%,cells:+3%", "'cells' has two limits"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(given: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_fail_on(given)
    assert str(caught.value) == f"--fail-on: {message}"


def test_an_unknown_quantity_is_told_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        parse_fail_on("constraints:+2%")
    assert caught.value.hint.startswith("known are ops, cells, rows, constants, logrows, ")
    assert "argmax" not in caught.value.hint


@pytest.mark.parametrize(
    ("before", "after", "limit", "fails"),
    [
        (100, 107, "cells:+7%", False),
        (100, 108, "cells:+7%", True),
        (1_000_000, 1_000_001, "cells:0%", True),
        (1_000_000, 1_000_000, "cells:0%", False),
        (100, 80, "cells:+2%", False),
        (100, 96, "cells:-5%", True),
        (100, 95, "cells:-5%", False),
        (0, 1, "cells:+100%", True),
        (0, 0, "cells:0%", False),
    ],
)
def test_only_more_than_the_limit_exceeds_it(
    report: Report, slice_of: SliceOf, before: int, after: int, limit: str, fails: bool
) -> None:
    reports = [with_slices(report, slice_of("a", n, proved=False)) for n in (before, after)]
    assert bool(exceeded(compare(*reports), parse_fail_on(limit))) is fails


def test_what_exceeds_is_said_with_both_figures(report: Report, slice_of: SliceOf) -> None:
    before = with_slices(report, slice_of("a", 1_200_000, proved=False))
    after = with_slices(report, slice_of("a", 1_300_000, proved=True))
    limits = parse_fail_on("cells:+2%,prove_cpu:+5%,ops:+1%")
    assert exceeded(compare(before, after), limits) == [
        "cells: 1 200 000 -> 1 300 000, +8.3 %; the limit is +2.0 %",
        "prove_cpu: ~120 s -> ~130 s, ~+8.3 %; the limit is +5.0 %",
    ]


def test_what_is_not_known_is_no_pass(report: Report, slice_of: SliceOf) -> None:
    before = with_slices(report, slice_of("a", 1000, proved=False))
    after = with_slices(report, slice_of("a", 1000, proved=True))
    with pytest.raises(InputError, match="--fail-on: 'prove' is not known before$"):
        exceeded(compare(before, after), parse_fail_on("cells:+2%,prove:+2%"))
    with pytest.raises(InputError, match="--fail-on: 'max_error' is not known after") as caught:
        known = msgspec.structs.replace(report, variants={"prepared": report.variants["prepared"]})
        exceeded(compare(known, after), parse_fail_on("max_error:+2%"))
    assert caught.value.hint == "measure it on both sides, or limit another quantity"


def test_text_shows_totals_slices_and_notes(report: Report) -> None:
    worse = msgspec.structs.replace(
        report, variants={"prepared": report.variants["plain"]}, model_digest="00" * 32
    )
    lines = text.plain_text(text.render_comparison(compare(report, worse), ["too much"]), 80)
    assert "\ncells            321 115    421 342     +100 227    +31.2 %\n" in lines
    assert "\nproving key      ~321 MB    ~421 MB      +100 MB   ~+31.2 %\n" in lines
    assert "\n000     +49.8 %   ~+49.8 %    ~+49.8 %   ~+49.8 %\n" in lines
    assert lines.endswith("\nthe models differ\ntoo much\n")


def test_json_holds_every_quantity(report: Report, slice_of: SliceOf) -> None:
    comparison = compare(report, with_slices(report, slice_of("a", 1000, proved=False)))
    document = msgspec.json.decode(dump(comparison))
    assert document["format"] == "zkprep.comparison/1"
    cells = next(one for one in document["total"]["changes"] if one["quantity"] == "cells")
    assert cells == {
        "quantity": "cells",
        "before": 321_115,
        "after": 1000,
        "absolute": -320_115,
        "percent": pytest.approx(-99.6886),
        "predicted": False,
    }
