"""One rescale where there were several: LayerNormalization, three factors."""

import re

import numpy as np
import onnx_ir as ir
import pytest
from rewriting import model, operators, reasons, rewritten, weights

from zkprep.models.model import run, seeded_inputs
from zkprep.passes.base import Pass, run_passes
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
