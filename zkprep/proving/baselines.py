"""What a preparation is compared with: `plain`, the same slices; `ezkl`, the whole model.

A baseline that EZKL rejects, miscomputes, or that does not fit the machine is a finding of the
report, never the end of the run.
"""

from collections.abc import Mapping, Sequence

from zkprep import srs
from zkprep.backends.base import Witness
from zkprep.cost.circuit import layout
from zkprep.cost.machine import constants
from zkprep.cost.work import predict
from zkprep.errors import BackendError, ZkprepError
from zkprep.heads import with_heads
from zkprep.options import Baselines, memory_limit
from zkprep.passes.evaluators import truth
from zkprep.proving import prover
from zkprep.proving.assemble import slice_report, variant_report
from zkprep.proving.fidelity import compare, errors
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized, outputs_of
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
    job: Job,
    sized: Sequence[Sized],
    witnesses: Sequence[Witness] = (),
    measured: Sequence[Measured] = (),
    note: str = NOTES["prepared"],
) -> Variant:
    """A variant's report from its circuits and, if any, its witnesses and measurements."""
    each: list[Fidelity | None] = [None] * len(sized)
    whole = None
    if witnesses:
        each = [compare(one, made) for one, made in zip(sized, witnesses, strict=True)]
        outputs = {}
        for one, made in zip(sized, witnesses, strict=True):
            outputs.update(outputs_of(one, made))
        whole = errors(
            with_heads(job.prepared.heads, outputs), truth(job.prepared.original)(job.feeds)
        )
    times: list[Measured | None] = [*measured] or [None] * len(sized)
    slices = [slice_report(*row) for row in zip(sized, times, each, strict=True)]
    return variant_report(note, slices, whole)


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
        witnesses = prover.witness(job, sized, ANY_ERROR)
    except ZkprepError as error:
        return variant(job, sized, note=f"{note}: not proved ({error})")
    if not prove_too:
        return variant(job, sized, witnesses, note=note)
    if obstacle := _obstacle(job, sized):
        return variant(job, sized, witnesses, note=f"{note}: not proved ({obstacle})")
    try:
        measured = [prover.prove(job, one) for one in sized]
    except ZkprepError as error:
        return variant(job, sized, witnesses, note=f"{note}: not proved ({error})")
    return variant(job, sized, witnesses, measured, note)


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
