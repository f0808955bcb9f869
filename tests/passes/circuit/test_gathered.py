"""Convs over gathered windows: every shape it claims, what it leaves, and what it is worth."""

import onnx_ir as ir
import pytest
from construct import parsed
from msgspec.structs import replace
from rewriting import DEFERRED, model, operators, reasons, rewritten, weights

from zkprep.cost.cells import assignments
from zkprep.passes.base import run_passes
from zkprep.passes.circuit.gathered import GatheredWindows

IMAGE = "(float[1,8,6,5] x) => (float y)"
SAME = "kernel_shape=[3,3], pads=[1,1,1,1]"
DEPTHWISE = f"{SAME}, group=8"

SHAPES = {
    "depthwise": (IMAGE, DEPTHWISE, (8, 1, 3, 3)),
    "depthwise, two filters per channel": (IMAGE, DEPTHWISE, (16, 1, 3, 3)),
    "groups, stride 2, uneven pads": (
        IMAGE,
        "kernel_shape=[3,2], strides=[2,1], pads=[1,0,0,1], group=2",
        (4, 4, 3, 2),
    ),
    "plain": (IMAGE, SAME, (6, 8, 3, 3)),
    "dilated, batch 2": (
        "(float[2,8,7,8] x) => (float y)",
        "kernel_shape=[2,3], dilations=[3,2], group=4",
        (8, 2, 2, 3),
    ),
    "places unread": (IMAGE, "kernel_shape=[1,2], strides=[3,4]", (4, 8, 1, 2)),
    "1x1, padded": (IMAGE, "kernel_shape=[1,1], pads=[0,1,1,0]", (4, 8, 1, 1)),
    "1x1, grouped": (IMAGE, "kernel_shape=[1,1], group=4", (4, 2, 1, 1)),
    "1-D": ("(float[1,8,9] x) => (float y)", "kernel_shape=[4], pads=[2,1], group=8", (8, 1, 4)),
    "3-D": (
        "(float[1,2,3,4,3] x) => (float y)",
        "kernel_shape=[2,3,2], pads=[1,1,0,0,1,1]",
        (3, 2, 2, 3, 2),
    ),
}


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(name: str, bias: str) -> None:
    interface, attributes, kernel = SHAPES[name]
    constants = {"w": weights(*kernel), **({"b": weights(kernel[0])} if bias else {})}
    before = model(interface, f"y = Conv<{attributes}>(x, w{bias})", **constants)
    result = rewritten(before, GatheredWindows())
    assert [site.nodes for site in result.applied] == [("n_y",)]
    assert "Conv" not in operators(result.model)


def test_two_cells_less_per_output_of_a_depthwise_conv() -> None:
    constants = {"w": weights(8, 1, 3, 3), "b": weights(8)}
    before = model(IMAGE, f"y = Conv<{DEPTHWISE}>(x, w, b)", **constants)
    after = rewritten(before, GatheredWindows()).model
    for columns, fewer in ((1, 1), (2, 2)):
        spec = replace(DEFERRED, num_inner_cols=columns)
        assert assignments(before, spec) - assignments(after, spec) == fewer * 8 * 6 * 5


@pytest.mark.parametrize("attributes", ["", ", strides=[2,2]"])
def test_an_einsum_is_none_of_its_business(attributes: str) -> None:
    body = f"y = Conv<kernel_shape=[1,1]{attributes}>(x, w)"
    assert not run_passes(model(IMAGE, body, w=weights(4, 8, 1, 1)), [GatheredWindows()]).sites


def test_pads_that_are_not_explicit_are_not_guessed() -> None:
    before = parsed(IMAGE, f"y = Conv<{SAME}>(x, w)", w=weights(4, 8, 3, 3))
    before.graph[0].attributes["auto_pad"] = ir.AttrString("auto_pad", "SAME_UPPER")
    (reason,) = reasons(run_passes(before, [GatheredWindows()]))
    assert reason == "its auto_pad could not be made explicit"


def test_weights_that_are_computed_stay() -> None:
    before = parsed("(float[1,8,6,5] x, float[4,8,3,3] w) => (float y)", f"y = Conv<{SAME}>(x, w)")
    assert reasons(run_passes(before, [GatheredWindows()])) == ["its weights are computed"]
