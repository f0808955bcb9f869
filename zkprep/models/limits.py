"""What no model can have: refused when it is loaded, before anything computes with it.

ONNX's checker lets through types that are none, negative and boundless dimensions, names that are
no text, and windows of size 0. What comes after would divide by zero, or ask for more memory than
there is. A tensor of more than LARGEST elements has no circuit either: each element takes cells.
Source: found by mutating models, tests/test_fuzz_models.py.
"""

import math
from collections.abc import Iterable

import numpy as np
import onnx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.models.outline import outline

LARGEST = 2**26
"""Most elements of a tensor."""

_NO_TENSORS = frozenset(
    ("Optional", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert")
) | {"SequenceMap", "SplitToSequence"}
SIZED_BY_INPUTS = frozenset(
    ("CenterCropPad", "Col2Im", "ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Reshape")
) | {"Resize", "Split", "Tile", "TopK", "Upsample"}
"""Operators whose outputs are as large as the values of their inputs say."""
_POSITIVE = ("dilations", "group", "kernel_shape", "strides")
# Constants longer than this say nothing about shapes.
_LONGEST_SHAPE = 4096


def refuse_impossible(model: ir.Model) -> None:
    """Let a model pass only if its types, sizes and windows can exist.

    Raises:
        InputError: they cannot; says which.
    """
    _refuse_opset(model)
    proto = _written(model)
    for value in (*model.graph.inputs, *model.graph.outputs):
        _refuse_type(value)
        _refuse_shape(value)
    for node in model.graph.all_nodes():
        for name in _POSITIVE:
            _refuse_window(node, name)
        if node.op_type in SIZED_BY_INPUTS:
            _refuse_factors(node)
        refuse_long_range(node)
    _refuse_inferred(proto)


def _refuse_opset(model: ir.Model) -> None:
    known = onnx.defs.onnx_opset_version()
    for domain in ("", "ai.onnx"):
        version = model.opset_imports.get(domain, 0)
        if version > known:
            raise InputError(
                f"the model is written in operator set {version}, and {known} is the latest known",
                hint="export it in an earlier operator set",
            )


def _refuse_type(value: ir.Value) -> None:
    node = value.producer()
    listed = node is not None and node.op_type in _NO_TENSORS
    if listed or not isinstance(value.type, ir.TensorType | None):
        raise InputError(f"'{value.name}' of the model's interface is no tensor")
    if value.type is not None and value.dtype in (None, ir.DataType.UNDEFINED):
        raise InputError(f"tensor '{value.name}' of the model's interface has no element type")


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
    refuse_sizes(value.name, [dim for dim in value.shape or () if isinstance(dim, int)])


def refuse_sizes(name: str | None, sizes: Iterable[int]) -> None:
    """Refuse a tensor of these dimensions, as far as they are known, that cannot exist.

    Raises:
        InputError: one is negative, or together they are more than LARGEST elements.
    """
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


def _refuse_factors(node: ir.Node) -> None:
    """Refuse sizes so large that their products would wrap around, and be taken for small ones."""
    for value in node.inputs:
        tensor = _constant(value)
        if tensor is None or not tensor.dtype.is_integer() or tensor.size > _LONGEST_SHAPE:
            continue
        largest = max((abs(int(size)) for size in tensor.numpy().ravel()), default=0)
        if largest > LARGEST:
            raise InputError(
                f"node '{node.name}' ({node.op_type}) is given the size {largest:,}; "
                f"{LARGEST:,} is the most"
            )


def _constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    try:
        return None if value is None else ir.convenience.get_const_tensor(value)
    except ValueError:  # a Constant without a value, which normalisation refuses by name
        return None


def _written(model: ir.Model) -> onnx.ModelProto:
    try:
        return outline(model)[0]
    except Exception as error:  # noqa: BLE001 - onnx-ir documents no closed set of errors
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise InputError(f"the model cannot be read through: {first_line(cause)}") from None


def _refuse_inferred(proto: onnx.ModelProto) -> None:
    """Refuse tensors between the operators that are too large, as far as their sizes are known."""
    try:
        found = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except Exception:  # noqa: BLE001 - normalisation infers strictly, and says what is wrong
        return
    refuse_large(found)


def refuse_long_range(node: ir.Node) -> None:
    """Refuse a Range of constants that is too long, before ONNX writes it out to infer its size.

    Raises:
        InputError: it has more than LARGEST elements.
    """
    if node.op_type != "Range" or node.domain not in ("", "ai.onnx"):
        return
    bounds = [_constant(value) for value in node.inputs]
    numbers = [float(one.numpy().ravel()[0]) for one in bounds if one is not None and one.size == 1]
    if len(numbers) == 3 and numbers[2] != 0:
        start, limit, step = numbers
        with np.errstate(all="ignore"):
            count = np.float64(limit - start) / step
        if np.isfinite(count):
            refuse_sizes(node.outputs[0].name, [max(0, math.ceil(count))])


def refuse_large(inferred: onnx.ModelProto) -> None:
    """Refuse a model with a tensor that cannot exist, as far as its shapes were inferred.

    Raises:
        InputError: a dimension is negative, or a tensor has more than LARGEST elements.
    """
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        dims = value.type.tensor_type.shape.dim
        refuse_sizes(value.name, [dim.dim_value for dim in dims if dim.HasField("dim_value")])
