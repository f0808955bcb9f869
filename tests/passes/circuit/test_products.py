"""One rescale where there were several: LayerNormalization, three factors, absolute values."""

import re

import numpy as np
import onnx_ir as ir
import pytest
from rewriting import IMAGE, model, operators, reasons, rewritten, weights

from zkprep.model import run, seeded_inputs
from zkprep.passes.base import Pass, run_passes
from zkprep.passes.circuit.absolutes import RelusAtEnds, RelusByAbs
from zkprep.passes.circuit.bounds import BoundsByRelu
from zkprep.passes.circuit.layer_norms import LayerNormsByEinsum
from zkprep.passes.circuit.products import ProductsOfThree
from zkprep.passes.oracle import compare

ROWS = "(float[1,4,16] x) => (float y)"
PAIR = "(float[1,4,16] x, float[1,4,16] z, float[1,4,1] r) => (float y)"
NUMBERS = {
    "G": weights(16) + 2,
    "B": weights(16),
    "ONES": np.ones(16),
    "two": np.float64(2),
    "three": np.float64(3),
    "eps": np.float64(1e-5),
    "six": np.float64(6),
    "zero": np.float64(0),
    "w": weights(4, 4, 1, 1),
    "half": np.float64(0.5),
    "S": weights(3, 5) + 2,
}
SPELLED = (
    "m = ReduceMean<axes=[-1]>(x) c = Sub(x, m) q = Pow(c, two) v = ReduceMean<axes=[-1]>(q) "
    "a = Add(v, eps) s = Sqrt(a) d = Div(c, s)"
)
NORM = "ReduceSum Mul Mul Sub Einsum Mul Add Sqrt Reciprocal"

# A table keeps a circuit from deferring rebases, so that products are rescaled.
FORMS: dict[str, tuple[Pass, str, str, str]] = {
    "LayerNormalization": (
        LayerNormsByEinsum(),
        ROWS,
        "n = LayerNormalization(x, G, B) y = Tanh(n)",
        f"Reshape {NORM} Einsum Add Reshape Tanh",
    ),
    "LayerNormalization of ones": (
        LayerNormsByEinsum(),
        ROWS,
        "n = LayerNormalization(x, ONES) y = Tanh(n)",
        f"Reshape {NORM} Einsum Reshape Tanh",
    ),
    "LayerNormalization of several axes": (
        LayerNormsByEinsum(),
        "(float[2,3,5] x) => (float y)",
        "n = LayerNormalization<axis=1>(x, S) y = Tanh(n)",
        f"Reshape {NORM.replace('Einsum Mul', 'Einsum Mul Mul')} Einsum Reshape Tanh",
    ),
    "LayerNormalization spelled out": (
        LayerNormsByEinsum(),
        ROWS,
        f"{SPELLED} k = Mul(G, d) n = Add(k, B) y = Tanh(n)",
        f"Reshape {NORM} Einsum Reshape Add Tanh",
    ),
    "LayerNormalization spelled out, not scaled": (
        LayerNormsByEinsum(),
        ROWS,
        f"{SPELLED.replace('Pow(c, two)', 'Mul(c, c)')} y = Tanh(d)",
        f"Reshape {NORM} Einsum Reshape Tanh",
    ),
    "a gated product": (
        ProductsOfThree(),
        PAIR,
        "s = Sigmoid(x) a = Mul(x, s) m = Mul(z, a) y = Sigmoid(m)",
        "Sigmoid Reshape Reshape Reshape Einsum Reshape Sigmoid",
    ),
    "a quotient, scaled": (
        ProductsOfThree(),
        PAIR,
        "d = Div(x, r) m = Mul(d, G) y = Sigmoid(m)",
        "Reciprocal Reshape Reshape Einsum Reshape Sigmoid",
    ),
    "Relu": (
        RelusByAbs(),
        IMAGE,
        "c = Conv<kernel_shape=[1,1]>(x, w) r = Relu(c) y = Conv<kernel_shape=[1,1]>(r, w)",
        "Conv Abs Add Mul Conv",
    ),
    "ReLU6": (
        RelusByAbs(),
        IMAGE,
        "c = Conv<kernel_shape=[1,1]>(x, w) r = Relu(c) d = Sub(r, six) e = Relu(d) s = Sub(r, e) "
        "y = Conv<kernel_shape=[1,1]>(s, w)",
        "Conv Abs Sub Abs Sub Add Mul Conv",
    ),
}


def made(interface: str, body: str) -> ir.Model:
    used = re.findall(r"\w+(?=[,)])", body)
    return model(interface, body, **{name: NUMBERS[name] for name in used if name in NUMBERS})


@pytest.mark.parametrize("name", FORMS)
def test_every_form(name: str) -> None:
    one, interface, body, after = FORMS[name]
    before = made(interface, body)
    result = rewritten(before, one)
    assert " ".join(operators(result.model)) == after
    feeds = seeded_inputs(before, 1)
    assert compare(run(before, feeds), run(result.model, feeds), 1e-5) == ""


