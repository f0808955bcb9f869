"""Faults from outside: damaged files, a truncated SRS, a clock that jumps, two runs at once."""

import json
import os
import time
from collections import Counter
from pathlib import Path

import killed
import pytest
from pipeline_case import Case

from zkprep.backends import srs
from zkprep.errors import InputError
from zkprep.options import Baselines, Options
from zkprep.report.types import Report
from zkprep.verifying import audit

THREE = Options(blocks=3, baselines=Baselines.NONE)
SLICE = "private/prepared/001"


def digest(report: Report) -> str:
    assert report.verdict is not None
    assert report.verdict.accepted
    return report.verdict.statement


def done(case: Case) -> Counter[str]:
    lines = (case.folder / "run/events.jsonl").read_text().splitlines()
    return Counter(f"{e['slice'][-3:]} {e['stage']}" for e in map(json.loads, lines))


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("pk", {"setup"}),
        ("vk", {"setup"}),
        ("circuit.ezkl", {"compile"}),
        ("witness.json", {"witness"}),
        ("proof.json", {"prove"}),
        ("settings.json", {"settings"}),
        ("setup.stage", {"setup"}),
        ("prove.stage", {"prove"}),
    ],
)
def test_a_damaged_file_is_made_again_and_no_other(skip: Case, name: str, again: set[str]) -> None:
    first = digest(skip.proved(THREE))
    path = skip.folder / "run" / SLICE / name
    whole, before = path.read_bytes(), done(skip)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert digest(skip.prove(THREE)) == first
    assert done(skip) - before == Counter({f"001 {stage}": 1 for stage in again})
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ["pk", "witness.json", "proof.json"])
def test_a_file_cut_short_is_not_taken_for_whole(skip: Case, name: str) -> None:
    first = digest(skip.proved(THREE))
    path = skip.folder / "run" / SLICE / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert digest(skip.prove(THREE)) == first
    assert path.read_bytes() == whole


def test_a_truncated_srs_is_named(skip: Case, fresh_cache: Path) -> None:
    first = digest(skip.prove(THREE))
    used = srs.find(audit.claim_of(skip.folder / "run").slices[0].spec.logrows)
    assert used is not None
    whole = used.path.read_bytes()
    used.path.write_bytes(whole[:-1000])
    with pytest.raises(InputError, match=f"'{used.path}' has {len(whole) - 1000} bytes") as why:
        skip.prove(THREE)
    assert "truncated" in why.value.hint
    assert not (skip.folder / "run/public").exists()
    used.path.write_bytes(whole)
    assert digest(skip.prove(THREE)) == first


@pytest.mark.parametrize("days", [-4000, 4000])
def test_a_clock_that_jumps_changes_nothing(
    skip: Case, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    first = digest(skip.proved(THREE))
    before, now = done(skip), time.time() + 86400 * days
    for path in (skip.folder / "run").rglob("*"):
        os.utime(path, (now, now))
    monkeypatch.setattr(time, "time", lambda: now)
    assert digest(skip.prove(THREE)) == first
    assert done(skip) == before


def test_two_runs_share_a_cache(skip: Case, fresh_cache: Path) -> None:
    folders = [skip.folder / name for name in ("one", "two")]
    processes = [killed.start(skip.model, [skip.data], folder) for folder in folders]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    statements = {(folder / "public/statement.json").read_bytes() for folder in folders}
    assert len(statements) == 1, "both used one test SRS, or their keys would differ"


def test_two_processes_never_share_a_run(skip: Case) -> None:
    run = skip.folder / "run"
    processes = [killed.start(skip.model, [skip.data], run) for _ in range(3)]
    for process in processes:
        process.join()
    assert 0 in [process.exitcode for process in processes]
    assert set(killed.times_done(run).values()) == {1}
    assert digest(skip.prove(THREE))
