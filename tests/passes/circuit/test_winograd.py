"""Minimal filtering: every shape it claims, what it leaves, and what it is worth."""

import numpy as np
import pytest
from construct import parsed
from rewriting import model, operators, reasons, rewritten, weights

from zkprep.model import run, seeded_inputs
from zkprep.passes.base import run_passes
from zkprep.passes.circuit.winograd import MinimalFiltering

W, B = weights(16, 16, 3, 3), weights(16)
DEEP = "(float[1,16,8,8] x) => (float y)"
SAME = "kernel_shape=[3,3], pads=[1,1,1,1]"

SHAPES = {
    "padded": (DEEP, f"y = Conv<{SAME}>(x, w, b)", W),
    "no bias": (DEEP, f"y = Conv<{SAME}>(x, w)", W),
    "unpadded": (DEEP, "y = Conv<kernel_shape=[3,3]>(x, w, b)", W),
    "odd sizes, batch 2, uneven pads": (
        "(float[2,16,7,9] x) => (float y)",
        "y = Conv<kernel_shape=[3,3], pads=[0,1,2,0]>(x, w, b)",
        W,
    ),
    "1-D": (
        "(float[1,32,10] x) => (float y)",
        "y = Conv<kernel_shape=[3], pads=[1,1]>(x, w, b)",
        weights(16, 32, 3),
    ),
    "1x3": (
        "(float[1,32,5,6] x) => (float y)",
        "y = Conv<kernel_shape=[1,3], pads=[0,1,0,1]>(x, w, b)",
        weights(16, 32, 1, 3),
    ),
    "3x1, padded across": (
        "(float[1,32,6,5] x) => (float y)",
        "y = Conv<kernel_shape=[3,1], pads=[1,1,1,0]>(x, w, b)",
        weights(16, 32, 3, 1),
    ),
    "3-D": (
        "(float[1,8,4,4,4] x) => (float y)",
        "y = Conv<kernel_shape=[3,3,3], pads=[1,1,1,1,1,1]>(x, w, b)",
        weights(16, 8, 3, 3, 3),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(name: str) -> None:
    interface, body, kernel = SHAPES[name]
    result = rewritten(model(interface, body, w=kernel, b=B), MinimalFiltering())
    assert [site.nodes for site in result.applied] == [("n_y",)]
    assert "Conv" not in operators(result.model)


def test_products_are_sixteen_per_tile_and_channel() -> None:
    after = rewritten(model(DEEP, f"y = Conv<{SAME}>(x, w, b)", w=W, b=B), MinimalFiltering()).model
    (product,) = (node for node in after.graph if node.op_type == "MatMul")
    assert [str(value.shape) for value in product.inputs if value] == ["[16,16,16]", "[16,16,16]"]


@pytest.mark.parametrize(
    "attributes",
    [
        "kernel_shape=[3,3], strides=[2,2]",
        "kernel_shape=[3,3], strides=[1,2]",
        "kernel_shape=[3,3], dilations=[1,2]",
        "kernel_shape=[3,3], group=2",
        "kernel_shape=[5,3]",
        "kernel_shape=[1,1]",
    ],
)
def test_other_convs_are_none_of_its_business(attributes: str) -> None:
    sizes = (int(digit) for digit in attributes.removeprefix("kernel_shape=[")[:3:2])
    kernel = weights(16, 8 if "group" in attributes else 16, *sizes)
    before = parsed(DEEP, f"y = Conv<{attributes}>(x, w)", w=kernel)
    assert not run_passes(before, [MinimalFiltering()]).sites


def test_few_channels_are_not_worth_the_sums() -> None:
    interface = "(float[1,1,8,8] x) => (float y)"
    before = model(interface, f"y = Conv<{SAME}>(x, w)", w=weights(2, 1, 3, 3))
    (reason,) = reasons(run_passes(before, [MinimalFiltering()]))
    assert reason.startswith("kept: rewritten, the circuit would take")


def test_computed_weights_are_left() -> None:
    interface = "(float[1,16,8,8] x, float[16,16,3,3] w) => (float y)"
    before = model(interface, f"y = Conv<{SAME}>(x, w)")
    assert reasons(run_passes(before, [MinimalFiltering()])) == ["its weights are computed"]


def test_rounding_is_that_of_single_precision() -> None:
    before = model(DEEP, f"y = Conv<{SAME}>(x, w, b)", w=W, b=B)
    after = rewritten(before, MinimalFiltering()).model
    feeds = seeded_inputs(before, 3)
    one, other = (run(made, feeds)["y"] for made in (before, after))
    assert np.max(np.abs(one - other)) < 1e-5 * np.max(np.abs(one))
