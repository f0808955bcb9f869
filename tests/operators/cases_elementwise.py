"""Operators that work on one element at a time: functions, arithmetic, comparisons, casts."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    Input,
    booleans,
    case,
    constant,
    floats,
    integers,
    network,
    positive_weights,
    weights,
)
from onnx import TensorProto


def typed(kind: int, *shape: int) -> Input:
    integral = kind not in (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    return Input(shape, kind, "positive integers" if integral else "normal")


X = floats(2, 5)
GRID = floats(2, 8, draw="grid")
POSITIVE = floats(2, 5, draw="positive")
UNIT = floats(2, 5, draw="unit")

_FUNCTIONS = {
    "Abs": X,
    "Acos": UNIT,
    "Acosh": floats(2, 5, draw="above one"),
    "Asin": UNIT,
    "Asinh": X,
    "Atan": X,
    "Atanh": UNIT,
    "Ceil": GRID,
    "Cos": X,
    "Cosh": X,
    "Erf": X,
    "Exp": X,
    "Floor": GRID,
    "HardSwish": floats(2, 8, draw="wide"),
    "Log": POSITIVE,
    "Neg": X,
    "Reciprocal": POSITIVE,
    "Relu": X,
    "Round": GRID,
    "Sigmoid": X,
    "Sign": GRID,
    "Sin": X,
    "Sinh": X,
    "Softsign": X,
    "Softplus": X,
    "Sqrt": POSITIVE,
    "Tan": UNIT,
    "Tanh": X,
    "IsNaN": X,
    "IsInf": X,
}


def functions() -> Iterator[Case]:
    for operator, operand in _FUNCTIONS.items():
        bits = [(TensorProto.BOOL, (2, 5))] if operator in ("IsNaN", "IsInf") else []
        yield case(operator, "float32", operand, types=bits)
    yield case("Reciprocal", "negative values", floats(2, 5, draw="grid nonzero"))
    yield case("Sqrt", "zero", floats(2, 5, draw="squares"))
    yield case("Round", "no ties", X)
    yield case("Softmax", "wide values", floats(2, 5, draw="wide"))
    yield case("Abs", "int64", integers(2, 5))
    yield case("Neg", "int64", integers(2, 5))
    yield case("Sign", "int64", integers(2, 5))
    yield case("Relu", "opset 6", X, opset=6)
    yield case("Relu", "opset 21", X, opset=21)
    yield case("Relu", "opset 23", X, opset=23)
    yield case("Relu", "scalar input", floats())
    yield case("Relu", "rank 5", floats(1, 2, 2, 2, 2))
    for alpha in (0.1, -0.5, 1.5):
        yield case("LeakyRelu", f"alpha {alpha}", X, alpha=alpha)
    yield case("LeakyRelu", "default alpha", X)
    yield case("Elu", "default", X)
    yield case("Elu", "alpha 0.5", X, alpha=0.5)
    yield case("Celu", "default", X, opset=12)
    yield case("Celu", "alpha 2", X, opset=12, alpha=2.0)
    yield case("Selu", "default", X)
    yield case("Selu", "alpha and gamma", X, alpha=1.2, gamma=0.7)
    yield case("ThresholdedRelu", "default", X)
    yield case("ThresholdedRelu", "alpha 0.25", X, alpha=0.25)
    yield case("ThresholdedRelu", "at the threshold", GRID, alpha=0.5)
    yield case("HardSigmoid", "default", floats(2, 8, draw="wide"))
    yield case("HardSigmoid", "alpha and beta", X, alpha=0.3, beta=0.4)
    yield case("Shrink", "default", X)
    yield case("Shrink", "lambd and bias", X, lambd=0.5, bias=0.25)
    yield case("Gelu", "erf", X, opset=20)
    yield case("Gelu", "tanh", X, opset=20, approximate="tanh")
    yield case("Mish", "default", X, opset=18)
    yield case("Swish", "default", X, opset=24)
    yield case("PRelu", "scalar slope", X, constant([0.2]))
    yield case("PRelu", "slope per channel", floats(1, 3, 2, 2), weights(3, 1, 1))
    yield case("PRelu", "negative slope", X, constant([-0.7]))
    yield case("PRelu", "slope is an input", X, floats(1))
    for text, variant in (
        ("a = Sigmoid (x) y = Mul (x, a)", "SiLU"),
        ("a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul (x, a)", "HardSwish"),
        ("a = Softplus (x) b = Tanh (a) y = Mul (x, b)", "Mish"),
    ):
        yield network(f"{variant} composite", "primitive operators", text, x=X)
    yield network(
        "Gelu composite",
        "erf",
        "a = Div (x, r) b = Erf (a) c = Add (b, one) d = Mul (x, c) y = Mul (d, h)",
        x=X,
        r=constant(np.sqrt(2)),
        one=constant(1),
        h=constant(0.5),
    )


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


def logic() -> Iterator[Case]:
    for operator in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        yield case(operator, "two inputs", GRID, GRID)
        yield case(operator, "constant", GRID, constant(0.5))
        yield case(operator, "constant first", constant(0.5), GRID)
        yield case(operator, "broadcast inputs", GRID, floats(8, draw="grid"))
        yield case(operator, "int64", integers(2, 5), integers(2, 5))
        yield network(
            operator,
            "cast to float32",
            f"a = {operator} (x, z) y = Cast <to = 1> (a)",
            x=GRID,
            z=GRID,
        )
        yield network(
            operator,
            "cast to float32 and used",
            f"a = {operator} (x, z) b = Cast <to = 1> (a) y = Mul (b, x)",
            x=GRID,
            z=GRID,
        )
        yield network(
            operator,
            "condition of Where",
            f"a = {operator} (x, z) y = Where (a, x, w)",
            x=GRID,
            z=GRID,
            w=weights(2, 8),
        )
    for operator in ("And", "Or", "Xor"):
        yield case(operator, "two inputs", booleans(2, 5), booleans(2, 5))
        yield case(operator, "broadcast inputs", booleans(2, 5), booleans(5))
        yield case(operator, "constant", booleans(2, 2), constant([True, False], np.bool_))
        yield network(
            operator,
            "of comparisons",
            f"a = Greater (x, z) b = Less (x, w) y = {operator} (a, b)",
            x=GRID,
            z=GRID,
            w=constant(1),
        )
    yield case("Not", "input", booleans(2, 5))
    yield network("Not", "of Equal", "a = Equal (x, z) y = Not (a)", x=GRID, z=GRID)
    yield network(
        "And", "of Equal", "a = Equal (x, z) b = Less (x, z) y = And (a, b)", x=GRID, z=GRID
    )
    yield network(
        "Where",
        "Not of Equal",
        "a = Equal (x, z) b = Not (a) y = Where (b, x, w)",
        x=GRID,
        z=GRID,
        w=weights(2, 8),
    )
    yield network("Not", "of a comparison", "a = Greater (x, z) y = Not (a)", x=GRID, z=GRID)
    yield case("Where", "three inputs", booleans(2, 5), X, X)
    yield case("Where", "broadcast condition", booleans(5), X, X)
    yield case("Where", "broadcast branches", booleans(2, 5), floats(5), floats(2, 1))
    yield case("Where", "constant branches", booleans(2, 5), weights(2, 5), weights(2, 5, seed=3))
    yield case("Where", "scalar branches", booleans(2, 5), constant(1), constant(0))
    yield case("Where", "scalar constant and input", booleans(2, 5), X, constant(-9))
    yield case(
        "Where", "constant condition", constant([True, False, True, False, True], np.bool_), X, X
    )


def casts() -> Iterator[Case]:
    kinds = {"float32": 1, "int64": 7, "int32": 6, "bool": 9, "float16": 10, "double": 11}
    for target, kind in kinds.items():
        yield case("Cast", f"float32 to {target}", floats(2, 8, draw="grid"), to=kind)
        yield case("Cast", f"int64 to {target}", integers(2, 5), to=kind)
        yield case("Cast", f"bool to {target}", booleans(2, 5), to=kind)
    for text, variant in (
        ("f = Floor (x)", "rounded down"),
        ("f = Round (x)", "rounded"),
        ("f = Relu (x)", "ReLU"),
        ("f = Abs (x)", "magnitude"),
    ):
        yield network(
            "Cast",
            f"to int64, {variant}",
            f"{text} y = Cast <to = 7> (f)",
            x=floats(2, 8, draw="grid"),
        )
    yield case("Cast", "float32 to uint8", floats(2, 5, draw="positive"), to=2)
    yield case("CastLike", "float32 to int64", floats(2, 8, draw="grid"), constant([0], np.int64))
    yield network(
        "Cast",
        "int64 to float32 and scaled",
        "a = Cast <to = 1> (x) y = Mul (a, w)",
        x=integers(2, 5),
        w=weights(5),
    )
    yield network(
        "Cast",
        "there and back",
        "a = Cast <to = 7> (x) b = Cast <to = 1> (a) y = Mul (b, w)",
        x=floats(2, 8, draw="grid"),
        w=weights(8),
    )
    for name, kind in (
        ("float16", TensorProto.FLOAT16),
        ("double", TensorProto.DOUBLE),
        ("bfloat16", TensorProto.BFLOAT16),
    ):
        yield case("Relu", name, typed(kind, 2, 5))
        yield case("Add", name, typed(kind, 2, 5), typed(kind, 2, 5))
        yield case("MatMul", name, typed(kind, 2, 5), typed(kind, 5, 2))
    for name, kind in (("int32", TensorProto.INT32), ("int8", TensorProto.INT8)):
        yield case("Add", name, typed(kind, 2, 5), typed(kind, 2, 5), types=[(kind, (2, 5))])
    narrow = Input((2, 5), TensorProto.UINT8, "bytes")
    for operator in ("Add", "Mul"):
        yield case(
            operator, "uint8 that wraps", narrow, narrow, types=[(TensorProto.UINT8, (2, 5))]
        )
    yield case("Max", "uint8", narrow, narrow)
    yield case(
        "Add",
        "uint8",
        typed(TensorProto.UINT8, 2, 5),
        typed(TensorProto.UINT8, 2, 5),
        types=[(TensorProto.UINT8, (2, 5))],
    )


def cases() -> Iterator[Case]:
    yield from functions()
    yield from arithmetic()
    yield from logic()
    yield from casts()
