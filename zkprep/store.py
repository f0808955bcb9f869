"""The run directory: stages that are skipped when their recorded inputs match, atomic publication.

    RUN/
      public/               all a verifier needs and nothing secret; appears whole, at the end
        statement.json, srs/K.srs (test SRS only), slices/000/{settings.json, vk, proof.json}
      private/              per variant and slice: settings, circuit, keys, witness, proof
      model/                original.onnx, prepared.onnx, slices/000.plain.onnx, slices/000.onnx
      report.json
      events.jsonl          one line per finished stage

A stage's record holds the digest of its inputs and of each output; resuming a run is running it.
"""

import contextlib
import fcntl
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from zkprep.backends.base import Usage
from zkprep.errors import InputError
from zkprep.files import digest, file_digest, write_atomically

_MARKER = ".zkprep-run"


class StageRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a finished stage was made from, what it made, and what it used."""

    inputs: str
    outputs: dict[str, str]
    usage: Usage


@dataclass(frozen=True, slots=True)
class SliceFiles:
    """The files of one slice of one variant, under RUN/private."""

    folder: Path

    @property
    def settings(self) -> Path:
        """Canonical settings."""
        return self.folder / "settings.json"

    @property
    def spec(self) -> Path:
        """The CircuitSpec behind the settings."""
        return self.folder / "spec.json"

    @property
    def fit(self) -> Path:
        """At which scale, and how boldly, the chain's circuits were chosen."""
        return self.folder / "fit.json"

    @property
    def circuit(self) -> Path:
        """Compiled circuit."""
        return self.folder / "circuit.ezkl"

    @property
    def vk(self) -> Path:
        """Verification key."""
        return self.folder / "vk"

    @property
    def pk(self) -> Path:
        """Proving key."""
        return self.folder / "pk"

    @property
    def samples(self) -> Path:
        """The slice's inputs on ONNX Runtime, from which its settings are tuned."""
        return self.folder / "samples.json"

    @property
    def data(self) -> Path:
        """The slice's input: numbers for the model's inputs, felts for wires."""
        return self.folder / "input.json"

    @property
    def witness(self) -> Path:
        """The witness."""
        return self.folder / "witness.json"

    @property
    def proof(self) -> Path:
        """The proof."""
        return self.folder / "proof.json"


Notify = Callable[[str, str, Usage | None], None]
"""Told (slice, stage, None) when a stage begins and (slice, stage, usage) when it is done."""


@dataclass(slots=True)
class Run:
    """An open run directory; made by `open_run`."""

    root: Path
    notify: Notify
    _digests: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def files(self, variant: str, name: str) -> SliceFiles:
        """The files of slice `name` of `variant`."""
        folder = self.root / "private" / variant / name
        folder.mkdir(parents=True, exist_ok=True)
        return SliceFiles(folder)

    def model_path(self, name: str) -> Path:
        """Path of a model of this run, e.g. "prepared.onnx" or "slices/000.plain.onnx"."""
        return self.root / "model" / name

    def write(self, path: Path, data: bytes) -> None:
        """Write a file of the run atomically, unless it already holds exactly `data`."""
        if not path.is_file() or path.read_bytes() != data:
            write_atomically(path, data)

    def stage(
        self,
        name: str,
        folder: Path,
        inputs: Sequence[Path | bytes],
        outputs: Sequence[Path],
        work: Callable[[], Usage],
    ) -> Usage:
        """Run `work`, which turns `inputs` into `outputs`, or skip it when it was done before.

        Returns:
            What the stage used when it ran.
        """
        label = f"{folder.parent.name}/{folder.name}"
        self.notify(label, name, None)
        record_path = folder / f"{name}.stage"
        key = digest("\n".join([name, *(self._digest(i) for i in inputs)]).encode())
        record = _read_record(record_path)
        if record is None or record.inputs != key or not self._intact(record, outputs):
            record_path.unlink(missing_ok=True)
            usage = work()
            made = {path.name: self._digest(path) for path in outputs}
            record = StageRecord(key, made, usage)
            write_atomically(record_path, msgspec.json.encode(record))
            self._event(label, name, usage)
        self.notify(label, name, record.usage)
        return record.usage

    def publish(self, files: Mapping[str, Path | bytes]) -> Path:
        """Replace RUN/public by `files` (relative name -> contents) in one rename.

        Returns:
            The public folder.
        """
        public = self.root / "public"
        staging = Path(tempfile.mkdtemp(prefix=".public.", dir=self.root))
        try:
            for name, contents in files.items():
                target = staging / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(contents, bytes):
                    target.write_bytes(contents)
                else:
                    shutil.copyfile(contents, target)
            staging.chmod(0o755)
            self.unpublish()
            staging.rename(public)
        except OSError as error:
            raise InputError(f"cannot write '{public}': {error.strerror or error}") from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return public

    def unpublish(self) -> None:
        """Remove RUN/public and the report: what this run will end with is not known yet."""
        for name in ("report.json", "report.md", "report.html"):
            (self.root / name).unlink(missing_ok=True)
        shutil.rmtree(self.root / "public", ignore_errors=True)

    def _digest(self, item: Path | bytes) -> str:
        if isinstance(item, bytes):
            return digest(item)
        status = item.stat()
        key = (str(item), status.st_mtime_ns, status.st_size)
        if key not in self._digests:
            self._digests[key] = file_digest(item)
        return self._digests[key]

    def _intact(self, record: StageRecord, outputs: Sequence[Path]) -> bool:
        return all(
            path.is_file() and record.outputs.get(path.name) == self._digest(path)
            for path in outputs
        )

    def _event(self, label: str, stage: str, usage: Usage) -> None:
        event = {"at": round(time.time(), 3), "slice": label, "stage": stage}
        event |= msgspec.to_builtins(usage)
        with (self.root / "events.jsonl").open("a") as file:
            file.write(json.dumps(event) + "\n")


@contextlib.contextmanager
def open_run(root: Path, notify: Notify) -> Iterator[Run]:
    """Open or make the run directory `root`, for one process at a time.

    Raises:
        InputError: it cannot be written, holds something else, or another process works in it.
    """
    _make(root)
    with (root / _MARKER).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"run '{root}' is in use by another zkprep process") from None
        try:
            yield Run(root, notify)
        except OSError as error:
            raise InputError(f"cannot write '{root}': {error.strerror or error}") from None


def _make(root: Path) -> None:
    try:
        if root.exists() and not root.is_dir():
            raise InputError(f"'{root}' is not a folder")
        if root.is_dir() and any(root.iterdir()) and not (root / _MARKER).is_file():
            raise InputError(
                f"folder '{root}' is not empty and holds no zkprep run",
                hint="give a new folder, or one that zkprep made",
            )
        root.mkdir(parents=True, exist_ok=True)
        (root / _MARKER).touch()
    except OSError as error:
        raise InputError(f"cannot write '{root}': {error.strerror or error}") from None


def _read_record(path: Path) -> StageRecord | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=StageRecord)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
