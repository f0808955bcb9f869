"""Activations by Relu, Softmax by sums: every form, folded constants, and what is left."""

import numpy as np
import pytest
from rewriting import IMAGE, model, operators, reasons, rewritten, weights

from zkprep.passes.base import Pass, run_passes
from zkprep.passes.circuit.bounds import BoundsByRelu
from zkprep.passes.circuit.gelu import ScaledGelu
from zkprep.passes.circuit.slopes import SlopesByRelu
from zkprep.passes.circuit.softmax import SoftmaxBySums
from zkprep.passes.circuit.swish import HardSigmoids

NUMBERS = {
    "zero": np.float64(0),
    "half": np.float64(0.5),
    "one": np.float64(1),
    "six": np.float64(6),
    "low": np.float64(-1),
    "widest": np.float64(np.finfo(np.float32).max),
    "map": weights(4, 1, 1),
    "w": weights(4, 4, 1, 1),
    "b": weights(4),
    "root": np.sqrt(2),
}

FORMS = {
    "ReLU6": (BoundsByRelu(), "y = Clip(x, zero, six)", "Relu Sub Relu Sub"),
    "Clip": (BoundsByRelu(), "y = Clip(x, low, one)", "Sub Relu Add Sub Relu Sub"),
    "no lower bound": (BoundsByRelu(), "y = Clip(x, , half)", "Sub Relu Sub"),
    "no upper bound": (BoundsByRelu(), "y = Clip(x, half, widest)", "Sub Relu Add"),
    "Max": (BoundsByRelu(), "y = Max(x, half)", "Sub Relu Add"),
    "Max with a map": (BoundsByRelu(), "y = Max(x, map)", "Sub Relu Add"),
    "Min": (BoundsByRelu(), "y = Min(x, half, one)", "Sub Relu Sub"),
    "Max of tensors": (
        BoundsByRelu(),
        "a = Neg(x) t = Tanh(x) y = Max(x, a, t)",
        "Neg Tanh Sub Relu Add Sub Relu Add",
    ),
    "LeakyRelu": (SlopesByRelu(), "y = LeakyRelu<alpha=0.1>(x)", "Relu Sub Mul Add"),
    "PRelu": (SlopesByRelu(), "y = PRelu(x, map)", "Relu Sub Mul Add"),
    "HardSigmoid": (HardSigmoids(), "y = HardSigmoid(x)", "Add Relu Sub Relu Sub Mul Mul"),
    "a steep HardSigmoid": (
        HardSigmoids(),
        "y = HardSigmoid<alpha=1.5, beta=0.25>(x)",
        "Add Relu Sub Relu Sub Mul",
    ),
    "HardSigmoid behind a Conv": (
        HardSigmoids(),
        "c = Conv<kernel_shape=[1,1]>(x, w, b) y = HardSigmoid(c)",
        "Conv Relu Sub Relu Sub",
    ),
    "GELU": (
        ScaledGelu(),
        "c = Conv<kernel_shape=[1,1]>(x, w, b) d = Div(c, root) e = Erf(d) f = Add(one, e) "
        "g = Mul(half, c) h = Mul(g, f) y = Conv<kernel_shape=[1,1]>(h, w)",
        "Conv Erf Add Mul Conv",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form(name: str) -> None:
    one, body, after = FORMS[name]
    result = rewritten(model(IMAGE, body, **NUMBERS), one)
    assert " ".join(operators(result.model)) == after
    assert result.applied


LEFT: dict[str, tuple[Pass, str, str]] = {
    "Relu already": (BoundsByRelu(), "y = Clip(x, zero, )", "kept: rewritten"),
    "a falling HardSigmoid": (HardSigmoids(), "y = HardSigmoid<alpha=-1.0>(x)", "it does not rise"),
    "GELU of an input": (
        ScaledGelu(),
        "d = Div(x, root) e = Erf(d) f = Add(e, one) g = Mul(x, f) y = Mul(g, half)",
        "kept: rewritten",
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_says_why(name: str) -> None:
    one, body, reason = LEFT[name]
    (found,) = reasons(run_passes(model(IMAGE, body, **NUMBERS), [one]))
    assert found.startswith(reason)


def test_computed_bounds_and_slopes_are_left() -> None:
    interface = "(float[1,4,8,8] x, float b, float[4,1,1] s) => (float y)"
    before = model(interface, "a = Clip(x, b) y = PRelu(a, s)")
    found = reasons(run_passes(before, [BoundsByRelu(), SlopesByRelu()]))
    assert found == ["its bound 'b' is computed", "its slope is computed"]


@pytest.mark.parametrize(
    "body",
    [
        "d = Div(x, half) e = Erf(d) f = Add(e, one) g = Mul(x, f) y = Mul(g, half)",
        "d = Div(x, root) e = Erf(d) f = Add(e, half) g = Mul(x, f) y = Mul(g, half)",
        "d = Div(x, root) e = Erf(d) f = Add(e, one) g = Mul(d, f) y = Mul(g, half)",
        "d = Div(x, root) e = Erf(d) f = Add(e, one) g = Mul(x, f) y = Add(g, f)",
    ],
)
def test_what_is_no_gelu_is_none_of_its_business(body: str) -> None:
    assert not run_passes(model(IMAGE, body, **NUMBERS), [ScaledGelu()]).sites


SWISH = "h = HardSigmoid<alpha=0.16666667>(x) y = Mul(h, x)"


def test_a_table_is_taken_where_it_is_cheaper() -> None:
    """Not for few elements, where a table keeps the circuit from having few rows."""
    small, large = (
        rewritten(model(f"(float[1,{channels},8,8] x) => (float y)", SWISH), HardSigmoids())
        for channels in (1, 256)
    )
    assert "HardSwish" not in operators(small.model)
    assert operators(large.model) == ["HardSwish"]
    assert any(reason.startswith("kept: rewritten") for reason in reasons(large))


def test_another_gate_is_no_hard_swish() -> None:
    body = "h = HardSigmoid<alpha=0.2>(x) y = Mul(h, x)"
    before = model("(float[1,64,16,16] x) => (float y)", body)
    assert "HardSwish" not in operators(rewritten(before, HardSigmoids()).model)


@pytest.mark.parametrize(
    "interface", ["[1,4,8,8]", "[2,5,3]", "[7,2]"], ids=["a power of two", "three", "two"]
)
def test_softmax_sorts_nothing(interface: str) -> None:
    result = rewritten(
        model(f"(float{interface} x) => (float y)", "y = Softmax(x)"), SoftmaxBySums()
    )
    assert "Softmax" not in operators(result.model)
    assert "degree 6 to 5" in result.applied[0].saving


def test_softmax_along_another_axis_and_of_one_element() -> None:
    result = rewritten(model(IMAGE, "y = Softmax<axis=1>(x)"), SoftmaxBySums())
    assert result.applied
    assert not run_passes(
        model("(float[4,1] x) => (float y)", "y = Softmax(x)"), [SoftmaxBySums()]
    ).sites
