"""ONNX models: load, save, digest; run on ONNX Runtime with optimisation disabled.

ONNX Runtime's graph optimiser fuses Conv + BatchNormalization itself, and gets some patterns wrong;
as an oracle it is used with every optimisation off, on one thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from zkprep.errors import InputError
from zkprep.files import first_line, write_atomically
from zkprep.models import onnx_file
from zkprep.models.choices import rows_chosen_among
from zkprep.models.limits import refuse_impossible
from zkprep.models.onnx_file import EMBED_UP_TO, OnnxFile
from zkprep.models.outline import is_lazy, weight_bytes

Feeds = dict[str, NDArray[Any]]

# What onnx's checker says of files that are none.
_NO_MODEL = ("parse proto", "ir_version set properly")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, dtype and shape of a graph input or output; unknown dimensions are None or a name."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str | None, ...]

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape, when every dimension is known.

        Raises:
            InputError: a dimension is symbolic.
        """
        if not all(isinstance(dim, int) for dim in self.shape):
            raise InputError(
                f"tensor '{self.name}' has shape {list(self.shape)}, which is not fixed",
                hint="give each named dimension a value: --dim NAME=VALUE",
            )
        return tuple(int(dim) for dim in self.shape if dim is not None)


def load(path: Path) -> ir.Model:
    """The ONNX model at `path`, with its weights, those of external files too, in memory.

    Raises:
        InputError: missing, not ONNX, invalid, impossible, too large, or its weights are not
            beside it.
    """
    model = load_lazily(path).model
    size = weight_bytes(model)
    if size > EMBED_UP_TO:
        raise InputError(
            f"model '{path}' has {size / 1e9:.1f} GB of weights; up to 2 GB can be proved",
            hint="zkprep fuse takes larger ones",
        )
    for graph in model.graphs():
        for value in graph.initializers.values():
            if value.const_value is not None and is_lazy(value.const_value):
                value.const_value = _in_memory(value.const_value)
    return model


def load_lazily(path: Path) -> OnnxFile:
    """The ONNX model at `path`; its large weights stay on disk and are read when asked for.

    Raises:
        InputError: missing, not ONNX, invalid, impossible, or its weights are not beside it.
    """
    if not path.is_file():
        raise InputError(f"model '{path}' is not a file", hint="give the path of an .onnx file")
    try:
        found = onnx_file.read(path)
    except InputError as error:
        raise InputError(f"model '{path}': {error}", hint=error.hint) from None
    except Exception as error:  # noqa: BLE001 - onnx and onnx-ir document no closed set of errors
        reason = first_line(error)
        if isinstance(error, DecodeError) or any(words in reason for words in _NO_MODEL):
            reason = "it is no protobuf: not an ONNX file, cut short or damaged"
        raise InputError(f"model '{path}' is not a valid model: {reason}") from None
    graph = found.model.graph
    for what, there in (("nodes", list(graph)), ("outputs", graph.outputs)):
        if not there:
            raise InputError(f"model '{path}' has no {what}: there is nothing to prove")
    refuse_impossible(found.model)
    return found


def _in_memory(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    values = tensor.numpy().copy()
    values.flags.writeable = False
    return ir.Tensor(
        values,
        dtype=tensor.dtype,
        name=tensor.name,
        doc_string=tensor.doc_string,
        metadata_props=dict(tensor.metadata_props),
    )


def serialize(model: ir.Model) -> bytes:
    """The model as ONNX bytes; the same model gives the same bytes."""
    return bytes(ir.to_proto(model).SerializeToString(deterministic=True))


def save(model: ir.Model, path: Path) -> None:
    """Write the model to `path` atomically: the file is whole or not there."""
    write_atomically(path, serialize(model))


def input_specs(model: ir.Model) -> tuple[TensorSpec, ...]:
    """The graph inputs that a caller has to feed: those without an initializer, in graph order."""
    return tuple(_spec(v) for v in model.graph.inputs if v.name not in model.graph.initializers)


def output_specs(model: ir.Model) -> tuple[TensorSpec, ...]:
    """The graph outputs, in graph order."""
    return tuple(_spec(value) for value in model.graph.outputs)


def tensors(model: ir.Model) -> list[ir.Value]:
    """The inputs, then what the nodes put out, in order."""
    made = (value for node in model.graph for value in node.outputs)
    return [*model.graph.inputs, *made]


class Runner:
    """A model loaded once into ONNX Runtime, optimisation disabled, to be run many times."""

    def __init__(self, model: ir.Model | Path | bytes) -> None:
        """Load `model`, or the ONNX file of that name or content.

        Raises:
            InputError: ONNX Runtime cannot load it.
        """
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        source: bytes | str | Path
        try:
            source = serialize(model) if isinstance(model, ir.Model) else model
            source = source if isinstance(source, bytes) else str(source)
            self._session = ort.InferenceSession(
                source, options, ["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # noqa: BLE001 - ONNX Runtime makes its classes at run time
            raise InputError(f"ONNX Runtime cannot load the model: {first_line(error)}") from None

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> Feeds:
        """Outputs by name.

        Raises:
            InputError: ONNX Runtime cannot run the model on these feeds.
        """
        names = [output.name for output in self._session.get_outputs()]
        try:
            given = {name: np.asarray(array) for name, array in feeds.items()}
            return dict(zip(names, self._session.run(names, given), strict=True))
        except Exception as error:  # noqa: BLE001 - as above
            raise InputError(f"ONNX Runtime cannot run the model: {first_line(error)}") from None


def run(model: ir.Model | Path, feeds: Mapping[str, NDArray[Any]]) -> Feeds:
    """Outputs of `model` on `feeds`, by name; see `Runner`."""
    return Runner(model)(feeds)


def seeded_inputs(model: ir.Model, seed: int, *, default_dim: int = 2) -> Feeds:
    """Random inputs for `model`: normal floats of both signs, small integers >= 0, booleans.

    Integers that pick rows of a table pick such as are there.
    Symbolic dimensions of one name get one size, `default_dim`.
    """
    generator = np.random.default_rng(seed)
    inputs = {str(value.name): value for value in model.graph.inputs}
    feeds: Feeds = {}
    for spec in input_specs(model):
        shape = tuple(dim if isinstance(dim, int) else default_dim for dim in spec.shape)
        if spec.dtype == np.bool_:
            feeds[spec.name] = generator.integers(0, 2, shape).astype(np.bool_)
        elif np.issubdtype(spec.dtype, np.integer):
            rows = rows_chosen_among(inputs[spec.name])
            high = 3 if rows is None else min(3, max(1, rows))
            feeds[spec.name] = generator.integers(0, high, shape).astype(spec.dtype)
        else:
            feeds[spec.name] = generator.standard_normal(shape).astype(spec.dtype)
    return feeds


def _spec(value: ir.Value) -> TensorSpec:
    if value.name is None or value.dtype is None or value.shape is None:
        raise InputError(f"tensor '{value.name}' of the model's interface has no type or shape")
    shape = tuple(dim if isinstance(dim, int) else dim.value for dim in value.shape)
    return TensorSpec(value.name, value.dtype.numpy(), shape)
