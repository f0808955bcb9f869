"""The run directory: skipped stages, damaged outputs, publication in one step, one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zkprep.backends.base import Usage
from zkprep.errors import InputError
from zkprep.runs.events import silent
from zkprep.runs.store import Run, open_run

USAGE = Usage(1.0, 2.0, 3)


class Counter:
    """Work that writes its count, so that doing it again can be seen."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0

    def __call__(self) -> Usage:
        self.count += 1
        self.path.write_text(str(self.count))
        return USAGE


def _stage(run: Run, work: Counter, text: str) -> Usage:
    folder = run.files("prepared", "000").folder
    return run.stage("setup", folder, [text.encode()], [work.path], work)


def test_a_stage_is_done_once_per_input(tmp_path: Path) -> None:
    work = Counter(tmp_path / "run/private/prepared/000/pk")
    for _ in range(2):
        with open_run(tmp_path / "run", silent) as run:
            assert _stage(run, work, "a") == USAGE
    assert work.count == 1
    with open_run(tmp_path / "run", silent) as run:
        _stage(run, work, "b")
    assert work.count == 2
    assert len((tmp_path / "run/events.jsonl").read_text().splitlines()) == 2


def test_a_damaged_output_is_made_again(tmp_path: Path) -> None:
    work = Counter(tmp_path / "run/private/prepared/000/pk")
    with open_run(tmp_path / "run", silent) as run:
        _stage(run, work, "a")
        work.path.write_text("damaged")
        _stage(run, work, "a")
        work.path.unlink()
        _stage(run, work, "a")
    assert work.count == 3


def test_a_failed_stage_leaves_no_record(tmp_path: Path) -> None:
    work = Counter(tmp_path / "run/private/prepared/000/pk")
    with open_run(tmp_path / "run", silent) as run:
        _stage(run, work, "a")

        def fail() -> Usage:
            raise RuntimeError("died")

        folder = run.files("prepared", "000").folder
        with pytest.raises(RuntimeError):
            run.stage("setup", folder, [b"b"], [work.path], fail)
        assert not (folder / "setup.stage").exists()


def test_publication_replaces_the_folder(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", silent) as run:
        run.publish({"statement.json": b"1", "slices/000/vk": b"k", "slices/001/vk": b"k"})
        public = run.publish({"statement.json": b"2", "slices/000/vk": b"k"})
        files = {path.relative_to(public): path for path in public.rglob("*") if path.is_file()}
        assert {str(name): path.read_bytes() for name, path in files.items()} == {
            "statement.json": b"2",
            "slices/000/vk": b"k",
        }
        run.unpublish()
        assert not public.exists()
    assert [path.name for path in (tmp_path / "run").iterdir() if "public" in path.name] == []


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with (
        pytest.raises(InputError, match="is not empty and holds no zkprep run"),
        open_run(tmp_path, silent),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is not a folder"), open_run(tmp_path / "file", silent):
        pass


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot write"), open_run(tmp_path / "run", silent):
        pass


def test_a_place_that_cannot_be_made() -> None:
    with (
        pytest.raises(InputError, match="cannot write '/proc/run'"),
        open_run(Path("/proc/run"), silent),
    ):
        pass


def test_one_process_at_a_time(tmp_path: Path) -> None:
    other = (
        "import sys; from pathlib import Path; from zkprep.runs.store import open_run\n"
        "with open_run(Path(sys.argv[1]), lambda *a: None): print('in'); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", other, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        with (
            pytest.raises(InputError, match="in use by another"),
            open_run(tmp_path / "run", silent),
        ):
            pass
        process.communicate()
