"""Several inputs: one setup, a public folder each, one statement; what a fit did not hold joins."""

import json
import shutil
from pathlib import Path

import networks
import numpy as np
import pytest
from pipeline_case import Case
from typer.testing import CliRunner

from zkprep.backends.fake import FakeBackend
from zkprep.cli import app
from zkprep.errors import Imprecise, InputError, LinkMismatch, StatementError
from zkprep.options import Baselines, Options
from zkprep.verifying import audit

THREE = Options(blocks=3, baselines=Baselines.NONE)


def inputs(case: Case, many: int) -> list[Path]:
    return [networks.write_input(case.folder / f"in{n}.json", [32], seed=n) for n in range(many)]


def stages(case: Case, run: str = "run") -> list[str]:
    lines = (case.folder / run / "events.jsonl").read_text().splitlines()
    return [f"{e['slice']} {e['stage']}" for e in map(json.loads, lines)]


def test_one_setup_and_a_public_folder_each(skip: Case) -> None:
    several = inputs(skip, 3)
    report = skip.proved(THREE, data=several)
    assert report.verdict is not None
    assert report.verdict.accepted
    assert (report.verdict.proofs, report.verdict.inputs) == (9, 3)
    done = stages(skip)
    assert sum(stage.endswith("setup") for stage in done) == 3
    assert sum(stage.endswith("prove") for stage in done) == 9
    public = skip.folder / "run/public"
    assert sorted(path.name for path in public.iterdir()) == ["000", "001", "002"]
    digest = report.verdict.statement
    alone = skip.proved(THREE, data=several[0], out="alone")
    assert alone.verdict is not None
    assert alone.verdict.statement == digest, "a statement names a function, not a run"
    verdicts = audit.verify_all(public, FakeBackend(), expect=digest, allow_test_srs=True)
    expected = audit.verify(
        skip.folder / "alone", FakeBackend(), expect=digest, allow_test_srs=True
    )
    assert verdicts["000"] == expected
    assert len({tuple(one.outputs["logits"].values) for one in verdicts.values()}) == 3


def test_more_inputs_later_prove_only_those(skip: Case) -> None:
    several = inputs(skip, 3)
    skip.proved(THREE, data=several[:1])
    before = len(stages(skip))
    skip.prove(THREE, data=several)
    again = stages(skip)[before:]
    assert not [stage for stage in again if "setup" in stage or stage == "prepared/000 prove"]
    assert sum(stage.endswith("prove") for stage in again) == 6


def test_a_batch_is_several_inputs(skip: Case) -> None:
    batch = skip.folder / "batch.npy"
    np.save(batch, np.random.default_rng(0).normal(size=(2, 1, 2, 4, 4)).astype(np.float32))
    listed = skip.folder / "batch.json"
    listed.write_text(json.dumps([json.loads(path.read_text()) for path in inputs(skip, 2)]))
    report = skip.prove(THREE, data=[batch, listed, skip.data])
    assert report.verdict is not None
    assert report.verdict.inputs == 5
    one = skip.folder / "one.npy"
    np.save(one, np.load(batch)[0])
    single = skip.prove(THREE, data=one, out="single")
    assert single.verdict is not None
    assert single.verdict.inputs == 1


def test_an_input_that_the_fit_did_not_hold_joins_it(skip: Case) -> None:
    several = inputs(skip, 2)
    values = np.array(json.loads(several[1].read_text())["input_data"]) * 1e6
    several[1].write_text(json.dumps({"input_data": values.tolist()}))
    narrow = skip.proved(THREE, data=several[:1], out="narrow")
    report = skip.prove(THREE, data=several)
    assert report.verdict is not None
    assert narrow.verdict is not None
    assert report.verdict.accepted
    assert report.verdict.statement != narrow.verdict.statement
    claim = audit.claim_of(skip.folder / "run")
    assert claim.slices[0].spec.largest_value > 1e6
    total = report.variants["prepared"].total
    assert total is not None
    assert total.fidelity is not None
    assert total.fidelity.relative_error < THREE.tolerance


def test_an_input_that_cannot_be_held_is_told(skip: Case) -> None:
    with pytest.raises(Imprecise):
        skip.prove(Options(blocks=2, scale=4, tolerance=1e-3), data=inputs(skip, 2))


def test_the_error_is_the_worst_of_all_inputs(skip: Case) -> None:
    several = inputs(skip, 3)

    def error(*chosen: int) -> float:
        data, out = [several[n] for n in chosen], "-".join(map(str, chosen))
        total = skip.proved(THREE, data=data, out=out).variants["prepared"].total
        assert total is not None
        assert total.fidelity is not None
        return total.fidelity.max_error

    pairs = error(0, 1), error(0, 2)
    assert error(0, 1, 2) == max(pairs) > min(pairs)


def test_proofs_of_two_inputs_do_not_mix(skip: Case) -> None:
    report = skip.proved(THREE, data=inputs(skip, 2))
    assert report.verdict is not None
    public, name = skip.folder / "run/public", "slices/001/proof.json"
    shutil.copy(public / "000" / name, public / "001" / name)
    with pytest.raises(LinkMismatch, match="input 001: the wire of"):
        audit.verify_all(
            public, FakeBackend(), expect=report.verdict.statement, allow_test_srs=True
        )


def test_inputs_of_different_statements_are_no_claim(skip: Case) -> None:
    skip.proved(THREE, data=inputs(skip, 2))
    skip.proved(Options(blocks=2, baselines=Baselines.NONE), out="other")
    public = skip.folder / "run/public"
    shutil.copy(skip.folder / "other/public/statement.json", public / "001/statement.json")
    with pytest.raises(StatementError, match="different statements"):
        audit.claim_of(public)


def test_from_the_command_line(skip: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkprep.backends.ezkl.EzklBackend", FakeBackend)
    several = [part for path in inputs(skip, 2) for part in ("--input", str(path))]
    run, events = skip.folder / "run", skip.folder / "events"
    arguments = ["prove", str(skip.model), *several, "-o", str(run), "--blocks", "2"]
    arguments += ["--baselines", "none", "--events", str(events)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert done.stdout.rstrip().endswith("accepted: 4 proofs, 2 links, 2 inputs")
    assert {"plan", "start", "done"} <= {
        json.loads(e)["kind"] for e in events.read_text().split("\n") if e
    }
    anchor = ["verify", str(run), "--model", str(skip.model), "--allow-test-srs"]
    verified = CliRunner().invoke(app, anchor)
    assert verified.exit_code == 0, verified.output
    assert "input 000" in verified.stdout
    assert verified.stdout.rstrip().endswith("accepted: 4 proofs, 2 links, 2 inputs")
    assert list(json.loads(CliRunner().invoke(app, [*anchor, "--json"]).stdout)) == ["000", "001"]


def test_no_such_input_is_told_before_anything(skip: Case) -> None:
    with pytest.raises(InputError, match=r"none.json' is not a file"):
        skip.prove(THREE, data=[skip.data, skip.folder / "none.json"])
    assert not (skip.folder / "run").exists()
