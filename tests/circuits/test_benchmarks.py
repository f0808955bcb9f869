"""The benchmarks' own parts: the cut of other slicers, the tables, and what is on file."""

import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks import bench, tables, tiny, weighted
from benchmarks.baseline import Cost, recorded
from circuits import make
from zkprep import api
from zkprep.errors import StatementError, VerificationError
from zkprep.prepare import prepare
from zkprep.report.types import Counts, Measured, Prediction

MEASURED = Measured(
    setup_seconds=2.0,
    setup_cpu_seconds=3.0,
    prove_seconds=4.0,
    prove_cpu_seconds=6.0,
    verify_seconds=0.1,
    verify_cpu_seconds=0.2,
    peak_bytes=300_000_000,
    pk_bytes=100_000_000,
    vk_bytes=50_000,
    proof_bytes=9_000,
)
PREDICTED = Prediction(
    pk_bytes=71_000_000_000,
    vk_bytes=60_000,
    proof_bytes=8_000,
    setup_cpu_seconds=2_900.0,
    prove_cpu_seconds=3_500.0,
    peak_bytes=140_000_000_000,
)


def _sample(times: float | None) -> bench.Sample:
    """What took `times` as long and as much as MEASURED, or was not proved."""
    measured = None
    if times is not None:
        scaled = {name: getattr(MEASURED, name) * times for name in MEASURED.__struct_fields__}
        measured = Measured(**{n: int(v) if n.endswith("bytes") else v for n, v in scaled.items()})
    return bench.Sample(slices=1, cells=1000, predicted=PREDICTED, measured=measured)


def _results(**cases: list[bench.Repetition]) -> bench.Results:
    machine = bench.this_machine()
    return bench.Results(machine=machine, prover="ezkl 0", cases=cases)


@pytest.mark.parametrize(
    ("name", "weights"), [("mobilenetv2_block", 4), ("unet_step", 5), ("transformer_encoder", 12)]
)
def test_a_weighted_slice_holds_one_operator_with_weights(
    name: str, weights: int, tmp_path: Path
) -> None:
    path, _ = make.build(name, tmp_path)
    model = prepare(path, {}).normalised
    slices = weighted.cut(model)
    assert [node for part in slices for node in part] == [node.name for node in model.graph]
    types = {node.name: node.op_type for node in model.graph}
    assert len(slices) == weights
    assert all(any(types[node] in weighted.OPERATORS for node in part) for part in slices)


def test_the_table_has_medians_and_means_of_what_was_proved() -> None:
    first = {"ezkl": _sample(4.0), "prepared": _sample(1.0)}
    again = {"ezkl": _sample(6.0), "prepared": _sample(1.0)}
    large = {"ezkl": _sample(None), "prepared": _sample(1.0)}
    text = bench.table(_results(small=[first, again], large=[large]))
    assert "| small | ezkl | 1 | 1\u202f000 | 15.0 s | 30.0 s |" in text
    assert "| large | ezkl | 1 | 1\u202f000 | ~2\u202f900 s | ~3\u202f500 s | - |" in text
    assert "- ezkl over prepared, geometric mean of 1 case: prove CPU 5.00" in text
    assert "- weighted: nothing was proved" in text


def test_what_is_reached_stands_beside_what_the_cells_are_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spent = {"multiply": 20, "rebase": 70, "activation": 10, "pooling": 0, "other": 0}
    known = {"small": {**spent, "boundary": 0}, "alone": {}, "large": {}}
    monkeypatch.setattr(bench, "causes", lambda name, version: known[name])
    small = {"ezkl": _sample(4.0), "prepared": _sample(1.0)}
    large = {"ezkl": _sample(None), "prepared": _sample(1.0)}
    text = bench.table(_results(small=[small], large=[large], alone=[{"prepared": _sample(1.0)}]))
    assert "| small | 4.00 | 4.00 | rebases | 20 % | 70 % | 10 % | 0 % | 0 % | 0 % |" in text
    assert f"| large | ~1.00 | ~1.00 | - |{' - |' * 6}" in text
    assert f"| alone | - | - | - |{' - |' * 6}" in text


