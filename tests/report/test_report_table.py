from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from zkprep.report.figures import plain
from zkprep.report.table import BY_KEY, QUANTITIES, Figure, Quantity
from zkprep.report.types import Counts, Fidelity, Measured, Prediction, SliceReport

SliceOf = Callable[..., SliceReport]


@pytest.mark.parametrize(
    ("section", "struct"),
    [("counts", Counts), ("measured", Measured), ("fidelity", Fidelity)],
)
def test_every_field_of_the_report_is_in_the_table_once(section: str, struct: type) -> None:
    listed = Counter(one.field for one in QUANTITIES if one.section == section)
    told_elsewhere = {"errors"}  # a histogram: the HTML page draws it
    assert listed == Counter(set(struct.__struct_fields__) - told_elsewhere)


def test_every_prediction_stands_in_for_a_measurement() -> None:
    measured = {one.field for one in QUANTITIES if one.section == "measured"}
    assert measured.issuperset(Prediction.__struct_fields__)


def test_keys_are_unique() -> None:
    assert len(BY_KEY) == len(QUANTITIES)


def test_what_was_not_measured_is_predicted_and_says_so(slice_of: SliceOf) -> None:
    part = slice_of("000", 20_000, proved=False)
    assert BY_KEY["prove_cpu"].read(part) == Figure(2.0, predicted=True)
    assert BY_KEY["prove_cpu"].write(BY_KEY["prove_cpu"].read(part)) == "~2.00 s"
    assert BY_KEY["prove"].write(BY_KEY["prove"].read(part)) == "-"
    assert BY_KEY["cells"].read(part) == Figure(20_000)
    assert BY_KEY["cells"].read(None) == Figure(None)


def test_like_is_compared_with_like(slice_of: SliceOf) -> None:
    counted, proved = (slice_of("000", 20_000, proved=proved) for proved in (False, True))
    change = BY_KEY["prove_cpu"].change(counted, proved)
    assert (change.before, change.after, change.predicted) == (2.0, 2.0, True)
    assert BY_KEY["prove_cpu"].write_change(change) == "~0 %"
    assert BY_KEY["prove"].write_change(BY_KEY["prove"].change(counted, proved)) == "-"
    measured = BY_KEY["prove_cpu"].change(proved, proved)
    assert measured.before == pytest.approx(20_000 / 9_000)
    assert not measured.predicted


@pytest.mark.parametrize(
    ("key", "before", "after", "change", "difference", "judgement"),
    [
        ("cells", 1000, 688, "-31.2 %", "-312", "better"),
        ("cells", 1000, 1000, "0 %", "0", ""),
        ("cells", 1000, 1001, "+0.1 %", "+1", "worse"),
        ("cells", 0, 1001, "+1 001", "+1 001", "worse"),
        ("cells", 0, 0, "0 %", "0", ""),
        ("ops", 9, 6, "-33.3 %", "-3", ""),
        ("logrows", 15, 13, "-2", "-2", ""),
        ("logrows", 15, 15, "0 %", "0", ""),
    ],
)
def test_a_change_is_written_and_judged(
    slice_of: SliceOf,
    key: str,
    before: int,
    after: int,
    change: str,
    difference: str,
    judgement: str,
) -> None:
    quantity = BY_KEY[key]
    parts = [
        slice_of("000", proved=False, **({"cells": 10} | {quantity.field: value}))
        for value in (before, after)
    ]
    found = quantity.change(*parts)
    assert plain(quantity.write_change(found)) == change
    assert plain(quantity.write_difference(found)) == difference
    assert quantity.judge(found) == judgement


def test_a_small_change_of_a_time_is_noise_and_of_a_count_is_not(slice_of: SliceOf) -> None:
    first, second = (slice_of("000", cells, proved=True) for cells in (10_000, 10_100))
    judged = {
        key: BY_KEY[key].judge(BY_KEY[key].change(first, second))
        for key in ("cells", "pk", "prove_cpu", "peak")
    }
    assert judged == {"cells": "worse", "pk": "worse", "prove_cpu": "", "peak": ""}


@pytest.mark.parametrize(
    ("before", "after", "written", "judgement"),
    [(True, True, "same", ""), (True, False, "lost", "worse"), (False, True, "gained", "better")],
)
def test_agreement_is_no_percentage(
    slice_of: SliceOf, before: bool, after: bool, written: str, judgement: str
) -> None:
    argmax: Quantity = BY_KEY["argmax"]
    parts = [
        msgspec.structs.replace(
            slice_of("000", 10, proved=False),
            fidelity=Fidelity(max_error=0.0, relative_error=0.0, argmax_agrees=agrees),
        )
        for agrees in (before, after)
    ]
    change = argmax.change(*parts)
    assert (argmax.write_change(change), argmax.judge(change)) == (written, judgement)
    assert change.percent is None


def test_two_sides_that_read_the_same_are_written_once(slice_of: SliceOf) -> None:
    first, second = slice_of("000", 10, proved=False), slice_of("000", 20, proved=False)
    assert BY_KEY["logrows"].write_both(first, second) == "15"
    assert BY_KEY["cells"].write_both(first, second) == "10 -> 20"
    assert BY_KEY["cells"].write_both(None, second) == "20"
    assert BY_KEY["cells"].write_both(None, None) == "-"
