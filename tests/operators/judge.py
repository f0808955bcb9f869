"""What zkprep and EZKL make of one case: proved rightly, refused with a reason, or a finding.

The model is prepared as any user's model is, and the witness of its circuit is compared with ONNX
Runtime on the model as it was given, on inputs that reach ties, zeros and both signs.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from models import Array, Case
from msgspec.structs import replace
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from zkprep.backends.base import Terms, read_witness
from zkprep.backends.ezkl import EzklBackend
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.claims.felts import decode, dequantise
from zkprep.errors import BackendError, InputError, PassError, UnsupportedModel
from zkprep.models.model import Runner, input_specs, output_specs, save
from zkprep.passes.base import run_passes
from zkprep.passes.circuit.batch_axis import KeepBatchAxis
from zkprep.passes.evaluators import is_floating
from zkprep.prepare import prepare

BITS, FINER_BITS = 12, 16
STEPS = 8
"""Largest error, in steps of quantisation of the largest value, which counts as at least 1."""
LOWERED = 4.0
"""An error that FINER_BITS divide by this at least is quantisation, whatever its size."""
# As zkprep.tune has it for prepared slices, with digits and tables wide enough for every case.
SPEC = CircuitSpec(
    input_scale=BITS,
    param_scale=BITS,
    decomp_legs=3,
    lookup_range=(-(2**17), 2**17),
    checks_boundary=False,
    integer_constants=True,
)
FINER = replace(
    SPEC,
    input_scale=FINER_BITS,
    param_scale=FINER_BITS,
    decomp_legs=4,
    lookup_range=(-(2**21), 2**21),
)
ROUNDINGS = 4
"""Units in the last place that a model of half precision may be off by."""
SUPPORTED, REFUSED, WRONG, FAILED = "supported", "refused", "wrong", "failed"
BACKEND = EzklBackend(seconds=60, terms=Terms(threads=1))


@dataclass(frozen=True)
class Outcome:
    """How a case ended; `reason` is zkprep's own for a refusal, what was seen for a finding."""

    verdict: str
    reason: str = ""


def judge(case: Case, folder: Path) -> Outcome:
    """Prepare the case, witness it and compare; files go to `folder`."""
    given, ready = folder / "model.onnx", folder / "prepared.onnx"
    onnx.save(case.build(), given)
    try:
        model = run_passes(prepare(given, {}, keep_head=True).model, (KeepBatchAxis(),)).model
    except (InputError, UnsupportedModel) as error:
        return Outcome(REFUSED, reason_of(error, given))
    except PassError as error:
        return Outcome(FAILED, str(error))
    save(model, ready)
    feeds = case.feeds()
    expected = truth(given, feeds)
    inputs = [feeds[spec.name] for spec in input_specs(model)]
    wanted = [expected[spec.name] for spec in output_specs(model)]
    try:
        error = errors(wanted, witness(ready, inputs, SPEC, folder))
        if error <= STEPS + coarseness(wanted):
            return Outcome(SUPPORTED)
        finer = errors(wanted, witness(ready, inputs, FINER, folder))
    except BackendError as failure:
        return Outcome(FAILED, str(failure))
    quantised = finer * LOWERED <= error
    return Outcome(SUPPORTED) if quantised else Outcome(WRONG, f"off by {error:.0f} steps")


def reason_of(error: InputError | UnsupportedModel, given: Path) -> str:
    """The message on one line, without what is the same for every refusal."""
    lines = str(error).replace(f"'{given}'", "'model.onnx'").splitlines()
    reasons = [re.sub(r"^\S+ '[^']*': ", "", line.strip()) for line in lines[1:] or lines]
    return "; ".join(dict.fromkeys(reasons))


def truth(path: Path, feeds: dict[str, Array]) -> dict[str, Array]:
    """The outputs of the model as given; ONNX's own evaluator where ONNX Runtime has no kernel."""
    try:
        return Runner(path)(feeds)
    except InputError:
        evaluator = ReferenceEvaluator(str(path))
        return dict(zip(evaluator.output_names, evaluator.run(None, feeds), strict=True))


def witness(
    model: Path, inputs: list[Array], spec: CircuitSpec, folder: Path
) -> list[NDArray[np.float64]]:
    """The outputs of the circuit of `model` on `inputs`, in graph order, flat."""
    settings, compiled, data, made = (
        folder / name for name in ("settings.json", "circuit", "input.json", "witness.json")
    )
    data.write_text(json.dumps({"input_data": [array.ravel().tolist() for array in inputs]}))
    BACKEND.gen_settings(model, spec, settings)
    BACKEND.compile(model, settings, compiled)
    BACKEND.witness(compiled, data, made)
    scales = read_settings(settings.read_bytes()).model_output_scales
    outputs = read_witness(made).outputs
    return [
        dequantise([decode(felt) for felt in felts], scale)
        for felts, scale in zip(outputs, scales, strict=True)
    ]


def coarseness(expected: list[Array]) -> float:
    """Steps of BITS that the model's own number format may be off by; 0 for float32."""
    kinds = {array.dtype for array in expected} - {np.dtype(np.float32), np.dtype(np.float64)}
    floats = [kind for kind in kinds if is_floating(kind)]
    return max((ROUNDINGS * float(ml_dtypes.finfo(one).eps) * 2**BITS for one in floats), default=0)


def errors(expected: list[Array], found: list[NDArray[np.float64]]) -> float:
    """The largest error of any output, in steps of BITS; infinite where the sizes differ."""
    worst = 0.0
    for array, values in zip(expected, found, strict=True):
        wanted = np.asarray(array, dtype=np.float64).ravel()
        if wanted.size != values.size:
            return np.inf
        error = np.max(np.abs(values - wanted), initial=0.0)
        worst = max(worst, float(error / max(1.0, np.max(np.abs(wanted), initial=0.0))))
    return worst * 2**BITS
