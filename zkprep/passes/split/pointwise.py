"""Operators that work element by element: the same region of every operand, where it is as large.

    y[r] = f(a, b, ...)[r] = f(a[r], b[r], ...)

An operand's axes are aligned to the output's from the last; along one of size 1 it is broadcast.
BatchNormalization takes its parameters at the region's channels. Source: ONNX broadcasting.
"""

import onnx_ir as ir

from zkprep.passes.split.regions import Region, shape_of
from zkprep.passes.split.restrictions import Restriction, Rule

_UNARY = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Clip"),
    *("Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity"),
    *("LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid"),
    *("Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu"),
)
_BROADCASTING = (
    *("Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max"),
    *("Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor"),
)


def broadcast(value: ir.Value | None, region: Region) -> Region | None:
    """What an operand shows of itself in `region` of the output."""
    if value is None:
        return None
    shape = shape_of(value)
    own = region[len(region) - len(shape) :]
    return tuple((0, 1) if size == 1 else one for size, one in zip(shape, own, strict=True))


def _elementwise(node: ir.Node, region: Region) -> Restriction:
    return Restriction(tuple(broadcast(value, region) for value in node.inputs))


def _batch_normalization(node: ir.Node, region: Region) -> Restriction | str:
    if len(region) < 2:
        return f"'{node.name}' has no channels"
    return Restriction((region, *[(region[1],)] * 4))


RULES: dict[str, Rule] = {
    **dict.fromkeys((*_UNARY, *_BROADCASTING), _elementwise),
    "BatchNormalization": _batch_normalization,
}
