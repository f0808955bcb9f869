"""Convolutions and pools say their windows in full."""

import pytest
from net import Net

from zkprep.passes.base import run_passes
from zkprep.passes.normalise.windows import ExplicitWindows

WINDOWS = {
    "Conv": ("Conv", (1, 4, 7, 6), {}),
    "Conv SAME_UPPER": ("Conv", (1, 4, 7, 6), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    "Conv SAME_LOWER": ("Conv", (1, 4, 7, 6), {"auto_pad": "SAME_LOWER", "strides": [2, 1]}),
    "Conv VALID": ("Conv", (1, 4, 7, 6), {"auto_pad": "VALID"}),
    "ConvTranspose": ("ConvTranspose", (1, 4, 5, 6), {"strides": [2, 2]}),
    "ConvTranspose SAME_UPPER": (
        "ConvTranspose",
        (1, 4, 5, 6),
        {"strides": [2, 1], "auto_pad": "SAME_UPPER"},
    ),
    "ConvTranspose SAME_LOWER": (
        "ConvTranspose",
        (1, 4, 5, 6),
        {"strides": [2, 1], "auto_pad": "SAME_LOWER"},
    ),
    "ConvTranspose output_shape": (
        "ConvTranspose",
        (1, 4, 5, 6),
        {"strides": [2, 1], "output_shape": [10, 6]},
    ),
    "MaxPool": ("MaxPool", (1, 4, 7, 6), {}),
    "MaxPool SAME_UPPER": ("MaxPool", (1, 4, 7, 6), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "MaxPool SAME_LOWER": ("MaxPool", (1, 4, 7, 6), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "AveragePool": ("AveragePool", (1, 4, 7, 6), {"ceil_mode": 1, "strides": [2, 2]}),
    "AveragePool SAME_UPPER": (
        "AveragePool",
        (1, 4, 7, 6),
        {"auto_pad": "SAME_UPPER", "strides": [2, 2], "ceil_mode": 1},
    ),
    "AveragePool SAME_LOWER": (
        "AveragePool",
        (1, 4, 7, 6),
        {"auto_pad": "SAME_LOWER", "count_include_pad": 1},
    ),
}


@pytest.mark.parametrize("form", WINDOWS)
def test_windows(form: str) -> None:
    op, shape, attrs = WINDOWS[form]
    net = Net(13)
    net.input("x", *shape)
    if op.startswith("Conv"):
        net.node(op, "x", net.normal("w", 4, 4, 3, 2), out="y", **attrs)
    else:
        net.node(op, "x", out="y", kernel_shape=[3, 2], **attrs)
    result = run_passes(net.output("y").model(), [ExplicitWindows()])
    (node,) = result.model.graph
    expected = {"kernel_shape", "strides", "pads"}
    expected |= {"group"} if op.startswith("Conv") else set()
    expected |= {"dilations"} if op != "AveragePool" else set()
    assert expected <= set(node.attributes)
    assert not {"auto_pad", "output_shape"} & set(node.attributes)
    assert tuple(node.attributes["kernel_shape"].as_ints()) == (3, 2)


def test_a_window_smaller_than_its_stride() -> None:
    """SAME fixes the output size; with explicit pads ceil_mode would add a row and a column."""
    net = Net(13)
    net.input("x", 1, 2, 4, 4)
    attrs = {"auto_pad": "SAME_UPPER", "ceil_mode": 1, "kernel_shape": [1, 1], "strides": [2, 2]}
    net.node("AveragePool", "x", out="y", **attrs)
    result = ExplicitWindows()(net.output("y").model())
    (node,) = result.model.graph
    assert "ceil_mode" not in node.attributes
    assert node.attributes.get_ints("pads") == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("attrs", "reason"),
    [
        (
            {"auto_pad": "SAME_UPPER", "dilations": [2, 2]},
            "auto_pad SAME_UPPER with dilations means different things to different runtimes",
        ),
        (
            {"output_shape": [13, 13], "output_padding": [1, 1], "strides": [2, 2]},
            "auto_pad NOTSET with output_padding means different things to different runtimes",
        ),
        (
            {"output_shape": [14, 14], "strides": [2, 2]},
            "its output is larger than its input reaches, which no pads say",
        ),
    ],
)
def test_windows_that_stay(attrs: dict, reason: str) -> None:
    net = Net(13)
    op = "ConvTranspose" if "output_shape" in attrs else "Conv"
    net.input("x", 1, 4, 6, 6)
    net.node(op, "x", net.normal("w", 4, 4, 3, 3), out="y", **attrs)
    sites = ExplicitWindows()(net.output("y").model()).sites
    assert reason in [site.reason for site in sites]
