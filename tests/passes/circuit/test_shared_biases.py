"""One bias where two Convs meet: what it is worth, which Conv keeps it, what it leaves."""

import numpy as np
import onnx_ir as ir
import pytest
from rewriting import model, rewritten, weights

from zkprep.cost.price import price
from zkprep.passes.base import run_passes
from zkprep.passes.circuit.shared_biases import SharedBiases

IMAGE = "(float[1,4,6,6] x) => (float y)"
ONE, SAME = "kernel_shape=[1,1]", "kernel_shape=[3,3], pads=[1,1,1,1]"
GIVEN = {
    "v": weights(8, 4, 1, 1),
    "w": weights(8, 4, 3, 3),
    "a": np.arange(8) / 8,
    "b": weights(8),
    "c": weights(8, 1, 1),
}


def made(body: str, interface: str = IMAGE) -> ir.Model:
    used = {name: values for name, values in GIVEN.items() if f", {name}" in body}
    return model(interface, body, **used)


def biased(after: ir.Model) -> list[str]:
    """The kernels of the Convs that have a bias."""
    convs = [node for node in after.graph if node.op_type == "Conv"]
    return [str(conv.inputs[1].shape) for conv in convs if len(conv.inputs) == 3]


@pytest.mark.parametrize(
    ("body", "keeper"),
    [
        (f"p = Conv<{ONE}>(x, v, a) q = Conv<{SAME}>(x, w, b) y = Add(p, q)", "[8,4,3,3]"),
        (f"p = Conv<{SAME}>(x, w, b) q = Conv<{ONE}>(x, v, a) y = Add(p, q)", "[8,4,3,3]"),
        (f"p = Conv<{ONE}>(x, v, a) q = Conv<{ONE}>(x, v, b) y = Add(p, q)", "[8,4,1,1]"),
    ],
)
def test_one_of_two_is_left(body: str, keeper: str) -> None:
    before = made(body)
    after = rewritten(before, SharedBiases()).model
    assert biased(after) == [keeper]
    # An Add per output of the einsum.
    assert price(before).cells - price(after).cells >= 8 * 36


def test_two_that_take_a_row_each_stay() -> None:
    before = made(f"p = Conv<{SAME}>(x, w, a) q = Conv<{SAME}>(x, w, b) y = Add(p, q)")
    (site,) = run_passes(before, [SharedBiases()]).sites
    assert site.reason.startswith("kept: rewritten, the circuit would take")


@pytest.mark.parametrize(
    ("body", "interface"),
    [
        (f"p = Conv<{ONE}>(x, v, a) q = Conv<{ONE}>(x, v) y = Add(p, q)", IMAGE),
        (f"p = Conv<{ONE}>(x, v, a) q = Conv<{ONE}>(x, v, b) y = Sub(p, q)", IMAGE),
        (f"p = Conv<{ONE}>(x, v, a) y = Add(p, p)", IMAGE),
        (
            f"p = Conv<{ONE}>(x, v, a) q = Conv<{ONE}>(x, v, b) r = Relu(p) t = Add(p, q) "
            "y = Add(t, r)",
            IMAGE,
        ),
        (
            f"p = Conv<{ONE}>(x, v, a) q = Conv<{ONE}>(x, v, b) y = Add(p, q)",
            "(float[1,4,6,6] x) => (float y, float p)",
        ),
        (
            f"p = Conv<{ONE}>(x, v, a) m = GlobalMaxPool(x) q = Conv<{ONE}>(m, v, b) y = Add(p, q)",
            IMAGE,
        ),
    ],
)
def test_what_it_leaves(body: str, interface: str) -> None:
    assert not run_passes(made(body, interface), [SharedBiases()]).sites
