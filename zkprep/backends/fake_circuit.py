"""What the fake prover takes a model for: settings of EZKL's shape, and integers in and out.

Costs are plausible, not EZKL's: an output element costs one cell, plus one for each constant that
it meets; a public boundary element costs more when the circuit checks its range. Every tensor has
the spec's input scale, integers and booleans scale 0.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import onnx
import onnx_ir as ir

from zkprep.circuit import VISIBILITIES, CircuitSpec, Settings
from zkprep.claims.felts import decode, dequantise, quantise
from zkprep.errors import BackendError
from zkprep.models.model import Runner, TensorSpec, input_specs, output_specs

VERSION = "1"

_TABLE_OPERATORS = frozenset({"Erf", "Exp", "Sigmoid", "Softmax", "Tanh"})
_CHECKED_CELLS, _UNCHECKED_CELLS = 15, 1
_LEAST_LOGROWS, _UNUSABLE_ROWS = 6, 8


class _Data(msgspec.Struct, frozen=True):
    """EZKL's input file."""

    input_data: list[list[float | str | bool]]


def read_model(stage: str, data: bytes) -> ir.Model:
    """The ONNX model with the shapes of all its tensors.

    Raises:
        BackendError: not a model, or one that EZKL would not take either.
    """
    try:
        model = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.load_from_string(data)))
        for spec in (*input_specs(model), *output_specs(model)):
            spec.static_shape  # noqa: B018 - raises when a dimension is not fixed
    except Exception as error:  # noqa: BLE001 - onnx documents no closed set of errors
        raise BackendError(f"fake {stage}: not a model it can read: {error}", stage=stage) from None
    return model


def circuit_settings(model: ir.Model, spec: CircuitSpec) -> bytes:
    """Settings of `model` under `spec`, as EZKL writes them (`src/graph/mod.rs` GraphSettings)."""
    inputs, outputs = input_specs(model), output_specs(model)
    sides = ((spec.input_visibility, inputs), (spec.output_visibility, outputs))
    cells = _cells(model, spec)
    lookups = sorted({node.op_type for node in model.graph} & _TABLE_OPERATORS)
    document = {
        "run_args": _run_args(spec),
        "num_rows": math.ceil(cells / spec.num_inner_cols),
        "total_assignments": cells,
        "total_const_size": sum(_size(value) for value in model.graph.initializers.values()),
        "total_dynamic_col_size": 0,
        "max_dynamic_input_len": 0,
        "num_dynamic_lookups": 0,
        "num_shuffles": 0,
        "total_shuffle_col_size": 0,
        "einsum_params": {"equations": [], "total_einsum_col_size": 0},
        "model_instance_shapes": _of_side(sides, "public"),
        "model_output_scales": [_scale(tensor, spec) for tensor in outputs],
        "model_input_scales": [_scale(tensor, spec) for tensor in inputs],
        "module_sizes": {
            "polycommit": [math.prod(shape) for shape in _of_side(sides, "polycommit")],
            "poseidon": [0, [0]],
        },
        "required_lookups": [{name: {"scale": 2.0**spec.input_scale}} for name in lookups],
        "required_range_checks": [[-1, 1], [0, spec.decomp_base - 1]],
        "check_mode": "UNSAFE",
        "version": VERSION,
        "num_blinding_factors": None,
        "timestamp": 0,
    }
    return msgspec.json.encode(document)


def logrows_needed(model: ir.Model, spec: CircuitSpec) -> int:
    """Least logrows whose rows hold the cells in one block, and the digit table."""
    rows = max(math.ceil(_cells(model, spec) / spec.num_inner_cols), spec.decomp_base)
    return max(_LEAST_LOGROWS, (rows + _UNUSABLE_ROWS - 1).bit_length())


def read_data(model: ir.Model, settings: Settings, data: bytes) -> list[list[int]]:
    """The input tensors of an input file: strings as they are, numbers at the input's scale.

    Raises:
        BackendError: not input data, or not as many lists and values as the model has.
    """
    tensors = input_specs(model)
    try:
        given = msgspec.json.decode(data, type=_Data).input_data
        lists = [
            [
                decode(item)
                if isinstance(item, str)
                else quantise(np.array([item], dtype=np.float64), scale)[0]
                for item in items
            ]
            for items, scale in zip(given, settings.model_input_scales, strict=True)
        ]
    except (msgspec.MsgspecError, ValueError) as error:
        raise BackendError(f"fake witness: not input data: {error}", stage="witness") from None
    for tensor, values in zip(tensors, lists, strict=True):
        if len(values) != math.prod(tensor.static_shape):
            raise BackendError(
                f"fake witness: '{tensor.name}' has {len(values)} values, "
                f"its shape is {list(tensor.static_shape)}",
                stage="witness",
            )
    return lists


