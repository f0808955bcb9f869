"""A factor before a product of two tensors: forms, what takes the rest, what stays."""

import numpy as np
import onnx_ir as ir
import pytest
from rewriting import model, operators, reasons, rewritten, weights

from zkprep.passes.base import run_passes
from zkprep.passes.circuit.factors import FactorsBeforeProducts

PAIR = "(float[2,6,5] x, float[2,5,8] z) => (float y)"
ROWS = "(float[2,6,5] x) => (float y)"
GIVEN = {
    "half": np.float64(0.5),
    "third": np.array([1 / 3]),
    "three": np.float64(3),
    "eight": np.float64(8),
    "less": np.float64(-0.25),
    "none": np.float64(0),
    "row": weights(8),
    "w": weights(5, 5),
    "v": weights(5, 8),
}
TURNED = "t = Transpose<perm=[0,2,1]>(x)"

# What a table reads is rescaled.
FORMS = {
    "a power of two": (PAIR, "a = MatMul(x, z) m = Mul(a, half) y = Tanh(m)", "Mul MatMul Tanh"),
    "from the left": (PAIR, "a = MatMul(x, z) m = Mul(half, a) y = Tanh(m)", "Mul MatMul Tanh"),
    "divided": (PAIR, "a = MatMul(x, z) m = Div(a, eight) y = Tanh(m)", "Mul MatMul Tanh"),
    "below 0": (PAIR, "a = MatMul(x, z) m = Mul(a, less) y = Tanh(m)", "Mul MatMul Tanh"),
    "above 1": (PAIR, "a = MatMul(x, z) m = Mul(a, three) y = Tanh(m)", "Mul MatMul Tanh"),
    "a rest that the left operand's product takes": (
        ROWS,
        f"q = MatMul(x, w) {TURNED} a = MatMul(q, t) m = Mul(a, third) y = Tanh(m)",
        "MatMul Mul Transpose MatMul Tanh",
    ),
    "a rest that the right operand's product takes": (
        ROWS,
        "q = MatMul(x, w) u = Transpose<perm=[0,2,1]>(q) a = MatMul(x, u) m = Mul(a, third) "
        "y = Tanh(m)",
        "MatMul Transpose Mul MatMul Tanh",
    ),
}


def made(interface: str, body: str) -> ir.Model:
    words = set(body.replace(",", " ").replace("(", " ").replace(")", " ").split())
    return model(interface, body, **{name: GIVEN[name] for name in words & GIVEN.keys()})


@pytest.mark.parametrize("name", FORMS)
def test_every_form(name: str) -> None:
    interface, body, after = FORMS[name]
    result = rewritten(made(interface, body), FactorsBeforeProducts())
    found = operators(result.model)
    assert sorted(found) == sorted(after.split())
    assert found[-2:] == ["MatMul", "Tanh"]


@pytest.mark.parametrize(
    ("interface", "body"),
    [
        (ROWS, "a = MatMul(x, v) y = Mul(a, half)"),
        (PAIR, "a = MatMul(x, z) y = Mul(a, row)"),
        (PAIR, "a = MatMul(x, z) y = Div(half, a)"),
        (PAIR, "a = MatMul(x, z) y = Mul(a, none)"),
        (PAIR, "a = MatMul(x, z) m = Mul(a, half) y = Add(a, m)"),
        (PAIR.replace("y)", "y, float a)"), "a = MatMul(x, z) y = Mul(a, half)"),
        (PAIR.replace("2,5,8] z", "2,6,5] z"), "a = Add(x, z) y = Mul(a, half)"),
    ],
)
def test_other_factors_are_none_of_its_business(interface: str, body: str) -> None:
    assert not run_passes(made(interface, body), [FactorsBeforeProducts()]).sites


def test_a_product_smaller_than_its_operands_stays() -> None:
    before = made(
        "(float[2,40] x, float[40,2] z) => (float y)", "a = MatMul(x, z) y = Mul(a, half)"
    )
    (reason,) = reasons(run_passes(before, [FactorsBeforeProducts()]))
    assert reason.startswith("kept: rewritten, the circuit would take")
