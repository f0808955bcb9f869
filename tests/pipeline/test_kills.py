"""SIGKILL at random moments: the run goes on, ends the same, and leaves nothing behind."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import killed
import networks
import pytest
from pipeline_case import Case

from zkprep.backends.fake import FakeBackend
from zkprep.verifying import audit


@pytest.fixture
def data(skip: Case) -> Iterator[list[Path]]:
    yield [skip.data, networks.write_input(skip.folder / "other.json", [32], seed=7)]


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _survives(case: Case, data: list[Path], kills: int) -> None:
    """Kill runs so many times in all, some of them again and again."""
    undisturbed = case.prove(killed.OPTIONS, data=data, out="undisturbed")
    seconds = killed.seconds(case.model, data, case.folder / "timed")
    assert undisturbed.verdict is not None
    expected = _contents(case.folder / "undisturbed/public")
    left, run = kills, case.folder / "run"
    while left > 0:
        left -= killed.kill_at_random(case.model, data, run, min(left, 8), seconds)
        assert _contents(run / "public") == expected, "another end than the undisturbed run's"
        verdicts = audit.verify_all(
            run, FakeBackend(), expect=undisturbed.verdict.statement, allow_test_srs=True
        )
        assert len(verdicts) == 2
        assert killed.left_behind(run) == []
        assert killed.is_free(run)
        assert set(killed.times_done(run).values()) == {1}, "a finished stage was done again"
        shutil.rmtree(run)


def test_runs_survive_being_killed(skip: Case, data: list[Path]) -> None:
    _survives(skip, data, kills=4)


@pytest.mark.long
def test_runs_survive_a_hundred_kills(skip: Case, data: list[Path]) -> None:
    _survives(skip, data, kills=120)