def run(model: ir.Model, settings: Settings, inputs: Sequence[Sequence[int]]) -> list[list[int]]:
    """The circuit's output integers, one list per output, for one list of integers per input."""
    feeds = {
        tensor.name: dequantise(values, scale).reshape(tensor.static_shape).astype(tensor.dtype)
        for tensor, values, scale in zip(
            input_specs(model), inputs, settings.model_input_scales, strict=True
        )
    }
    outputs = Runner(_runnable(model))(feeds)
    return [
        quantise(outputs[tensor.name].astype(np.float64), scale)
        for tensor, scale in zip(output_specs(model), settings.model_output_scales, strict=True)
    ]


def operator_table(model: ir.Model, spec: CircuitSpec) -> str:
    """One line per node; a Conv says its data format as EZKL's table does."""
    lines = [f"scale {spec.input_scale}"]
    for node in model.graph:
        detail = " (data_format=NCHW)" if node.op_type == "Conv" else ""
        lines.append(f"{node.op_type.upper()}{detail}")
    return "\n".join(lines)


def _cells(model: ir.Model, spec: CircuitSpec) -> int:
    per_element = _CHECKED_CELLS if spec.checks_boundary else _UNCHECKED_CELLS
    boundary = (*input_specs(model), *output_specs(model))
    cells = per_element * sum(math.prod(tensor.static_shape) for tensor in boundary)
    for node in model.graph:
        constants = [value for value in node.inputs if value is not None and value.const_value]
        met = sum(_size(value) // max(1, _channels(value)) for value in constants)
        cells += (1 + met) * sum(_size(value) for value in node.outputs)
    return cells


def _size(value: ir.Value) -> int:
    if value.shape is None:
        return 0
    return math.prod(dim for dim in value.shape if isinstance(dim, int))


def _channels(value: ir.Value) -> int:
    first = value.shape[0] if value.shape else 1
    return first if isinstance(first, int) else 1


def _of_side(sides: Sequence[tuple[str, Sequence[TensorSpec]]], visibility: str) -> list[list[int]]:
    """Shapes of the tensors of that visibility, inputs first; a scalar is a vector of one."""
    return [
        list(tensor.static_shape) or [1]
        for asked, tensors in sides
        if asked == visibility
        for tensor in tensors
    ]


def _scale(tensor: TensorSpec, spec: CircuitSpec) -> int:
    return spec.input_scale if np.issubdtype(tensor.dtype, np.floating) else 0


def _run_args(spec: CircuitSpec) -> dict[str, object]:
    return {
        "input_scale": spec.input_scale,
        "param_scale": spec.param_scale,
        "rebase_scale": None,
        "scale_rebase_multiplier": spec.scale_rebase_multiplier,
        "lookup_range": spec.lookup_range,
        "logrows": spec.logrows,
        "num_inner_cols": spec.num_inner_cols,
        "variables": [["batch_size", 1]],
        "input_visibility": VISIBILITIES[spec.input_visibility],
        "output_visibility": VISIBILITIES[spec.output_visibility],
        "param_visibility": "Fixed",
        "rebase_frac_zero_constants": spec.integer_constants,
        "decomp_base": spec.decomp_base,
        "decomp_legs": spec.decomp_legs,
        "ignore_range_check_inputs_outputs": not spec.checks_boundary,
        "disable_freivalds": True,
    }


def _runnable(model: ir.Model) -> ir.Model:
    """With products for shifts of floats, which ONNX Runtime does not take
    (zkprep.tune.descent)."""
    made = model.clone()
    for node in made.graph:
        bits = node.inputs[1].const_value if node.op_type == "BitShift" and node.inputs[1] else None
        if bits is not None and bits.dtype.is_floating_point():
            factor = ir.tensor(np.exp2(bits.numpy()), name=f"{node.name}_factor")
            by = ir.Value(
                name=factor.name,
                shape=ir.Shape([]),
                type=ir.TensorType(bits.dtype),
                const_value=factor,
            )
            made.graph.register_initializer(by)
            node.op_type = "Mul"
            node.attributes.pop("direction")
            node.replace_input_with(1, by)
    return made
