"""EZKL's own opinion of a prepared model: does it take it, and does its circuit agree with it?

The model is given whole, in generous digits, and nothing is set up: what is asked is whether EZKL
computes the right function, not what a proof costs. Where the circuit would take EZKL too long to
lay out, the answer is left to the slices, each of which passes the same comparison before any key.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx_ir as ir
from msgspec.structs import replace

from zkprep.backends.base import Backend, read_witness
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.claims.claim import Head
from zkprep.claims.felts import decode, dequantise
from zkprep.claims.heads import with_heads
from zkprep.cost.cells import assignments
from zkprep.errors import BackendError, OutOfMemory, RangeExceeded, TimedOut, TooLarge
from zkprep.models.model import Feeds, input_specs, output_specs, save, seeded_inputs
from zkprep.passes.evaluators import truth
from zkprep.proving.fidelity import errors
from zkprep.proving.sized import input_data
from zkprep.support.layout import misread

SEED = 0
TOLERANCE = 0.01
"""Largest error, as a share of the output's range, that quantisation is allowed."""
LARGEST_CIRCUIT = 20_000_000
"""Cells; a larger circuit is not laid out for a check."""
LARGEST_WITNESS = 3_000_000
"""Cells; a larger circuit is not witnessed for a check."""
_BITS = (10, 14)
_LOWERED = 4.0
_SPEC = CircuitSpec(
    decomp_legs=4, lookup_range=(-(2**17), 2**17), checks_boundary=False, integer_constants=True
)


class Opinion(msgspec.Struct, frozen=True):
    """What EZKL makes of a prepared model.

    Attributes:
        agrees: whether nothing speaks against a proof.
        answer: in words: accepted, rejected, misread, or why it was not asked.
        cells: size of the whole model's circuit; None when it was not laid out.
        error: largest error of its outputs, as a share of their range; None when not witnessed.
    """

    agrees: bool
    answer: str
    cells: int | None = None
    error: float | None = None


def ask(model: ir.Model, given: ir.Model, backend: Backend, heads: Sequence[Head] = ()) -> Opinion:
    """EZKL's opinion of the prepared `model` of the model as `given`, less its `heads`.

    Raises:
        InputError: nothing here can run the model.
    """
    with tempfile.TemporaryDirectory(prefix="zkprep-check-") as name:
        trial = _Trial(model, given, backend, Path(name), tuple(heads))
        save(model, trial.onnx)
        try:
            return _ask(trial)
        except (OutOfMemory, RangeExceeded, TimedOut, TooLarge) as error:
            return Opinion(agrees=True, answer=f"accepted as far as it was asked: {error}")
        except BackendError as error:
            return Opinion(agrees=False, answer=f"rejected: {error}")


@dataclass(frozen=True, slots=True)
class _Trial:
    """The prepared model in a folder of its own, to be laid out and witnessed."""

    model: ir.Model
    given: ir.Model
    backend: Backend
    folder: Path
    heads: tuple[Head, ...] = ()

    @property
    def onnx(self) -> Path:
        return self.folder / "model.onnx"

    def settings(self, spec: CircuitSpec) -> Settings:
        """EZKL's settings of the whole model under `spec`."""
        self.backend.gen_settings(self.onnx, spec, self.folder / "settings.json")
        return read_settings((self.folder / "settings.json").read_bytes())

    def outputs(self, settings: Settings, feeds: Feeds) -> Feeds:
        """The outputs of the circuit of the settings written last, and the heads, by name."""
        data, circuit, made = (self.folder / n for n in ("input.json", "circuit", "witness.json"))
        names = [spec.name for spec in input_specs(self.model)]
        data.write_bytes(input_data(names, feeds, {}))
        self.backend.compile(self.onnx, self.folder / "settings.json", circuit)
        self.backend.witness(circuit, data, made)
        specs, scales = output_specs(self.model), settings.model_output_scales
        proved = {
            spec.name: dequantise(map(decode, felts), scale).reshape(spec.static_shape)
            for spec, felts, scale in zip(specs, read_witness(made).outputs, scales, strict=True)
        }
        return with_heads(self.heads, proved)


def _ask(trial: _Trial) -> Opinion:
    spec = _spec(_BITS[0])
    lost = misread(trial.backend.table(trial.onnx, spec))
    if lost:
        kinds = ", ".join(sorted(set(lost)))
        return Opinion(agrees=False, answer=f"misread: {len(lost)} nodes without batch ({kinds})")
    if assignments(trial.model, spec) > LARGEST_CIRCUIT:
        return Opinion(agrees=True, answer="accepted; too large to lay out for a check")
    settings = trial.settings(spec)
    cells = settings.total_assignments
    if cells > LARGEST_WITNESS:
        return Opinion(
            agrees=True, answer="accepted; too large to witness for a check", cells=cells
        )
    feeds = _feeds(trial.model)
    expected = truth(trial.given)(feeds)
    if not all(np.all(np.isfinite(array)) for array in expected.values()):
        return Opinion(agrees=True, answer="accepted; random input leads to no number", cells=cells)
    error = errors(trial.outputs(settings, feeds), expected).relative_error
    if error <= TOLERANCE:
        return Opinion(agrees=True, answer="accepted", cells=cells, error=error)
    finer = errors(trial.outputs(trial.settings(_spec(_BITS[1])), feeds), expected).relative_error
    if finer * _LOWERED <= error:
        return Opinion(agrees=True, answer="accepted, coarsely", cells=cells, error=error)
    return Opinion(agrees=False, answer="miscomputed", cells=cells, error=error)


def _spec(bits: int) -> CircuitSpec:
    return replace(_SPEC, input_scale=bits, param_scale=bits)


def _feeds(model: ir.Model) -> Feeds:
    """Seeded inputs that are exact in every trial, so that the inputs add no error."""
    step = 2.0 ** -_BITS[0]
    return {
        name: (np.round(array / step) * step).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for name, array in seeded_inputs(model, SEED).items()
    }
