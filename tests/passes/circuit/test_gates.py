"""Gates into weights: forms, guards, and where a gate stays."""

import onnx_ir as ir
import pytest
from rewriting import model, operators, reasons, rewritten, weights

from zkprep.passes.base import run_passes
from zkprep.passes.circuit.gates import GatesIntoWeights

ONE, DEPTHWISE = "kernel_shape=[1,1]", "kernel_shape=[3,3], pads=[1,1,1,1], group=8"
GIVEN = {
    "v": weights(3, 8, 1, 1),
    "d": weights(8, 1, 3, 3),
    "b": weights(3),
    "many": weights(40, 8, 1, 1),
    "line": weights(3, 8, 1),
}


def made(interface: str, body: str) -> ir.Model:
    words = set(body.replace(",", " ").replace("(", " ").replace(")", " ").split())
    return model(interface, body, **{name: GIVEN[name] for name in words & GIVEN.keys()})


# A table keeps a circuit from deferring rebases, so that products are rescaled.
GATED = "(float[1,8,4,4] x, float[1,8,1,1] g) => (float y)"
GATES = {
    "with a bias": (GATED, f"s = Sigmoid(x) p = Mul(s, g) y = Conv<{ONE}>(p, v, b)"),
    "the gate first": (GATED, f"s = Sigmoid(x) p = Mul(g, s) y = Conv<{ONE}>(p, v)"),
    "1-D": (
        "(float[1,8,16] x, float[1,8,1] g) => (float y)",
        "s = Sigmoid(x) p = Mul(s, g) y = Conv<kernel_shape=[1]>(p, line)",
    ),
}


@pytest.mark.parametrize("name", GATES)
def test_a_gate_goes_into_the_weights(name: str) -> None:
    before = made(*GATES[name])
    result = rewritten(before, GatesIntoWeights())
    assert [site.nodes for site in result.applied] == [("n_p", "n_y")]
    assert "Conv" not in operators(result.model)


@pytest.mark.parametrize(
    ("interface", "body"),
    [
        (GATED.replace("1,8", "2,8"), f"p = Mul(x, g) y = Conv<{ONE}>(p, v)"),
        (GATED.replace("8,1,1] g", "8,4,4] g"), f"p = Mul(x, g) y = Conv<{ONE}>(p, v)"),
        (GATED.replace("8,1,1] g", "1,4,4] g"), f"p = Mul(x, g) y = Conv<{ONE}>(p, v)"),
        (GATED, f"p = Mul(x, g) y = Conv<{ONE}, strides=[2,2]>(p, v)"),
        (GATED, f"p = Mul(x, g) y = Conv<{DEPTHWISE}>(p, d)"),
        (GATED.replace("y)", "y, float p)"), f"p = Mul(x, g) y = Conv<{ONE}>(p, v)"),
        (GATED, f"p = Add(x, g) y = Conv<{ONE}>(p, v)"),
    ],
)
def test_other_factors_are_none_of_its_business(interface: str, body: str) -> None:
    assert not run_passes(made(interface, body), [GatesIntoWeights()]).sites


def test_a_gate_of_few_places_stays() -> None:
    interface = "(float[1,8,2,1] x, float[1,8,1,1] g) => (float y)"
    before = made(interface, f"s = Sigmoid(x) p = Mul(s, g) y = Conv<{ONE}>(p, many)")
    (reason,) = reasons(run_passes(before, [GatesIntoWeights()]))
    assert reason.startswith("kept: rewritten, the circuit would take")
