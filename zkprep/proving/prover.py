"""One variant of a slicing through the prover: witness the chain, compare it, prove each slice.

Links carry field elements: a slice's witness is fed the felts its producer put out, at the scale
the producer's settings pin, never floats. Every witness is compared with ONNX Runtime before any
key is made.
"""

import json
import logging
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import onnx_ir as ir

from zkprep.backends.base import NOTHING_USED, Usage, Witness, read_witness
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.heads import with_heads
from zkprep.model import Feeds, input_specs, output_specs, serialize
from zkprep.passes.evaluators import truth
from zkprep.proving.fidelity import require_chain_faithful, require_faithful
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized, input_data, outputs_of
from zkprep.report.types import Measured
from zkprep.slices import Slice
from zkprep.srs import Srs, obtain

_LOG = logging.getLogger(__name__)


@cache
def _warn_once(message: str) -> None:
    _LOG.warning(message)


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


def witness(job: Job, sized: Sequence[Sized], tolerance: float) -> list[Witness]:
    """Witness every slice on its producers' felts and compare it with ONNX Runtime.

    Raises:
        Disagreement: a slice's circuit computes something else than its model.
        Imprecise: it is off by more than `tolerance` of its output's range.
    """
    felts: dict[str, list[str]] = {}
    witnesses = []
    for one in sized:
        names = [spec.name for spec in input_specs(one.model)]
        job.run.write(one.files.data, input_data(names, job.feeds, felts))
        made = _witness_one(job, one)
        felts.update(zip(names, made.inputs, strict=True))
        felts.update(zip([s.name for s in output_specs(one.model)], made.outputs, strict=True))
        require_faithful(job.backend, one, made, tolerance)
        witnesses.append(made)
    return witnesses


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
                data.write_bytes(input_data(list(feeds), feeds, {}))
                job.backend.witness(one.files.circuit, data, made)
                require_faithful(job.backend, one, read_witness(made), tolerance)


def srs_of(job: Job, one: Sized) -> Srs:
    """The SRS that a slice's keys are made with."""
    return obtain(
        one.settings.run_args.logrows,
        job.backend,
        allow_test=job.options.allow_test_srs,
        notify=_warn_once,
    )


def prove(job: Job, one: Sized) -> Measured:
    """Set up, prove and verify one slice; one with a twin uses the twin's keys.

    Raises:
        BackendError: the prover failed.
        ProofRejected: the proof just made does not verify.
    """
    files, keys, backend = one.files, one.keys, job.backend
    srs = srs_of(job, one)
    tag = srs.digest.encode()
    setup = NOTHING_USED
    if one.twin is None:
        setup = job.run.stage(
            "setup",
            files.folder,
            [files.settings, one.path, tag],
            [files.vk, files.pk],
            lambda: backend.setup(files.circuit, srs.path, files.vk, files.pk),
        )
    proved = job.run.stage(
        "prove",
        files.folder,
        [files.witness, keys.vk, files.settings, tag],
        [files.proof],
        lambda: backend.prove(
            files.witness, files.circuit, keys.pk, srs.path, files.settings, files.proof
        ),
    )
    checked = job.run.stage(
        "verify",
        files.folder,
        [files.proof, files.settings, keys.vk, tag],
        [],
        lambda: backend.verify(files.proof, files.settings, keys.vk, srs.path),
    )
    return _measured(one, setup, proved, checked)


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
            data.write_bytes(input_data(names, feeds, felts))
            job.backend.witness(one.files.circuit, data, path)
            made = read_witness(path)
            felts.update(zip(names, made.inputs, strict=True))
            felts.update(zip([s.name for s in output_specs(one.model)], made.outputs, strict=True))
            require_faithful(job.backend, one, made, job.options.tolerance)
            witnesses.append(made)
    return witnesses


def _witness_one(job: Job, one: Sized) -> Witness:
    files = one.files
    job.run.stage(
        "compile",
        files.folder,
        [one.path, files.settings, job.backend.version.encode()],
        [files.circuit],
        lambda: job.backend.compile(one.path, files.settings, files.circuit),
    )
    job.run.stage(
        "witness",
        files.folder,
        [files.circuit, files.data],
        [files.witness],
        lambda: job.backend.witness(files.circuit, files.data, files.witness),
    )
    return read_witness(files.witness)


def _measured(one: Sized, setup: Usage, proved: Usage, checked: Usage) -> Measured:
    return Measured(
        setup_seconds=setup.seconds,
        setup_cpu_seconds=setup.cpu_seconds,
        prove_seconds=proved.seconds,
        prove_cpu_seconds=proved.cpu_seconds,
        verify_seconds=checked.seconds,
        verify_cpu_seconds=checked.cpu_seconds,
        peak_bytes=max(setup.peak_bytes, proved.peak_bytes),
        pk_bytes=one.keys.pk.stat().st_size,
        vk_bytes=one.keys.vk.stat().st_size,
        proof_bytes=proof_bytes(one.files.proof),
    )
