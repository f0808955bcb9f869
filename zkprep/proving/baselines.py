"""What a preparation is compared with: `plain`, the same slices; `ezkl`, the whole model.

A baseline that EZKL rejects, miscomputes, or that does not fit the machine is a finding of the
report, never the end of the run.
"""

from collections.abc import Mapping, Sequence

from zkprep.backends import srs
from zkprep.cost.circuit import layout
from zkprep.cost.machine import constants
from zkprep.cost.work import predict
from zkprep.errors import BackendError, ZkprepError
from zkprep.options import Baselines, memory_limit
from zkprep.proving import prover
from zkprep.proving.assemble import slice_report, variant_report
from zkprep.proving.fidelity import Errors
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized
from zkprep.report.types import Fidelity, Measured, Variant

NOTES = {
    "ezkl": "the whole model, EZKL's defaults and calibration, Freivalds off",
    "plain": "the same slices, not rewritten; EZKL's default digits in one block",
    "prepared": "rewritten and tuned",
}
ANY_ERROR = float("inf")
LARGEST_TEST_SRS = 17


def report(
    job: Job, sized: Mapping[str, Sequence[Sized]], *, prove_too: bool
) -> dict[str, Variant]:
    """The baselines asked for in `job.options`, by name."""
    if job.options.baselines is Baselines.NONE:
        return {}
    return {
        "ezkl": _ezkl(job, prove_too),
        "plain": _baseline(job, sized["plain"], NOTES["plain"], prove_too),
    }


def variant(
    sized: Sequence[Sized],
    found: Errors | None = None,
    measured: Sequence[Measured] = (),
    note: str = NOTES["prepared"],
) -> Variant:
    """A variant's report from its circuits and, if any, its errors and measurements."""
    each: Sequence[Fidelity | None] = found.slices if found else [None] * len(sized)
    times: list[Measured | None] = [*measured] or [None] * len(sized)
    slices = [slice_report(*row) for row in zip(sized, times, each, strict=True)]
    return variant_report(note, slices, found.chain if found else None)


def _ezkl(job: Job, prove_too: bool) -> Variant:
    """The whole model as given or, where EZKL does not take that, as normalised."""
    note = NOTES["ezkl"]
    try:
        whole = prover.calibrate(job, job.prepared.original, "original.onnx")
    except BackendError as error:
        note += f"; EZKL takes it only as normalised by zkprep ({error})"
        try:
            whole = prover.calibrate(job, job.prepared.normalised, "normalised.onnx")
        except BackendError as again:
            return Variant(note=f"{NOTES['ezkl']}: EZKL does not take it ({again})", slices=[])
    return _baseline(job, [whole], note, prove_too)


def _baseline(job: Job, sized: Sequence[Sized], note: str, prove_too: bool) -> Variant:
    try:
        found = prover.errors_of(job, sized, prover.witness(job, sized, ANY_ERROR))
    except ZkprepError as error:
        return variant(sized, note=f"{note}: not proved ({error})")
    if not prove_too:
        return variant(sized, found, note=note)
    if obstacle := _obstacle(job, sized):
        return variant(sized, found, note=f"{note}: not proved ({obstacle})")
    try:
        measured = prover.prove(job, sized)
    except ZkprepError as error:
        return variant(sized, found, note=f"{note}: not proved ({error})")
    return variant(sized, found, measured, note)


def _obstacle(job: Job, sized: Sequence[Sized]) -> str:
    """Why these circuits are not worth starting, or "" when they fit."""
    need = max(
        predict(layout(one.settings), constants(one.settings.version)).peak_bytes for one in sized
    )
    if need > (room := memory_limit(job.options)):
        return f"does not fit: needs {need / 1e9:.1f} GB of memory, {room / 1e9:.1f} GB are there"
    logrows = max(one.settings.run_args.logrows for one in sized)
    if logrows > LARGEST_TEST_SRS and srs.find(logrows) is None:
        return f"no SRS of logrows {logrows} here, and making one takes minutes"
    return ""
