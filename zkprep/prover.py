"""One variant of a slicing through the prover: witness the chain, compare it, prove each slice.

Links carry field elements: a slice's witness is fed the felts its producer put out, at the scale
the producer's settings pin, never floats. Every witness is compared with ONNX Runtime before any
key is made.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.backends.base import Usage, Witness, read_witness
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.errors import Disagreement
from zkprep.felts import decode, dequantise
from zkprep.job import Job
from zkprep.model import (
    Feeds,
    Runner,
    input_specs,
    output_specs,
    serialize,
)
from zkprep.report.types import Fidelity, Measured
from zkprep.slices import Slice
from zkprep.srs import Srs, obtain
from zkprep.store import SliceFiles

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sized:
    """A slice of a variant with the settings it will be proved under."""

    piece: Slice
    model: ir.Model
    path: Path
    files: SliceFiles
    spec: CircuitSpec
    settings: Settings


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
    spec = CircuitSpec()
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
        Disagreement: a slice's circuit is off by more than `tolerance` of its output's range.
    """
    felts: dict[str, list[str]] = {}
    witnesses = []
    for one in sized:
        names = [spec.name for spec in input_specs(one.model)]
        job.run.write(one.files.data, input_data(names, job.feeds, felts))
        made = _witness_one(job, one)
        felts.update(zip(names, made.inputs, strict=True))
        felts.update(zip([s.name for s in output_specs(one.model)], made.outputs, strict=True))
        error = compare(one, made)
        if error.relative_error > tolerance:
            raise _disagreement(one, error, tolerance)
        witnesses.append(made)
    return witnesses


def compare(one: Sized, made: Witness) -> Fidelity:
    """A slice's witness against ONNX Runtime on the values the circuit itself was given."""
    scales = one.settings.model_input_scales
    inputs = {
        spec.name: _floats(felts, scale).reshape(spec.static_shape).astype(spec.dtype)
        for spec, felts, scale in zip(input_specs(one.model), made.inputs, scales, strict=True)
    }
    return fidelity(outputs_of(one, made), Runner(one.model)(inputs))


def outputs_of(one: Sized, made: Witness) -> Feeds:
    """The witness's outputs as floats, by name, in the model's shapes."""
    scales = one.settings.model_output_scales
    return {
        spec.name: _floats(felts, scale).reshape(spec.static_shape)
        for spec, felts, scale in zip(output_specs(one.model), made.outputs, scales, strict=True)
    }


def fidelity(outputs: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]) -> Fidelity:
    """How far `outputs` are from `expected`; the range of a constant output counts as 1."""
    worst, share, agrees = 0.0, 0.0, True
    for name, reference in expected.items():
        wanted = np.asarray(reference, dtype=np.float64)
        error = float(np.max(np.abs(outputs[name] - wanted), initial=0.0))
        span = float(np.ptp(wanted)) if wanted.size > 1 else float(np.max(np.abs(wanted)))
        worst = max(worst, error)
        share = max(share, error / (span or 1.0))
        agrees = agrees and bool(np.argmax(outputs[name]) == np.argmax(wanted))
    return Fidelity(max_error=worst, relative_error=share, argmax_agrees=agrees)


def srs_of(job: Job, one: Sized) -> Srs:
    """The SRS that a slice's keys are made with."""
    return obtain(one.settings.run_args.logrows, job.backend, allow_test=job.options.allow_test_srs)


def prove(job: Job, one: Sized) -> Measured:
    """Set up, prove and verify one slice.

    Raises:
        BackendError: the prover failed.
        ProofRejected: the proof just made does not verify.
    """
    files, backend = one.files, job.backend
    srs = srs_of(job, one)
    tag = srs.digest.encode()
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
        [files.witness, files.vk, files.settings, tag],
        [files.proof],
        lambda: backend.prove(
            files.witness, files.circuit, files.pk, srs.path, files.settings, files.proof
        ),
    )
    checked = job.run.stage(
        "verify",
        files.folder,
        [files.proof, files.settings, files.vk, tag],
        [],
        lambda: backend.verify(files.proof, files.settings, files.vk, srs.path),
    )
    return _measured(files, setup, proved, checked)


def proof_bytes(path: Path) -> int:
    """Size of the raw proof in a proof file of the prover's own making."""
    return len(json.loads(path.read_bytes())["proof"])


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


def input_data(names: Sequence[str], feeds: Feeds, felts: Mapping[str, list[str]]) -> bytes:
    """EZKL's input file: felts where the tensor has been in a circuit, numbers elsewhere."""
    tensors = [felts[name] if name in felts else feeds[name].ravel().tolist() for name in names]
    return msgspec.json.encode({"input_data": tensors})


def _floats(felts: Sequence[str], scale: int) -> NDArray[np.float64]:
    return dequantise((decode(felt) for felt in felts), scale)


def _disagreement(one: Sized, error: Fidelity, tolerance: float) -> Disagreement:
    return Disagreement(
        f"slice {one.piece.name} ({one.files.folder.parent.name}) computes something else than its "
        f"model: error {error.max_error:.3g}, {error.relative_error:.2%} of its output's range; "
        f"the tolerance is {tolerance:.2%}",
        hint="raise --scale for more precision, or --tolerance",
    )


def _measured(files: SliceFiles, setup: Usage, proved: Usage, checked: Usage) -> Measured:
    return Measured(
        setup_seconds=setup.seconds,
        setup_cpu_seconds=setup.cpu_seconds,
        prove_seconds=proved.seconds,
        prove_cpu_seconds=proved.cpu_seconds,
        verify_seconds=checked.seconds,
        verify_cpu_seconds=checked.cpu_seconds,
        peak_bytes=max(setup.peak_bytes, proved.peak_bytes),
        pk_bytes=files.pk.stat().st_size,
        vk_bytes=files.vk.stat().st_size,
        proof_bytes=proof_bytes(files.proof),
    )
