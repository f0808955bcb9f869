"""A slice with the settings it will be proved under; what enters its circuit and what leaves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.backends.base import Witness
from zkprep.circuit import CircuitSpec, Settings
from zkprep.claims.felts import decode, dequantise
from zkprep.files import file_digest
from zkprep.models.model import Feeds, TensorSpec, input_specs, output_specs
from zkprep.models.twins import firsts, structure
from zkprep.runs.store import SliceFiles
from zkprep.slicing.slices import Slice
from zkprep.tune import Saving
from zkprep.tune.descent import taken


@dataclass(frozen=True, slots=True)
class Sized:
    """A slice of a variant with its settings.

    Attributes:
        piece: the slice.
        model: the slice's model of the variant.
        path: where that model lies as its circuit has it (zkprep.tune.descent).
        files: the slice's files in the run.
        spec: what the settings were asked to be.
        settings: what EZKL made of it.
        samples: inputs on which the circuit is compared with the model, besides the user's.
        savings: what the choices behind `spec` saved.
        twin: the files of an earlier slice whose circuit is equal; its keys serve both.
    """

    piece: Slice
    model: ir.Model
    path: Path
    files: SliceFiles
    spec: CircuitSpec
    settings: Settings
    samples: tuple[Feeds, ...] = ()
    savings: tuple[Saving, ...] = ()
    twin: SliceFiles | None = None

    @property
    def keys(self) -> SliceFiles:
        """The files among which the keys are."""
        return self.twin or self.files

    @property
    def input_scales(self) -> tuple[int, ...]:
        """The inputs' own scales, in order."""
        return self.spec.own_scales(self.settings.model_input_scales)

    @property
    def output_scales(self) -> tuple[int, ...]:
        """The outputs' own scales, in order."""
        return self.spec.made_scales(self.settings.model_output_scales)

    @property
    def shown(self) -> str:
        """As messages name it."""
        return f"slice {self.piece.name} ({self.files.folder.parent.name})"


def with_twins(sized: Sequence[Sized]) -> list[Sized]:
    """The slices of a variant, each with the first one before it whose circuit is equal."""
    kinds = [
        (structure(one.model), _steps(one.spec), file_digest(one.files.settings)) for one in sized
    ]
    return [
        one if first == place else replace(one, twin=sized[first].files)
        for place, (one, first) in enumerate(zip(sized, firsts(kinds), strict=True))
    ]


def _steps(spec: CircuitSpec) -> tuple[object, ...]:
    """What of its circuit EZKL's settings do not tell."""
    return spec.descents, spec.exits, spec.landings, spec.limit if spec.landings else 0


def input_data(names: Sequence[str], feeds: Feeds, felts: Mapping[str, list[str]]) -> bytes:
    """EZKL's input file: felts where the tensor has been in a circuit, numbers elsewhere."""
    tensors = [felts[name] if name in felts else feeds[name].ravel().tolist() for name in names]
    return msgspec.json.encode({"input_data": tensors})


def data_of(one: Sized, feeds: Feeds, felts: Mapping[str, list[str]]) -> bytes:
    """`input_data` of a slice's circuit, which takes an input that descends for a larger one."""
    names = [spec.name for spec in input_specs(one.model)]
    return input_data(names, taken(one.spec, names, feeds), felts)


def inputs_of(one: Sized, made: Witness) -> Feeds:
    """What the circuit was given, as floats, by name."""
    specs = input_specs(one.model)
    return {
        spec.name: _floats(felts, scale, spec).astype(spec.dtype)
        for spec, felts, scale in zip(specs, made.inputs, one.input_scales, strict=True)
    }


def outputs_of(one: Sized, made: Witness) -> Feeds:
    """What the circuit put out, as float64, by name."""
    specs = output_specs(one.model)
    return {
        spec.name: _floats(felts, scale, spec)
        for spec, felts, scale in zip(specs, made.outputs, one.output_scales, strict=True)
    }


def _floats(felts: Sequence[str], scale: int, spec: TensorSpec) -> NDArray[np.float64]:
    return dequantise((decode(felt) for felt in felts), scale).reshape(spec.static_shape)