def test_repetitions_are_of_the_same_circuits() -> None:
    old, fresh = {"prepared": _sample(1.0)}, {"prepared": _sample(1.2)}
    assert bench.together([old], fresh) == [old, fresh]
    smaller = {"prepared": msgspec.structs.replace(fresh["prepared"], cells=999)}
    assert bench.together([old, fresh], smaller) == [smaller]


def test_repetitions_whose_circuits_are_not_the_baselines_are_not_kept() -> None:
    version, baseline = next(iter(recorded("unchanged").items()))
    cost = baseline.variants["prepared"]
    predicted = msgspec.structs.replace(PREDICTED, pk_bytes=cost.pk_bytes)
    sample = msgspec.structs.replace(
        _sample(1.0), slices=cost.slices, cells=cost.counts.cells, predicted=predicted
    )
    other = msgspec.structs.replace(sample, cells=cost.counts.cells + 1)
    results = _results(unchanged=[{"prepared": sample}, {"prepared": other}])
    assert bench.current("unchanged", msgspec.structs.replace(results, prover=version)) == [
        {"prepared": sample}
    ]
    assert len(bench.current("unchanged", results)) == 2  # this prover has no baseline


def test_a_table_takes_the_place_between_its_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "document.md"
    document.write_text("before\n<!-- x -->\nold\n<!-- end of x -->\nafter\n")
    monkeypatch.setattr(tables, "DOCUMENT", document)
    tables.replace("x", "new\nlines\n")
    assert document.read_text() == "before\n<!-- x -->\n\nnew\nlines\n<!-- end of x -->\nafter\n"
    assert tables.read("x") == "new\nlines"
    with pytest.raises(ValueError, match=r"document\.md has no place for 'y'"):
        tables.replace("y", "new")


def test_the_documents_tables_are_the_results_on_file() -> None:
    results = msgspec.json.decode(bench.RESULTS.read_bytes(), type=bench.Results)
    assert tables.read("bench") == bench.table(results).strip()
    assert tables.read("tiny") == tiny.table(tiny.read()).strip()


def test_a_tiny_model_is_due_when_it_is_not_on_file_as_its_baseline_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = tiny.read()
    prover = bench.EzklBackend().version
    monkeypatch.setattr(tiny, "prepared", lambda name, version: None)
    assert tiny.due(found) == []
    assert tiny.due({}) == list(tiny.MODELS)
    older = msgspec.structs.replace(found["vww"], prover="ezkl 0")
    assert tiny.due({**found, "vww": older}) == ["vww"]
    known = {name: _cost(one.slices, one.counts) for name, one in found.items()}
    monkeypatch.setattr(tiny, "prepared", lambda name, version: known[name])
    assert tiny.due(found) == []
    known["ds_cnn"] = msgspec.structs.replace(known["ds_cnn"], slices=known["ds_cnn"].slices + 1)
    fewer = msgspec.structs.replace(found["resnet8"].counts, cells=1)
    known["resnet8"] = _cost(found["resnet8"].slices, fewer)
    assert {one.prover for one in found.values()} == {prover}
    assert tiny.due(found) == ["ds_cnn", "resnet8"]


def _cost(slices: int, counts: Counts) -> Cost:
    return Cost(slices=slices, counts=counts, pk_bytes=1, prove_cpu_seconds=1.0, peak_bytes=1)


def test_the_tiny_table_is_written_without_proofs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "document.md"
    document.write_text("<!-- tiny -->\nold\n<!-- end of tiny -->\n")
    monkeypatch.setattr(tables, "DOCUMENT", document)
    monkeypatch.setattr(sys, "argv", ["tiny", "--table"])
    tiny.main()
    assert tables.read("tiny") == tiny.table(tiny.read()).strip()


@pytest.mark.ezkl
def test_the_kept_chain_is_accepted_and_no_other() -> None:
    kept = tiny.read()[tiny.ARTIFACT]
    verdict = api.verify(tiny.ARTIFACT_FOLDER, expect=kept.statement, allow_test_srs=True)
    assert (verdict.proofs, verdict.links) == (kept.slices, kept.links)
    assert verdict.digest == kept.statement
    with pytest.raises(StatementError):
        api.verify(tiny.ARTIFACT_FOLDER, expect="0" * 64, allow_test_srs=True)
    with pytest.raises(VerificationError, match="SRS"):
        api.verify(tiny.ARTIFACT_FOLDER, expect=kept.statement)
