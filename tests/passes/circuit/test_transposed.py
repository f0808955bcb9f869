"""ConvTranspose by phases: every shape it claims, what it leaves, and that zeros are gone."""

import numpy as np
import onnx_ir as ir
import pytest
from construct import parsed
from rewriting import model, operators, reasons, rewritten, weights

from zkprep.passes.base import run_passes
from zkprep.passes.circuit.transposed import TransposedByPhases

B = weights(4)
IMAGE = "(float[1,8,5,4] x) => (float y)"
TWICE = "kernel_shape=[2,2], strides=[2,2]"
ODD = "kernel_shape=[3,3], strides=[2,2]"

SHAPES = {
    "2x2": (IMAGE, f"{TWICE}", (2, 2)),
    "3x3, cropped": (IMAGE, f"{ODD}, pads=[1,1,1,1], output_padding=[1,1]", (3, 3)),
    "uneven pads": (IMAGE, f"{ODD}, pads=[1,0,0,2]", (3, 3)),
    "pads beyond a phase": (
        "(float[1,8,9,9] x) => (float y)",
        f"{TWICE}, pads=[5,4,3,6]",
        (2, 2),
    ),
    "more phases than taps": (IMAGE, "kernel_shape=[2,1], strides=[3,2]", (2, 1)),
    "outputs behind the image": (
        IMAGE,
        "kernel_shape=[1,2], strides=[3,3], output_padding=[2,2]",
        (1, 2),
    ),
    "strides 1 and 2": (IMAGE, "kernel_shape=[3,4], strides=[1,2], pads=[1,1,1,1]", (3, 4)),
    "5x5, batch 2": (
        "(float[2,8,4,4] x) => (float y)",
        "kernel_shape=[5,5], strides=[2,2]",
        (5, 5),
    ),
    "no stride": (IMAGE, "kernel_shape=[3,3], pads=[1,1,1,1]", (3, 3)),
    "1-D": ("(float[1,8,6] x) => (float y)", "kernel_shape=[4], strides=[2], pads=[1,1]", (4,)),
    "3-D": (
        "(float[1,8,3,2,3] x) => (float y)",
        "kernel_shape=[2,3,2], strides=[2,2,2]",
        (2, 3, 2),
    ),
}


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(name: str, bias: str) -> None:
    interface, attributes, kernel = SHAPES[name]
    body = f"y = ConvTranspose<{attributes}>(x, w{bias})"
    constants = {"w": weights(8, 4, *kernel), **({"b": B} if bias else {})}
    result = rewritten(model(interface, body, **constants), TransposedByPhases())
    assert [site.nodes for site in result.applied] == [("n_y",)]
    assert {"Conv", "ConvTranspose"} & set(operators(result.model)) == {"Conv"}


def test_every_phase_is_four_products_of_sixteen() -> None:
    before = model(
        IMAGE,
        "y = ConvTranspose<kernel_shape=[4,4], strides=[2,2], pads=[1,1,1,1]>(x, w)",
        w=weights(8, 4, 4, 4),
    )
    after = rewritten(before, TransposedByPhases()).model
    (conv,) = (node for node in after.graph if node.op_type == "Conv")
    assert str(conv.inputs[1].shape) == "[16,8,2,2]"


@pytest.mark.parametrize(
    ("interface", "attributes", "reason"),
    [
        (IMAGE, f"{TWICE}, group=2", "it has groups or is dilated"),
        (IMAGE, f"{TWICE}, dilations=[2,1]", "it has groups or is dilated"),
        ("(float[1,8,5,4] x, float[8,4,2,2] w) => (float y)", TWICE, "its weights are computed"),
    ],
)
def test_what_it_leaves(interface: str, attributes: str, reason: str) -> None:
    constants = (
        {} if " w)" in interface else {"w": weights(8, 2 if "group" in attributes else 4, 2, 2)}
    )
    body = f"y = ConvTranspose<{attributes}>(x, w)"
    before = parsed(interface, body, **constants)
    assert reasons(run_passes(before, [TransposedByPhases()])) == [reason]


def test_pads_that_are_not_explicit_are_not_guessed() -> None:
    before = parsed(IMAGE, f"y = ConvTranspose<{TWICE}>(x, w)", w=weights(8, 4, 2, 2))
    before.graph[0].attributes["auto_pad"] = ir.AttrString("auto_pad", "SAME_UPPER")
    (reason,) = reasons(run_passes(before, [TransposedByPhases()]))
    assert reason == "its auto_pad could not be made explicit"


def test_one_that_is_dearer_by_phases_stays() -> None:
    """Of eight by eight phases one is kept."""
    before = model(
        "(float[1,1,1,1] x) => (float y)",
        "y = ConvTranspose<kernel_shape=[1,1], strides=[8,8], pads=[0,0,0,0]>(x, w, b)",
        w=np.ones((1, 1, 1, 1)),
        b=np.ones(1),
    )
    (reason,) = reasons(run_passes(before, [TransposedByPhases()]))
    assert reason.startswith("kept: rewritten, the circuit would take")
