from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from zkprep.errors import InputError
from zkprep.report.totals import total
from zkprep.report.types import Report, SliceReport, Variant, dump, read_report

SliceOf = Callable[..., SliceReport]


def test_a_total_adds_up_and_takes_the_largest_extent(slice_of: SliceOf) -> None:
    parts = [
        slice_of("000", 3000, proved=True, logrows=15, degree=5, blocks=3),
        slice_of("001", 5000, proved=True, logrows=13, degree=6, blocks=1),
    ]
    whole = total(parts, None)
    assert (whole.name, whole.fidelity) == ("total", None)
    counts = whole.counts
    assert (counts.ops, counts.cells, counts.rows, counts.blocks) == (8, 8000, 4000, 4)
    assert (counts.logrows, counts.degree, counts.inner_columns) == (15, 6, 2)
    assert whole.predicted.pk_bytes == 8_000_000
    assert whole.predicted.peak_bytes == 5000 * 2_300
    assert whole.measured is not None
    assert whole.measured.verify_seconds == pytest.approx(2 * 0.0341)
    assert whole.measured.peak_bytes == 5000 * 2_200


def test_a_total_is_measured_only_when_every_slice_is(slice_of: SliceOf) -> None:
    parts = [slice_of("000", 3000, proved=True), slice_of("001", 5000, proved=False)]
    assert total(parts, None).measured is None


def test_nothing_has_no_total() -> None:
    with pytest.raises(ValueError, match="a total needs at least one slice"):
        total([], None)


def test_a_report_reads_as_it_was_written(tmp_path: Path, report: Report) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(dump(report))
    assert read_report(file) == report
    assert read_report(tmp_path) == report
    assert dump(read_report(file)) == file.read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_would_not_read_back_is_not_written(report: Report, value: float) -> None:
    with pytest.raises(ValueError, match="Expected `float`, got `null`"):
        dump(msgspec.structs.replace(report, tolerance=value))


def test_json_is_canonical(report: Report) -> None:
    shuffled = msgspec.structs.replace(report, variants=dict(reversed(report.variants.items())))
    assert dump(shuffled) == dump(report)
    assert dump(report).startswith(b'{\n  "format": "zkprep.report/1",\n')
    assert dump(report).endswith(b"}\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"zkprep.report/1"', b'"zkprep.report/2"', "Invalid enum value 'zkprep.report/2'"),
        (b'"scale": 10', b'"scale": -10', "Expected `int` >= 0"),
        (b'"scale": 10', b'"scale": 10, "hue": 1', "unknown field `hue`"),
        (b'"scale": 10', b'"scale": 10, "a\\nb": 1', r"unknown field `a\nb`"),
        (b'"tolerance": 0.01', b'"tolerance": null', "Expected `float`, got `null`"),
        (b'"plain": {', b'"planed": {', "variants ['planed'] are none of ['ezkl', 'plain'"),
        (b'"name": "001"', b'"name": "000"', "two slices of a variant have the same name"),
        (b'"model": "digits.onnx",', b"", "missing required field `model`"),
        (b',\n  "verdict"', b'\n  "verdict"', "JSON is malformed"),
        (b'{\n  "format"', b"[" * 100_000, "Expected `object`, got `array`"),
        (b"digits", b"\xff", "utf-8"),
    ],
)
def test_anything_else_is_refused_in_one_line(
    tmp_path: Path, report: Report, old: bytes, new: bytes, message: str
) -> None:
    assert old in dump(report)
    file = tmp_path / "other.json"
    file.write_bytes(dump(report).replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_report(file)
    text = str(caught.value)
    assert text.startswith(f"'{file}' is not a report of format 'zkprep.report/1': ")
    assert message in text
    assert "\n" not in text
    assert caught.value.hint == "give a report.json, or the folder of a run that holds one"


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.json' cannot be read: no such file"):
        read_report(tmp_path)


def test_slices_of_a_variant_are_told_apart_by_name(slice_of: SliceOf) -> None:
    twice = slice_of("000", 3000, proved=False)
    with pytest.raises(ValueError, match="two slices of a variant have the same name"):
        Variant(note="", slices=[twice, twice], total=None)
