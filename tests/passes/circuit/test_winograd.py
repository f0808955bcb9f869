"""Minimal filtering: every shape it claims, what it leaves, and what it is worth."""

import numpy as np
import pytest
from construct import parsed
from rewriting import model, operators, reasons, rewritten, weights

from zkprep.models.model import run, seeded_inputs
from zkprep.passes.base import run_passes
from zkprep.passes.circuit.filtering import algorithm
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
    "5x5": (DEEP, "y = Conv<kernel_shape=[5,5], pads=[2,2,2,2]>(x, w, b)", weights(16, 16, 5, 5)),
    "stride 2, odd": (
        "(float[1,16,9,11] x) => (float y)",
        "y = Conv<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x, w, b)",
        W,
    ),
    "stride 2, the last places unread": (
        "(float[1,16,10,10] x) => (float y)",
        "y = Conv<kernel_shape=[3,3], strides=[2,2]>(x, w, b)",
        W,
    ),
    "a stem": (
        "(float[1,16,10,10] x) => (float y)",
        "y = Conv<kernel_shape=[7,7], strides=[2,2], pads=[3,3,3,3]>(x, w, b)",
        weights(16, 16, 7, 7),
    ),
    "4x2, strides 1 and 1": (
        DEEP,
        "y = Conv<kernel_shape=[4,2]>(x, w, b)",
        weights(16, 16, 4, 2),
    ),
    "5x3, strides 1 and 2": (
        DEEP,
        "y = Conv<kernel_shape=[5,3], strides=[1,2], pads=[2,1,2,0]>(x, w, b)",
        weights(16, 16, 5, 3),
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
    ("attributes", "kernel"),
    [
        ("dilations=[1,2]", (16, 16, 3, 3)),
        ("group=2", (16, 8, 3, 3)),
        ("", (16, 16, 1, 1)),
        ("strides=[2,2]", (16, 16, 1, 1)),
        ("strides=[2,2]", (16, 16, 2, 2)),
        ("strides=[2,1]", (16, 16, 1, 3)),
    ],
)
def test_other_convs_are_none_of_its_business(
    attributes: str, kernel: tuple[int, int, int, int]
) -> None:
    shape = f"kernel_shape=[{kernel[2]},{kernel[3]}]"
    body = f"y = Conv<{', '.join(filter(None, (shape, attributes)))}>(x, w)"
    assert not run_passes(parsed(DEEP, body, w=weights(*kernel)), [MinimalFiltering()]).sites


@pytest.mark.parametrize("kernel", range(1, 9))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_algorithm_filters(kernel: int, stride: int) -> None:
    """Fewer products than the taps of two outputs, and exactly the two outputs."""
    way = algorithm(kernel, stride)
    if way is None:
        assert kernel <= stride
        return
    assert len(way.products) < 2 * kernel
    random = np.random.default_rng(kernel)
    data, taps = random.standard_normal(way.reach), random.standard_normal(kernel)
    made = [0.0, 0.0]
    for one, factor in zip(way.products, way.filters @ taps, strict=True):
        spread = data[one.plus] + (one.sign * data[one.other] if one.other is not None else 0)
        for output in (0, 1):
            made[output] += one.outputs[output] * spread * factor
    wanted = [data[stride * output :][:kernel] @ taps for output in (0, 1)]
    np.testing.assert_allclose(made, wanted, atol=1e-12)
    assert way.products[way.everywhere].outputs == (1, 1)


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
