"""Functions of one element at a time."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    case,
    constant,
    floats,
    integers,
    network,
    weights,
)
from onnx import TensorProto

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


def cases() -> Iterator[Case]:
    yield from functions()
