"""Sums, products, quotients, powers, extremes, bits."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    case,
    constant,
    floats,
    integers,
    network,
    positive_weights,
    typed,
    weights,
)
from onnx import TensorProto

X = floats(2, 5)

POSITIVE = floats(2, 5, draw="positive")


def arithmetic() -> Iterator[Case]:
    for operator in ("Add", "Sub", "Mul"):
        yield case(operator, "two inputs", X, X)
        yield case(operator, "broadcast input", X, floats(5))
        yield case(operator, "constant", X, weights(5))
        yield case(operator, "scalar constant", X, constant(0.3))
        yield case(operator, "constant first", weights(2, 5), X)
        yield case(operator, "int64", integers(2, 5), integers(2, 5))
        yield case(operator, "opset 6 broadcast", X, weights(5), opset=6, broadcast=1)
    yield case("Add", "constant of higher rank", floats(5), weights(2, 5))
    yield case("Mul", "power of two", X, constant(0.25))
    yield case("Mul", "negative power of two", X, constant(-0.25))
    yield case("Mul", "by zero", X, constant(0))
    yield network("Mul", "input squared", "y = Mul (x, x)", x=X)
    yield case("Div", "scalar constant", X, constant(0.7))
    yield case("Div", "negative constant", X, constant(-3))
    yield case("Div", "constant tensor", X, positive_weights(5))
    yield case("Div", "two inputs", X, POSITIVE)
    yield case("Div", "negative divisors", X, floats(2, 5, draw="grid nonzero"))
    yield case("Div", "constant first", constant(2), POSITIVE)
    yield case("Div", "constant tensor first", weights(2, 5), POSITIVE)
    yield case("Div", "int64", integers(2, 5), integers(2, 5, draw="positive integers"))
    yield case("Div", "int64 by a constant", integers(2, 5), constant(2, np.int64))
    yield case("Mod", "int64", integers(2, 5), integers(2, 5, draw="positive integers"))
    yield case("Mod", "int64 by a constant", integers(2, 5), constant(2, np.int64))
    yield case("Mod", "fmod", X, POSITIVE, fmod=1)
    for exponent in (2, 3, 4, 0, 1, -1, -2, 0.5, 1.5):
        yield case("Pow", f"exponent {exponent}", POSITIVE, constant(exponent))
    yield case("Pow", "exponent 2, negative values", X, constant(2))
    yield case("Pow", "exponent 3, negative values", X, constant(3))
    yield case("Pow", "exponent per element", POSITIVE, constant([1, 2, 3, 2, 1]))
    yield case("Pow", "exponent is an input", POSITIVE, POSITIVE)
    yield case("Pow", "constant base", constant(2), X)
    yield case("Pow", "int64 exponent", POSITIVE, constant(2, np.int64))


def extremes() -> Iterator[Case]:
    for operator in ("Max", "Min"):
        yield case(operator, "one input", X)
        yield case(operator, "two inputs", X, X)
        yield case(operator, "three inputs", X, X, X)
        yield case(operator, "scalar constant", X, constant(0.5))
        yield case(operator, "zero", X, constant(0))
        yield case(operator, "negative constant", X, constant(-0.5))
        yield case(operator, "constant tensor", X, weights(5))
        yield case(operator, "broadcast inputs", X, floats(2, 1))
        yield case(operator, "int64", integers(2, 5), integers(2, 5))
    for operator in ("Sum", "Mean"):
        yield case(operator, "one input", X)
        yield case(operator, "two inputs", X, X)
        yield case(operator, "three inputs", X, X, X)
        yield case(operator, "broadcast inputs", X, floats(5))
    low, high = constant(-0.5), constant(1)
    yield case("Clip", "both bounds", X, low, high)
    yield case("Clip", "from 0 to 6", floats(2, 8, draw="wide"), constant(0), constant(6))
    yield case("Clip", "lower bound", X, low)
    yield case("Clip", "lower bound 0", X, constant(0))
    yield case("Clip", "upper bound", X, None, high)
    yield case("Clip", "no bounds", X)
    yield case("Clip", "opset 6", X, opset=6, min=-0.5, max=1.0)
    yield case("Clip", "bound is an input", X, floats())
    yield case("Clip", "int64", integers(2, 5), constant(-1, np.int64), constant(2, np.int64))
    yield case(
        "BitShift",
        "left",
        typed(TensorProto.UINT64, 4),
        typed(TensorProto.UINT64, 4),
        direction="LEFT",
        types=[(TensorProto.UINT64, (4,))],
    )
    for operator in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        yield case(operator, "int64", integers(2, 5), integers(2, 5), opset=18)
    yield case("BitwiseNot", "int64", integers(2, 5), opset=18)


def cases() -> Iterator[Case]:
    yield from arithmetic()
    yield from extremes()
