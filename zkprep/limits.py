"""What no model can have: refused when it is loaded, before anything computes with it.

ONNX's checker lets through types that are none, negative and boundless dimensions, names that are
no text, and windows of size 0. What comes after would divide by zero, or ask for more memory than
there is. A tensor of more than LARGEST elements has no circuit either: each element takes cells.
Source: found by mutating models, tests/test_fuzz_models.py.
"""

import math
from collections.abc import Iterable

import onnx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.files import first_line

LARGEST = 2**28
"""Most elements of a tensor."""

_POSITIVE = ("dilations", "group", "kernel_shape", "strides")
# Weights longer than this say nothing about shapes.
_LONGEST_SHAPE = 4096


def refuse_impossible(model: ir.Model) -> None:
    """Let a model pass only if its types, sizes and windows can exist.

    Raises:
        InputError: they cannot; says which.
    """
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.type is not None and value.dtype in (None, ir.DataType.UNDEFINED):
            raise InputError(f"tensor '{value.name}' of the model's interface has no element type")
        _refuse_shape(value)
    for node in model.graph.all_nodes():
        for name in _POSITIVE:
            _refuse_window(node, name)
    _refuse_inferred(_written(model))


def _refuse_shape(value: ir.Value) -> None:
    for axis, dim in enumerate(value.shape or ()):
        if isinstance(dim, int):
            continue
        try:
            dim.free_symbols()
        except ValueError as error:
            raise InputError(
                f"tensor '{value.name}' has a dimension that cannot be read: axis {axis}, "
                f"'{dim.value}': {error}"
            ) from None
    _refuse_sizes(value.name, [dim for dim in value.shape or () if isinstance(dim, int)])


def _refuse_sizes(name: str | None, sizes: Iterable[int]) -> None:
    known = list(sizes)
    if any(size < 0 for size in known):
        raise InputError(f"tensor '{name}' has a negative dimension: {known}")
    if math.prod(known) > LARGEST:
        raise InputError(
            f"tensor '{name}' has {math.prod(known):,} elements; {LARGEST:,} is the most"
        )


def _refuse_window(node: ir.Node, name: str) -> None:
    attribute = node.attributes.get(name)
    if attribute is None or attribute.type not in (ir.AttributeType.INT, ir.AttributeType.INTS):
        return
    given = attribute.value if isinstance(attribute.value, int) else min(attribute.value, default=1)
    if given < 1:
        raise InputError(
            f"node '{node.name}' ({node.op_type}) has {name} {given}; it is at least 1"
        )


def _written(model: ir.Model) -> onnx.ModelProto:
    try:
        return ir.to_proto(model)
    except Exception as error:  # noqa: BLE001 - onnx-ir documents no closed set of errors
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise InputError(f"the model cannot be read through: {first_line(cause)}") from None


def _refuse_inferred(proto: onnx.ModelProto) -> None:
    """Refuse tensors between the operators that are too large, as far as their sizes are known."""
    for weight in proto.graph.initializer:
        if len(weight.raw_data) > _LONGEST_SHAPE:
            weight.ClearField("raw_data")
    try:
        found = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except Exception:  # noqa: BLE001 - normalisation infers strictly, and says what is wrong
        return
    for value in (*found.graph.value_info, *found.graph.output):
        dims = value.type.tensor_type.shape.dim
        _refuse_sizes(value.name, [dim.dim_value for dim in dims if dim.HasField("dim_value")])
