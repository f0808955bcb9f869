"""One variant of a slicing through the prover: witness the chain, compare it, prove each slice.

Links carry field elements: a slice's witness is fed the felts its producer put out, at the scale
the producer's settings pin, never floats. Every witness is compared with ONNX Runtime before any
key is made.
"""

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

import onnx_ir as ir

from zkprep.backends.base import NOTHING_USED, Witness, read_witness
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.claims.heads import with_heads
from zkprep.errors import Disagreement, Imprecise, RangeExceeded, ZkprepError
from zkprep.execute.crew import execute
from zkprep.models.model import Feeds, input_specs, output_specs, serialize
from zkprep.passes.evaluators import truth
from zkprep.proving.fidelity import (
    Errors,
    compare,
    errors,
    require_chain_faithful,
    require_faithful,
    require_within,
    worst,
)
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized, data_of, input_data, outputs_of
from zkprep.proving.tasks import tasks_of
from zkprep.report.types import Measured
from zkprep.runs.stages import require_record
from zkprep.runs.store import SliceFiles
from zkprep.runs.survey import keep_plan
from zkprep.slicing.slices import Slice


def calibrate(job: Job, model: ir.Model, name: str) -> Sized:
    """A whole model under EZKL's own defaults and calibration, made sound.

    Args:
        job: the run.
        model: the model as given, or normalised.
        name: its file name in the run's model folder.

    Raises:
        BackendError: EZKL does not take the model.
    """
    files = job.run.files("ezkl", "000")
    path = job.run.model_path(name)
    job.run.write(path, serialize(model))
    data = input_data([spec.name for spec in input_specs(model)], job.feeds, {})
    job.run.write(files.samples, data)
    spec = CircuitSpec(input_visibility=job.options.input_visibility.value)
    job.run.stage(
        "settings",
        files.folder,
        [path, files.samples, job.backend.version.encode()],
        [files.settings],
        lambda: job.backend.calibrate(path, files.samples, spec, files.settings),
    )
    piece = Slice("000", tuple(str(node.name) for node in model.graph), model, model)
    settings = read_settings(files.settings.read_bytes())
    return Sized(piece, model, path, files, spec, settings)


def witness(job: Job, sized: Sequence[Sized], tolerance: float, index: int = 0) -> list[Witness]:
    """Witness every slice on its producers' felts and compare it with ONNX Runtime.

    Args:
        job: the run.
        sized: the slices.
        tolerance: largest error, as a share of the output's range.
        index: of the input.

    Raises:
        Disagreement: a slice's circuit computes something else than its model.
        Imprecise: it is off by more than `tolerance` of its output's range.
    """
    felts: dict[str, list[str]] = {}
    witnesses = []
    for one in sized:
        names = [spec.name for spec in input_specs(one.model)]
        files = one.files.of_input(index)
        job.run.write(files.data, data_of(one, job.inputs[index], felts))
        made = _witness_one(job, one, files)
        felts.update(zip(names, made.inputs, strict=True))
        felts.update(zip([s.name for s in output_specs(one.model)], made.outputs, strict=True))
        require_faithful(job.backend, one, made, tolerance)
        witnesses.append(made)
    return witnesses


def errors_of(
    job: Job, sized: Sequence[Sized], witnesses: Sequence[Witness], index: int = 0
) -> Errors:
    """How far the slices, and the chain, are from their models on the input of that number."""
    outputs = with_heads(job.prepared.heads, _outputs(sized, witnesses))
    return Errors(
        tuple(compare(one, made) for one, made in zip(sized, witnesses, strict=True)),
        errors(outputs, truth(job.prepared.original)(job.inputs[index])),
    )


class Unheld(Exception):
    """The circuits do not hold an input, or not within the tolerance; the cause says how."""

    def __init__(self, index: int, cause: ZkprepError) -> None:
        super().__init__(str(cause))
        self.index, self.cause = index, cause


def witness_inputs(job: Job, sized: Sequence[Sized], tolerance: float) -> Errors:
    """Witness the chain on every input, side by side; the largest errors.

    Raises:
        Unheld: the circuits were fitted to other inputs, and this one is outside.
    """
    first = _held(job, sized, tolerance, 0)
    with ThreadPoolExecutor(job.executor.room.cores) as pool:
        others = [
            pool.submit(_held, job, sized, tolerance, index) for index in range(1, len(job.inputs))
        ]
        try:
            return worst([first, *(one.result() for one in others)])
        finally:
            pool.shutdown(cancel_futures=True)


def _held(job: Job, sized: Sequence[Sized], tolerance: float, index: int) -> Errors:
    try:
        found = errors_of(job, sized, witness(job, sized, tolerance, index), index)
        if index:
            require_within(found.chain, tolerance, argmax=job.options.keeps_argmax)
    except (Imprecise, RangeExceeded, Disagreement) as error:
        raise Unheld(index, error) from error
    return found


