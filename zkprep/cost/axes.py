"""Along which axes of its inputs an axis of an operator's output runs, as far as tract moves cuts.

An operator whose elements along the axis do not depend on each other can be applied to a part of
it: to the same part of every input that has the axis, and to the whole of an input that is
broadcast along it.

Source: sonos/tract `axes_mapping` and `slice` of each operator.
"""

from math import prod

import onnx_ir as ir

from zkprep.cost import loader
from zkprep.cost.call import constant_of, shape_of
from zkprep.cost.nodes import Shape

Axes = tuple[int | None, ...]
"""For each input its axis; None for an input that is read whole."""

_ARITHMETIC = frozenset(("Add", "BatchNormalization", "Div", "Mul", "Sub", "Sum"))
_COMPARED = frozenset(("Clip", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min"))
_OPERANDS = _ARITHMETIC | _COMPARED | {"Relu"}
"""Of two operands each, in tract."""

_SMOOTH = frozenset(("Cos", "Erf", "Exp", "HardSwish", "Log", "Sigmoid", "Sin", "Sqrt", "Tanh"))
_SINGLE = _SMOOTH | {"Abs", "Cast", "LeakyRelu", "Neg", "Sign"}
"""Functions of single elements."""

_AXES = frozenset(("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"))
_WHOLE = frozenset(("AveragePool", "Conv", "ConvTranspose", "Gather", "MaxPool", "Pad", "Resize"))
"""Operators that a cut stays behind, as long as `passes` says nothing else of a Downsample."""


def splits(node: ir.Node, axis: int) -> Axes | None:
    """If tract lays `node` out in parts along `axis` of its output: the axes of its inputs."""
    squares = node.op_type == "Mul" and node.inputs[0] is node.inputs[1]
    return None if squares or not is_followed(node) else _joint(node, axis)


def passes(node: ir.Node, axis: int) -> Axes | None:
    """If a Downsample moves up over `node` from `axis` of its output: the axes of its inputs."""
    source = shape_of(node.inputs[0])
    if source is None:
        return None
    if node.op_type in _SINGLE:
        return (axis,)
    if node.op_type == "Transpose":
        order = node.attributes.get_ints("perm", list(reversed(range(len(source)))))
        return (int(order[axis]),)
    if node.op_type in _AXES:
        kept = _kept(source, shape_of(node.outputs[0]) or (), axis)
        return None if kept is None else (kept, *(None for _ in node.inputs[1:]))
    if node.op_type == "Pad":
        amounts = constant_of(node.inputs[1]) if len(node.inputs) == 2 else None
        unpadded = amounts is not None and not amounts.numpy()[axis :: len(source)].any()
        return (axis, None) if unpadded else None
    rank = len(shape_of(node.outputs[0]) or ())
    mixes = node.op_type in {"Conv", "Gemm"} or (node.op_type == "MatMul" and axis >= rank - 2)
    return None if mixes else _joint(node, axis)


def is_followed(node: ir.Node) -> bool:
    """Whether all that tract lays `node` out as is known to move, or not to move, with it."""
    if node.op_type == "Div":
        return constant_of(node.inputs[1]) is not None
    return node.op_type in _OPERANDS | _SINGLE | _AXES | _WHOLE | {"Concat", "Gemm", "MatMul"}


def _joint(node: ir.Node, axis: int) -> Axes | None:
    shapes = [shape_of(value) for value in node.inputs if value is not None]
    rank = len(shape_of(node.outputs[0]) or ())
    if any(shape is None for shape in shapes) or not rank:
        return None
    if node.op_type == "BatchNormalization":
        return (axis, *((0 if axis == 1 else None,) * 4))
    if node.op_type in _OPERANDS:
        return tuple(_broadcast(value, axis, rank) for value in node.inputs)
    if node.op_type == "Concat":
        joined = node.attributes.get_int("axis", 0) % rank
        return None if joined == axis else (axis,) * len(node.inputs)
    if node.op_type == "Gemm":
        return _gemm(node, axis)
    if node.op_type == "MatMul":
        return _matmul(node, axis, rank)
    if node.op_type == "Conv" and loader.is_einsum(node):
        operands: Axes = (None, 0, 0) if axis == 1 else (axis, None, None)
        return operands[: len(node.inputs)]
    return None


def _broadcast(value: ir.Value | None, axis: int, rank: int) -> int | None:
    """The axis of an operand of a tensor of `rank` dimensions, if it has more than one element."""
    shape = shape_of(value) or ()
    own = axis - rank + len(shape)
    return own if own >= 0 and shape[own] != 1 else None


def _gemm(node: ir.Node, axis: int) -> Axes:
    turned = [node.attributes.get_int(name, 0) for name in ("transA", "transB")]
    first = turned[0] if axis == 0 else None
    second = 1 - turned[1] if axis == 1 else None
    return (first, second, *(_broadcast(value, axis, 2) for value in node.inputs[2:]))


def _matmul(node: ir.Node, axis: int, rank: int) -> Axes | None:
    ranks = [len(shape_of(value) or ()) for value in node.inputs]
    if min(ranks) < 2:
        return None
    if axis == rank - 2:
        return (ranks[0] - 2, None)
    if axis == rank - 1:
        return (None, ranks[1] - 1)
    return tuple(_broadcast(value, axis, rank) for value in node.inputs)


def _kept(source: Shape, target: Shape, axis: int) -> int | None:
    """The axis of `source` that a reshape leaves as `axis` of `target`."""
    before, size = prod(target[:axis]), target[axis]
    fitting = [at for at, n in enumerate(source) if n == size and prod(source[:at]) == before]
    return fitting[0] if size > 1 and fitting else None