ALONE: dict[str, tuple[Pass, str, str]] = {
    "a number": (ProductsOfThree(), PAIR, "t = Tanh(x) a = Mul(t, z) y = Mul(a, half)"),
    "a constant": (ProductsOfThree(), PAIR, "t = Tanh(x) a = Mul(t, G) y = Mul(a, z)"),
    "read twice": (
        ProductsOfThree(),
        PAIR,
        "t = Tanh(x) a = Mul(t, z) b = Mul(a, z) y = Add(a, b)",
    ),
    "a sum": (ProductsOfThree(), PAIR, "t = Tanh(x) a = Add(t, z) y = Mul(a, z)"),
    "another power": (LayerNormsByEinsum(), ROWS, f"{SPELLED} y = Tanh(d)".replace("two", "three")),
    "another mean": (
        LayerNormsByEinsum(),
        "(float[1,16,16] x) => (float y)",
        f"{SPELLED} y = Tanh(d)".replace("[-1]", "[1]", 1),
    ),
    "another axis": (LayerNormsByEinsum(), ROWS, f"{SPELLED} y = Tanh(d)".replace("[-1]", "[1]")),
    "centred, and read": (LayerNormsByEinsum(), ROWS, f"{SPELLED} y = Add(d, c)"),
    "no bound": (
        RelusByAbs(),
        IMAGE,
        "r = Tanh(x) d = Sub(r, six) e = Tanh(d) y = Sub(r, e)",
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_other_forms_are_none_of_their_business(name: str) -> None:
    one, interface, body = ALONE[name]
    assert not run_passes(made(interface, body), [one]).sites


def test_a_norm_whose_mean_is_read_stays() -> None:
    before = model(
        "(float[1,4,16] x) => (float y, float m)", "y, m = LayerNormalization(x, g)", g=weights(16)
    )
    assert reasons(run_passes(before, [LayerNormsByEinsum()])) == ["its mean or deviation is read"]


@pytest.mark.parametrize(
    "readers",
    [
        "s = Transpose<perm=[0,1,3,2]>(r) y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(s)",
        "c = Conv<kernel_shape=[1,1]>(r, w) y = Add(c, r)",
        "y = Identity(r)",
    ],
    ids=["a sign that matters", "a sum", "an output"],
)
def test_a_relu_that_not_only_products_read_stays(readers: str) -> None:
    (reason,) = reasons(run_passes(made(IMAGE, f"r = Relu(x) {readers}"), [RelusByAbs()]))
    assert reason == "what reads it needs its scale or its sign"


@pytest.mark.parametrize("name", ["Relu", "ReLU6"])
def test_an_end_gets_its_relus_back(name: str) -> None:
    one, interface, body, _ = FORMS[name]
    before = made(interface, body)
    result = rewritten(before, one).model
    (end,) = (node.outputs[0].name for node in result.graph if node.op_type == "Mul")
    back = run_passes(result, [RelusAtEnds(frozenset([str(end)]))])
    assert len(back.applied) == 1
    assert operators(back.model).count("Relu") == operators(before).count("Relu")
    assert "Abs" not in operators(back.model)
    feeds = seeded_inputs(before, 2)
    assert compare(run(before, feeds), run(back.model, feeds), 1e-6) == ""
    assert not run_passes(result, [RelusAtEnds(frozenset(["another"]))]).sites


def test_an_end_behind_copies_gets_its_relus_back_too() -> None:
    copies = "c = Conv<kernel_shape=[1,1]>(x, w) r = Relu(c) s = Transpose<perm=[0,1,3,2]>(r) "
    before = made(IMAGE, f"{copies} y = Conv<kernel_shape=[1,1]>(s, w)")
    halved = rewritten(before, RelusByAbs()).model
    assert "Abs" in operators(halved)
    back = run_passes(halved, [RelusAtEnds(frozenset(["s"]))]).model
    assert operators(back) == operators(before)


def test_bounds_below_zero_are_no_relu6() -> None:
    before = model(
        IMAGE, "r = Relu(x) d = Sub(r, low) e = Relu(d) y = Sub(r, e)", low=np.float64(-1)
    )
    assert all(len(site.nodes) == 1 for site in RelusByAbs()(before).sites)


def test_clip_to_absolute_values_in_two_passes() -> None:
    point = "Conv<kernel_shape=[1,1]>"
    body = f"c = {point}(x, w) r = Clip(c, zero, six) y = {point}(r, w)"
    result = rewritten(made(IMAGE, body), BoundsByRelu(), RelusByAbs())
    assert operators(result.model) == ["Conv", "Abs", "Sub", "Abs", "Sub", "Add", "Mul", "Conv"]
