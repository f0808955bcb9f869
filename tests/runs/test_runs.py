"""Runs on disk: what is listed, what is freed, what is never touched."""

import json
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from zkprep import pipeline
from zkprep.backends import srs
from zkprep.backends.fake import FakeBackend
from zkprep.cli import app
from zkprep.errors import BackendError
from zkprep.options import Baselines, Options
from zkprep.runs.events import silent
from zkprep.runs.store import open_run
from zkprep.runs.survey import Asked, find_runs, limits_of, spare_caches, spare_keys, survey

DIGITS = Path(__file__).parents[2] / "circuits/digits"
OPTIONS = Options(blocks=3, baselines=Baselines.NONE)


def prove(out: Path, backend: FakeBackend | None = None) -> None:
    model, data = DIGITS / "model.onnx", DIGITS / "input.json"
    pipeline.prove(model, [data], out, OPTIONS, backend or FakeBackend(), silent)


def stopped(out: Path) -> None:
    with pytest.raises(BackendError):
        prove(out, FakeBackend(fail={"prove": BackendError("the disk is full")}))


def zkprep(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_what_each_run_still_needs(tmp_path: Path) -> None:
    prove(tmp_path / "runs/done")
    stopped(tmp_path / "runs/deep/stopped")
    (tmp_path / "runs/no run").mkdir()
    found = {Path(one.folder).name: one for one in map(survey, find_runs(tmp_path))}
    assert set(found) == {"done", "stopped"}
    assert found["done"].state == "proved"
    assert (found["done"].stages, found["done"].stages_left) == (9, 0)
    assert found["done"].key_bytes > 0
    assert found["done"].bytes > found["done"].key_bytes
    left = found["stopped"]
    # The first proof fails once a setup is done; the rest of the setups are not begun.
    assert left.state == "stopped"
    assert 6 <= left.stages_left < left.stages == 9
    assert left.cpu_seconds_left > 0
    listed = zkprep("runs", tmp_path)
    assert listed.exit_code == 0
    assert f"{left.stages_left} of 9 stages left" in listed.stdout
    documents = json.loads(zkprep("runs", tmp_path, "--json").stdout)
    assert [one["state"] for one in documents] == ["stopped", "proved"]


def test_a_run_at_work_is_said_to_be_and_keeps_its_keys(tmp_path: Path) -> None:
    prove(tmp_path / "run")
    with open_run(tmp_path / "run", silent):
        assert survey(tmp_path / "run").state == "running"
        assert spare_keys([tmp_path / "run"], 0.0, 0) == []
    assert len(spare_keys([tmp_path / "run"], 0.0, 0)) == 3


def test_a_run_that_was_never_sized(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", silent):
        pass
    assert "not sized yet" in zkprep("runs", tmp_path).stdout
    assert zkprep("runs", tmp_path / "none").exit_code == 2


def test_clean_frees_keys_and_a_proved_run_needs_none(tmp_path: Path) -> None:
    prove(tmp_path / "run")
    before = (tmp_path / "run/events.jsonl").read_text()
    dry = zkprep("clean", tmp_path, "--dry-run")
    assert dry.stdout.startswith("") and "would free" in dry.stdout
    keys = sorted((tmp_path / "run").rglob("pk"))
    assert len(keys) == 3
    assert zkprep("clean", tmp_path, "--older-than", "1h").stdout.startswith("freed 0 B")
    old = time.time() - 7200
    os.utime(keys[0], (old, old))
    assert json.loads(zkprep("clean", tmp_path, "--older-than", "1h", "--json").stdout) == [
        {"path": str(keys[0]), "bytes": dry_size(dry, keys[0])}
    ]
    assert "freed 0 B" in zkprep("clean", tmp_path, "--larger-than", "1GB").stdout
    assert zkprep("clean", tmp_path).exit_code == 0
    assert list((tmp_path / "run").rglob("pk")) == []
    prove(tmp_path / "run")
    assert (tmp_path / "run/events.jsonl").read_text() == before, "nothing was done again"


def dry_size(dry: Result, key: Path) -> int:
    (line,) = (line for line in dry.stdout.splitlines() if line.endswith(str(key)))
    assert line.split()[1] == "B"
    return int(line.split()[0])


def test_a_key_that_a_proof_needs_is_made_again(tmp_path: Path) -> None:
    stopped(tmp_path / "run")
    for one in spare_keys([tmp_path / "run"], 0.0, 0):
        one.path.unlink()
    prove(tmp_path / "run")
    assert len(list((tmp_path / "run").rglob("pk"))) == 3


def test_caches_keep_test_srs(fresh_cache: Path) -> None:
    made = srs.generate(10, FakeBackend())
    ceremony = fresh_cache / "srs/kzg1.srs"
    ceremony.write_bytes(srs.CEREMONY_VERIFIER)
    cached = fresh_cache / "node/abc"
    cached.parent.mkdir()
    cached.write_bytes(b"key")
    freed = [one.path for one in spare_caches(0.0, 0)]
    assert ceremony in freed
    assert cached in freed
    assert made.path not in freed
    assert spare_caches(3600.0, 0) == []


@pytest.mark.parametrize("age", ["week", "7", "-1d"])
def test_bad_ages(tmp_path: Path, age: str) -> None:
    refused = zkprep("clean", tmp_path, f"--older-than={age}")
    assert refused.exit_code == 2
    assert "is no age" in refused.stderr


def test_limits_stay_as_they_were_found(tmp_path: Path) -> None:
    asked = Asked("m", ["i"], "question", 100)
    with open_run(tmp_path / "run", silent) as run:
        assert limits_of(run, asked).memory == 100
        assert limits_of(run, Asked("m", ["i"], "question", 50)).memory == 100
        assert limits_of(run, Asked("m", ["i"], "another", 50)).memory == 50