def require_faithful_chain(
    job: Job, sized: Sequence[Sized], witnesses: Sequence[Witness], *, argmax: bool
) -> None:
    """Compare the chain with the original model on the user's input and on those in `job.given`.

    Args:
        job: the run.
        sized: the slices.
        witnesses: of the user's input.
        argmax: whether the largest element of each output has to be the model's.

    Raises:
        Imprecise: the chain or a slice is too coarse.
        Disagreement: a slice's circuit computes something else than its model.
    """
    run, tolerance = truth(job.prepared.original), job.options.tolerance
    heads = job.prepared.heads
    outputs = with_heads(heads, _outputs(sized, witnesses))
    require_chain_faithful(outputs, run(job.feeds), tolerance, argmax=argmax)
    for feeds in job.given:
        outputs = with_heads(heads, _outputs(sized, _witness_apart(job, sized, feeds)))
        require_chain_faithful(outputs, run(feeds), tolerance, argmax=argmax)


def sample(job: Job, sized: Sequence[Sized], tolerance: float) -> None:
    """Witness every slice on its own samples, apart from the chain, and compare it as above.

    Raises:
        Disagreement: a slice's circuit computes something else.
        Imprecise: it is too coarse.
    """
    for one in sized:
        with tempfile.TemporaryDirectory(prefix="zkprep-sample-") as folder:
            data, made = Path(folder) / "input.json", Path(folder) / "witness.json"
            for feeds in one.samples:
                data.write_bytes(data_of(one, feeds, {}))
                job.backend.witness(one.files.circuit, data, made)
                require_faithful(job.backend, one, read_witness(made), tolerance)


def prove(job: Job, sized: Sequence[Sized], inputs: int = 1) -> list[Measured]:
    """Set up every slice, and prove and verify it on every input, on the job's executor.

    Slices with equal circuits share the keys of the first of them.

    Args:
        job: the run.
        sized: the slices, witnessed on each of the inputs.
        inputs: how many of the job's inputs, the first ones.

    Returns:
        What each slice took; of several inputs the mean.

    Raises:
        BackendError: the prover failed.
        ProofRejected: a proof just made does not verify.
    """
    tasks = [task for one in sized for task in tasks_of(job, one, inputs)]
    planned = ((task.stage, task.need.cpu_seconds) for task in tasks)
    keep_plan(job.run, sized[0].files.folder.parent, planned)
    execute(job.run, job.executor, tasks)
    return [_measured(one, inputs) for one in sized]


def proof_bytes(path: Path) -> int:
    """Size of the raw proof in a proof file of the prover's own making."""
    return len(json.loads(path.read_bytes())["proof"])


def _outputs(sized: Sequence[Sized], witnesses: Sequence[Witness]) -> Feeds:
    """Every tensor that a slice of the chain puts out."""
    pairs = zip(sized, witnesses, strict=True)
    return {name: array for one, made in pairs for name, array in outputs_of(one, made).items()}


def _witness_apart(job: Job, sized: Sequence[Sized], feeds: Feeds) -> list[Witness]:
    """The chain's witnesses of another input, compared slice by slice and not kept."""
    felts: dict[str, list[str]] = {}
    witnesses = []
    with tempfile.TemporaryDirectory(prefix="zkprep-sample-") as folder:
        data, path = Path(folder) / "input.json", Path(folder) / "witness.json"
        for one in sized:
            names = [spec.name for spec in input_specs(one.model)]
            data.write_bytes(data_of(one, feeds, felts))
            job.backend.witness(one.files.circuit, data, path)
            made = read_witness(path)
            felts.update(zip(names, made.inputs, strict=True))
            felts.update(zip([s.name for s in output_specs(one.model)], made.outputs, strict=True))
            require_faithful(job.backend, one, made, job.options.tolerance)
            witnesses.append(made)
    return witnesses


def _witness_one(job: Job, one: Sized, files: SliceFiles) -> Witness:
    job.run.stage(
        "compile",
        files.folder,
        [one.path, files.settings, job.backend.version.encode()],
        [files.circuit],
        lambda: job.backend.compile(one.path, files.settings, files.circuit),
    )
    job.run.stage(
        "witness",
        files.case,
        [files.circuit, files.data],
        [files.witness],
        lambda: job.backend.witness(files.circuit, files.data, files.witness),
    )
    return read_witness(files.witness)


def _measured(one: Sized, inputs: int) -> Measured:
    """What a slice took, by its stages' records; proving and verifying in the mean.

    Setting up a slice that uses a twin's keys took nothing.
    """
    keys = require_record(one.keys.folder, "setup")
    setup = keys.usage if one.twin is None else NOTHING_USED
    cases = [one.files.of_input(index) for index in range(inputs)]
    proved, checked = (
        [require_record(files.case, name).usage for files in cases] for name in ("prove", "verify")
    )
    return Measured(
        setup_seconds=setup.seconds,
        setup_cpu_seconds=setup.cpu_seconds,
        prove_seconds=fmean(usage.seconds for usage in proved),
        prove_cpu_seconds=fmean(usage.cpu_seconds for usage in proved),
        verify_seconds=fmean(usage.seconds for usage in checked),
        verify_cpu_seconds=fmean(usage.cpu_seconds for usage in checked),
        peak_bytes=max(usage.peak_bytes for usage in (setup, *proved)),
        pk_bytes=keys.outputs[one.keys.pk.name].bytes,
        vk_bytes=keys.outputs[one.keys.vk.name].bytes,
        proof_bytes=proof_bytes(one.files.proof),
    )
