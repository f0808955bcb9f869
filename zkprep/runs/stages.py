"""Stages: what is made from what, recorded by content, so that a second run knows what is there.

A stage's record holds the digest of its inputs and of each output. It is written last and in one
step: a stage without a record has not been done, whatever files it left. No time of day is
compared anywhere, so a clock that jumps changes nothing.
"""

import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

import msgspec

from zkprep.backends.base import Usage
from zkprep.errors import InputError
from zkprep.files import digest, file_digest, write_atomically


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that a stage made: its sha256 and its size."""

    digest: str
    bytes: int


class StageRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a finished stage was made from, what it made, and what it used."""

    inputs: str
    outputs: dict[str, Output]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a run that turns files into files.

    Attributes:
        name: "setup", "prove", ...
        folder: where its record lies.
        label: variant, slice and, if there are several, input, as events name it.
        inputs: files, and bytes that stand for anything else its outputs depend on.
        outputs: files.
    """

    name: str
    folder: Path
    label: str
    inputs: tuple[Path | bytes, ...]
    outputs: tuple[Path, ...]

    @property
    def title(self) -> str:
        """As messages name it: unique in a run."""
        return f"{self.label} {self.name}"

    @property
    def record_path(self) -> Path:
        """Where its record lies."""
        return self.folder / f"{self.name}.stage"


class State(Enum):
    """How far a stage is: nothing to do; outputs were removed; or to be done."""

    FRESH = auto()
    LACKING = auto()
    STALE = auto()


@dataclass(slots=True)
class Ledger:
    """Reads and writes stage records; remembers the digests of files that have not changed."""

    _digests: dict[tuple[str, int, int, int, int], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def state(self, stage: Stage) -> State:
        """How far the stage is; a damaged output makes it stale, one removed on purpose lacking."""
        record = read_record(stage.record_path)
        if record is None or record.inputs != self._key(stage):
            return State.STALE
        there = [path for path in stage.outputs if path.is_file()]
        for path in there:
            known = record.outputs.get(path.name)
            if known is None or known.digest != self.digest(path):
                return State.STALE
        return State.FRESH if len(there) == len(stage.outputs) else State.LACKING

    def open(self, stage: Stage) -> None:
        """Forget that the stage was done: it is about to be done again."""
        stage.record_path.unlink(missing_ok=True)

    def close(self, stage: Stage, usage: Usage) -> None:
        """Record that the stage was done."""
        made = {path.name: Output(self.digest(path), path.stat().st_size) for path in stage.outputs}
        record = StageRecord(self._key(stage) or "", made, usage)
        write_atomically(stage.record_path, msgspec.json.encode(record))

    def digest(self, item: Path | bytes) -> str:
        """sha256 of bytes or of a file, computed once for as long as the file stays as it is."""
        if isinstance(item, bytes):
            return digest(item)
        status = item.stat()
        times = status.st_mtime_ns, status.st_ctime_ns
        key = (str(item), status.st_ino, status.st_size, *times)
        with self._lock:
            known = self._digests.get(key)
        if known is None:
            known = file_digest(item)
            with self._lock:
                self._digests[key] = known
        return known

    def _key(self, stage: Stage) -> str | None:
        """Digest of what the stage is made from; None while some of it is missing."""
        try:
            digests = [self.digest(item) for item in stage.inputs]
        except FileNotFoundError:
            return None
        return digest("\n".join([stage.name, *digests]).encode())


def read_record(path: Path) -> StageRecord | None:
    """The record at `path`; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=StageRecord)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def require_record(folder: Path, name: str) -> StageRecord:
    """The record of a stage that was done.

    Raises:
        InputError: somebody removed it meanwhile.
    """
    record = read_record(folder / f"{name}.stage")
    if record is None:
        raise InputError(f"'{folder}' has lost its record of {name}", hint="run again")
    return record
