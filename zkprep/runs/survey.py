"""Run directories seen from outside: which there are, what each still needs, what can be freed.

Nothing here opens a run that a process works in.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from zkprep.backends import srs
from zkprep.errors import InputError
from zkprep.files import cache_folder
from zkprep.report.types import read_report
from zkprep.runs.stages import Stage, read_record
from zkprep.runs.store import MARKER, Run, in_use

_DEPTH = 4
_PLAN = "plan.json"
_SCRATCH_AGE = 7 * 86400.0
"""Scratch folders of zkprep's that nobody has touched for so long belong to a process that died."""


class PlannedStage(msgspec.Struct, frozen=True):
    """A stage that a variant's proofs take: where its record will lie, and its predicted work."""

    record: str
    cpu_seconds: float


class Asked(msgspec.Struct, frozen=True):
    """What a run was asked for; the limits that it found when it began, so that they stay."""

    model: str
    inputs: list[str]
    question: str
    memory: int


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """A run seen from outside.

    Attributes:
        folder: the run directory.
        model: the model's path, as it was given.
        inputs: number of inputs.
        state: "proved", "running", "stopped" (before it was done) or "rejected".
        stages: of its proofs; 0 before they are known.
        stages_left: of these, how many are to be done.
        cpu_seconds_left: that they take, by prediction.
        bytes: that the run takes on disk.
        key_bytes: of these, proving keys.
    """

    folder: str
    model: str
    inputs: int
    state: str
    stages: int
    stages_left: int
    cpu_seconds_left: float
    bytes: int
    key_bytes: int


@dataclass(frozen=True, slots=True)
class Freed:
    """Something on disk that can be made again: a file or a folder, its size and its age."""

    path: Path
    bytes: int
    seconds: float


def keep_plan(run: Run, folder: Path, stages: Iterable[tuple[Stage, float]]) -> None:
    """Write down the stages of a variant's proofs, with their CPU seconds, in its folder."""
    planned = [
        PlannedStage(stage.record_path.relative_to(folder).as_posix(), cpu_seconds)
        for stage, cpu_seconds in stages
    ]
    run.write(folder / _PLAN, msgspec.json.encode(planned))


def limits_of(run: Run, asked: Asked) -> Asked:
    """Keep what was asked for, with the memory that was found when the same was asked first."""
    path = run.root / "run.json"
    try:
        before = msgspec.json.decode(path.read_bytes(), type=Asked)
    except (OSError, msgspec.MsgspecError):
        before = asked
    if before.question == asked.question:
        asked = msgspec.structs.replace(asked, memory=before.memory)
    run.write(path, msgspec.json.encode(asked))
    return asked


def find_runs(folder: Path) -> list[Path]:
    """Every run directory at `folder` or a few levels below it.

    Raises:
        InputError: not a folder.
    """
    if not folder.is_dir():
        raise InputError(f"'{folder}' is not a folder", hint="give a run, or a folder of runs")
    return sorted(_runs_below(folder, _DEPTH))


def survey(root: Path) -> RunState:
    """What the run at `root` is, has and needs."""
    asked = _read_asked(root)
    planned = [one for path in root.glob(f"private/*/{_PLAN}") for one in _read_plan(path)]
    left = [(path, stage) for path, stage in planned if read_record(path) is None]
    sizes = {path: _size(path) for path in root.rglob("*") if path.is_file()}
    return RunState(
        folder=str(root),
        model=asked.model if asked else "",
        inputs=len(asked.inputs) if asked else 0,
        state=_state(root),
        stages=len(planned),
        stages_left=len(left),
        cpu_seconds_left=sum(stage.cpu_seconds for _, stage in left),
        bytes=sum(sizes.values()),
        key_bytes=sum(size for path, size in sizes.items() if path.name == "pk"),
    )


def spare_keys(roots: Iterable[Path], older: float, larger: int) -> list[Freed]:
    """Proving keys of runs that nobody works in; a run makes those it needs again."""
    keys = [path for root in roots if not in_use(root) for path in root.glob("private/**/pk")]
    return _chosen(keys, older, larger)


def spare_caches(older: float, larger: int) -> list[Freed]:
    """The ceremony's SRS files, which can be had again; keys cached for Ray; what died left behind.

    A test SRS stays: keys made with it would be worth nothing without it.
    """
    ceremony = [one.path for one in srs.list_all() if one.origin == "ceremony"]
    own = [path for path in ceremony if path.is_relative_to(cache_folder())]
    kept = [path for path in (cache_folder() / "node").glob("*") if path.is_file()]
    scratch = _chosen(Path(tempfile.gettempdir()).glob("zkprep-*"), _SCRATCH_AGE, larger)
    return [
        *_chosen([*own, *kept], older, larger),
        *(one for one in scratch if one.seconds >= older and _is_ours(one.path)),
    ]


def free(one: Freed) -> None:
    """Remove it; gone already is well.

    Raises:
        InputError: it cannot be removed.
    """
    try:
        shutil.rmtree(one.path) if one.path.is_dir() else one.path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot remove '{one.path}': {error.strerror or error}") from None


def _is_ours(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _chosen(paths: Iterable[Path], older: float, larger: int) -> list[Freed]:
    """Those that are old and large enough; what vanishes meanwhile is left out."""
    now, found = time.time(), []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            seconds = max(0.0, now - path.lstat().st_mtime)
            if seconds >= older and (size := _size(path)) >= larger:
                found.append(Freed(path, size, seconds))
    return found


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / MARKER).is_file():
        yield folder
    elif depth:
        for inner in folder.iterdir():
            if inner.is_dir() and not inner.is_symlink() and not inner.name.startswith("."):
                yield from _runs_below(inner, depth - 1)


def _state(root: Path) -> str:
    if in_use(root):
        return "running"
    if not (root / "report.json").is_file():
        return "stopped"
    verdict = read_report(root).verdict
    return "proved" if verdict is not None and verdict.accepted else "rejected"


def _read_asked(root: Path) -> Asked | None:
    try:
        return msgspec.json.decode((root / "run.json").read_bytes(), type=Asked)
    except (OSError, msgspec.MsgspecError):
        return None


def _read_plan(path: Path) -> list[tuple[Path, PlannedStage]]:
    try:
        planned = msgspec.json.decode(path.read_bytes(), type=list[PlannedStage])
    except (OSError, msgspec.MsgspecError):
        return []
    return [(path.parent / one.record, one) for one in planned]


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(inner) for inner in path.rglob("*") if inner.is_file())
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
