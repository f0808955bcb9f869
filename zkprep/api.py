"""The verbs of the command line as Python functions; `import zkprep` offers them all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from zkprep import pipeline
from zkprep.backends.base import Backend
from zkprep.backends.ezkl import EzklBackend
from zkprep.checking.check import CheckReport, check
from zkprep.execute.task import Executor
from zkprep.files import file_digest, write_atomically
from zkprep.fusing import fuse_file, fuse_model
from zkprep.models.model import save
from zkprep.options import Options
from zkprep.prepare import prepare
from zkprep.proving import cutting
from zkprep.proving.drawn import drawn
from zkprep.report import compare as comparing
from zkprep.report.cut import Cut, CutOperator, CutSlice, CutTensor
from zkprep.report.types import Report, read_report
from zkprep.runs.events import Notify, silent
from zkprep.slicing.slices import Slicing
from zkprep.verifying import audit
from zkprep.verifying.verdict import Verdict

__all__ = [
    "check_model",
    "compare",
    "fuse_file",
    "fuse_model",
    "measure",
    "prove",
    "slice_model",
    "verify",
]

DEFAULTS = Options()
CHECK_SECONDS = 20.0


class CutSummary(msgspec.Struct, frozen=True):
    """A cut: slices in executable order, and wires as (tensor, from slice, to slice).

    Attributes:
        model: name of the file.
        model_digest: its sha256.
        slices: with what each is predicted to take.
        wires: between them.
        operators: of the prepared model.
        tensors: of the prepared model.
    """

    model: str
    model_digest: str
    slices: list[CutSlice]
    wires: list[tuple[str, str, str]]
    operators: list[CutOperator]
    tensors: list[CutTensor]

    @property
    def cut(self) -> Cut:
        """As reports show it."""
        return Cut(slices=self.slices, operators=self.operators, tensors=self.tensors)


def slice_model(model: Path, out: Path | None, options: Options = DEFAULTS) -> CutSummary:
    """Prepare and cut `model`; with `out`, write NNN.onnx, NNN.plain.onnx and slices.json there.

    Raises:
        InputError: unusable model or folder.
        TooLarge: no cut keeps the limits.
    """
    prepared = prepare(model, options.dims, keep_head=options.keep_head)
    slicing = cutting.cut(prepared, options)
    cut = drawn(slicing)
    names = [piece.name for piece in slicing.slices]
    wires = [(w.tensor, names[w.source[0]], names[w.target[0]]) for w in slicing.wires]
    summary = CutSummary(
        model.name, file_digest(model), cut.slices, wires, cut.operators, cut.tensors
    )
    if out is not None:
        _write_slices(slicing, summary, out)
    return summary


def check_model(
    path: Path,
    dims: Mapping[str, int] | None = None,
    *,
    backend: Backend | None = None,
) -> CheckReport:
    """See `zkprep.checking.check.check`; EZKL by default, with a time limit per question."""
    return check(path, dims or {}, backend or EzklBackend(seconds=CHECK_SECONDS))


def measure(
    model: Path,
    input: Path | None = None,
    options: Options = DEFAULTS,
    *,
    backend: Backend | None = None,
    notify: Notify | None = None,
) -> Report:
    """See `zkprep.pipeline.measure`; EZKL and silence by default."""
    return pipeline.measure(model, input, options, backend or EzklBackend(), notify or silent)


def prove(
    model: Path,
    input: Path | Sequence[Path],
    out: Path,
    options: Options = DEFAULTS,
    *,
    backend: Backend | None = None,
    executor: Executor | None = None,
    notify: Notify | None = None,
) -> Report:
    """See `zkprep.pipeline.prove`; EZKL in workers on this machine and silence by default."""
    made = backend or EzklBackend()
    return pipeline.prove(model, input, out, options, made, notify or silent, executor=executor)


def verify(
    public: Path,
    *,
    expect: str | None = None,
    model: Path | None = None,
    allow_test_srs: bool = False,
    told: Path | None = None,
    backend: Backend | None = None,
) -> Verdict:
    """See `zkprep.verifying.audit.verify`; EZKL by default."""
    return audit.verify(
        public,
        backend or EzklBackend(),
        expect=expect,
        model=model,
        allow_test_srs=allow_test_srs,
        told=told,
    )


def compare(before: Path, after: Path, *, force: bool = False) -> comparing.Comparison:
    """Compare two reports, given as report.json files or run directories.

    Raises:
        InputError: unreadable, or not comparable.
    """
    return comparing.compare(read_report(before), read_report(after), force=force)


def _write_slices(slicing: Slicing, summary: CutSummary, out: Path) -> None:
    for piece in slicing.slices:
        save(piece.prepared, out / f"{piece.name}.onnx")
        save(piece.plain, out / f"{piece.name}.plain.onnx")
    document = msgspec.json.format(msgspec.json.encode(summary))
    write_atomically(out / "slices.json", document + b"\n")
