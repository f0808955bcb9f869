"""The run directory: stages that are skipped when their recorded inputs match, atomic publication.

    RUN/
      public/               all a verifier needs and nothing secret; appears whole, at the end
        statement.json, srs/K.srs (test SRS only), slices/000/{settings.json, vk, proof.json}
        or, of several inputs: 000/, 001/, ..., each of them such a folder
      private/              per variant its plan.json (the stages of its proofs) and per slice:
                            settings, circuit, keys, witness, proof; of the second input and all
                            after it, in a folder of its number
      model/                original.onnx, prepared.onnx, slices/000.plain.onnx, slices/000.onnx
      run.json              what was asked for
      report.json
      events.jsonl          one line per finished stage

Resuming a run is running it: `zkprep.runs.stages` says what is done. One process works in a run at
a time; the lock is the system's and goes with the process, however that ends.
"""

import contextlib
import json
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import filelock
import msgspec

from zkprep.backends.base import Usage
from zkprep.errors import InputError
from zkprep.files import write_atomically
from zkprep.runs.events import Event, Notify
from zkprep.runs.stages import Ledger, Stage, State, read_record

MARKER = ".zkprep-run"
_LOCK = ".zkprep-lock"
_DRAFT = re.compile(r"\..+\.[0-9a-z_]{8,16}")


@dataclass(frozen=True, slots=True)
class SliceFiles:
    """The files of one slice of one variant, under RUN/private.

    Attributes:
        folder: of what all inputs share.
        case: of what one input needs; the first input's is `folder` itself.
    """

    folder: Path
    case: Path

    def of_input(self, index: int) -> "SliceFiles":
        """The same slice's files for the input of that number."""
        return replace(self, case=self.folder / f"{index:03d}" if index else self.folder)

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
        return self.case / "input.json"

    @property
    def witness(self) -> Path:
        """The witness."""
        return self.case / "witness.json"

    @property
    def proof(self) -> Path:
        """The proof."""
        return self.case / "proof.json"


@dataclass(slots=True)
class Run:
    """An open run directory; made by `open_run`."""

    root: Path
    notify: Notify
    ledger: Ledger = field(default_factory=Ledger)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def files(self, variant: str, name: str) -> SliceFiles:
        """The files of slice `name` of `variant`."""
        folder = self.root / "private" / variant / name
        folder.mkdir(parents=True, exist_ok=True)
        return SliceFiles(folder, folder)

    def model_path(self, name: str) -> Path:
        """Path of a model of this run, e.g. "prepared.onnx" or "slices/000.plain.onnx"."""
        return self.root / "model" / name

    def write(self, path: Path, data: bytes) -> None:
        """Write a file of the run atomically, unless it already holds exactly `data`."""
        if not path.is_file() or path.read_bytes() != data:
            write_atomically(path, data)

    def tell(self, event: Event) -> None:
        """Pass an event on, one at a time."""
        with self._writing:
            self.notify(event)

    def new_stage(
        self, name: str, folder: Path, inputs: Sequence[Path | bytes], outputs: Sequence[Path]
    ) -> Stage:
        """A stage of this run whose record lies in `folder`, below RUN/private."""
        label = folder.relative_to(self.root / "private").as_posix()
        return Stage(name, folder, label, tuple(inputs), tuple(outputs))

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
        stage = self.new_stage(name, folder, inputs, outputs)
        record = read_record(stage.record_path)
        if record is not None and self.ledger.state(stage) is State.FRESH:
            self.tell(Event(kind="kept", slice=stage.label, stage=name))
            return record.usage
        self.tell(Event(kind="start", slice=stage.label, stage=name))
        return self.perform(stage, work)

    def perform(self, stage: Stage, work: Callable[[], Usage]) -> Usage:
        """Run `work` and record it, whatever was recorded before."""
        self.ledger.open(stage)
        stage.folder.mkdir(parents=True, exist_ok=True)
        usage = work()
        self.ledger.close(stage, usage)
        self._keep_event(stage, usage)
        self.tell(
            Event(
                kind="done",
                slice=stage.label,
                stage=stage.name,
                seconds=usage.seconds,
                cpu_seconds=usage.cpu_seconds,
                bytes=usage.peak_bytes,
            )
        )
        return usage

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

    def _keep_event(self, stage: Stage, usage: Usage) -> None:
        event = {"at": round(time.time(), 3), "slice": stage.label, "stage": stage.name}
        event |= msgspec.to_builtins(usage)
        with self._writing, (self.root / "events.jsonl").open("a") as file:
            file.write(json.dumps(event) + "\n")


@contextlib.contextmanager
def open_run(root: Path, notify: Notify) -> Iterator[Run]:
    """Open or make the run directory `root`, for one process at a time.

    Raises:
        InputError: it cannot be written, holds something else, or another process works in it.
    """
    _make(root)
    lock = filelock.FileLock(root / _LOCK)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise InputError(f"run '{root}' is in use by another zkprep process") from None
    try:
        _sweep(root)
        yield Run(root, notify)
    except OSError as error:
        raise InputError(f"cannot write '{root}': {error.strerror or error}") from None
    finally:
        lock.release()


def in_use(root: Path) -> bool:
    """Whether a process works in the run directory `root`."""
    if not (root / _LOCK).is_file():
        return False
    lock = filelock.FileLock(root / _LOCK)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def _sweep(root: Path) -> None:
    """Remove what a process that was killed left half-written; the caller holds the lock."""
    for path in [*root.rglob(".*")]:
        if _DRAFT.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _make(root: Path) -> None:
    try:
        if root.exists() and not root.is_dir():
            raise InputError(f"'{root}' is not a folder")
        if root.is_dir() and any(root.iterdir()) and not (root / MARKER).is_file():
            raise InputError(
                f"folder '{root}' is not empty and holds no zkprep run",
                hint="give a new folder, or one that zkprep made",
            )
        root.mkdir(parents=True, exist_ok=True)
        (root / MARKER).touch()
    except OSError as error:
        raise InputError(f"cannot write '{root}': {error.strerror or error}") from None
