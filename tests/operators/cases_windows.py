"""Convolutions, pools, resampling: operators that slide a window."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    case,
    constant,
    floats,
    indices,
    network,
    positive_weights,
    weights,
)

IMAGE = floats(1, 2, 6, 6)
ONES = {"strides": [1, 1], "dilations": [1, 1]}


def convolutions() -> Iterator[Case]:
    w, b = weights(3, 2, 3, 3), weights(3)
    yield case("Conv", "no attributes", IMAGE, w)
    yield case("Conv", "bias", IMAGE, w, b)
    yield case("Conv", "padded", IMAGE, w, b, pads=[1, 1, 1, 1])
    yield case("Conv", "asymmetric pads", IMAGE, w, b, pads=[1, 0, 2, 1])
    yield case("Conv", "strides", IMAGE, w, b, strides=[2, 2])
    yield case("Conv", "unequal strides", IMAGE, w, b, strides=[1, 2], pads=[1, 1, 1, 1])
    for mode in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        yield case("Conv", f"auto_pad {mode}", IMAGE, w, b, auto_pad=mode, strides=[2, 2])
    yield case("Conv", "dilations 2", floats(1, 2, 7, 7), w, b, dilations=[2, 2])
    yield case("Conv", "dilations 1, 2 padded", IMAGE, w, b, dilations=[1, 2], pads=[1, 2, 1, 2])
    yield case(
        "Conv", "dilations 2 strides 2", floats(1, 2, 8, 8), w, dilations=[2, 2], strides=[2, 2]
    )
    yield case("Conv", "1x1", IMAGE, weights(3, 2, 1, 1), b)
    yield case("Conv", "1x1 strided", IMAGE, weights(3, 2, 1, 1), b, strides=[2, 2])
    yield case("Conv", "1x1 padded", IMAGE, weights(3, 2, 1, 1), b, pads=[1, 1, 1, 1])
    yield case("Conv", "group 2", floats(1, 4, 5, 5), weights(4, 2, 3, 3), group=2)
    yield case("Conv", "depthwise", IMAGE, weights(2, 1, 3, 3), weights(2), group=2)
    yield case("Conv", "depthwise with multiplier", IMAGE, weights(4, 1, 3, 3), group=2)
    yield case(
        "Conv",
        "depthwise dilated",
        floats(1, 2, 7, 7),
        weights(2, 1, 3, 3),
        group=2,
        dilations=[2, 2],
    )
    yield case("Conv", "3x1 kernel", IMAGE, weights(3, 2, 3, 1), pads=[1, 0, 1, 0])
    yield case("Conv", "even kernel", IMAGE, weights(3, 2, 2, 2), strides=[2, 2])
    yield case("Conv", "batch 2", floats(2, 2, 6, 6), w, b)
    yield case("Conv", "named batch", floats("batch", 2, 6, 6), w, b)
    yield case("Conv", "opset 1", IMAGE, w, b, opset=1)
    yield case("Conv", "opset 21", IMAGE, w, b, opset=21)
    yield case("Conv", "1d", floats(1, 2, 8), weights(3, 2, 3), b, pads=[1, 1])
    yield case("Conv", "1d dilated", floats(1, 2, 8), weights(3, 2, 3), b, dilations=[2])
    yield case("Conv", "3d", floats(1, 2, 4, 4, 4), weights(3, 2, 2, 2, 2), b)
    yield case("Conv", "weight is an input", IMAGE, floats(3, 2, 3, 3))
    yield case("Conv", "weight and bias are inputs", IMAGE, floats(3, 2, 3, 3), floats(3))
    yield from followed()
    yield from sandwiches()
    yield from transposed()


def followed() -> Iterator[Case]:
    """Conv with arithmetic behind it, which tract takes into the Conv."""
    w, b, per_channel = weights(3, 2, 3, 3), weights(3), positive_weights(1, 3, 1, 1)
    given = {"x": IMAGE, "w": w, "b": b, "c": per_channel}
    for operator in ("Add", "Sub", "Mul", "Div"):
        yield network(
            "Conv",
            f"then {operator} per channel",
            f"a = Conv (x, w, b) y = {operator} (a, c)",
            **given,
        )
        yield network(
            "Conv",
            f"then {operator}, constant per channel first",
            f"a = Conv (x, w, b) y = {operator} (c, a)",
            **given,
        )
        yield network(
            "Conv",
            f"then {operator}, scalar constant first",
            f"a = Conv (x, w, b) y = {operator} (c, a)",
            **{**given, "c": constant(1.5)},
        )
    yield network(
        "Conv",
        "ReLU, then Sub with the constant first",
        "a = Conv (x, w, b) r = Relu (a) y = Sub (c, r)",
        **given,
    )
    yield network(
        "ConvTranspose",
        "then Sub, constant per channel first",
        "a = ConvTranspose (x, v, b) y = Sub (c, a)",
        x=IMAGE,
        v=weights(2, 3, 2, 2),
        b=b,
        c=per_channel,
    )
    yield network(
        "Gemm",
        "then Sub, constant first",
        "a = Gemm (x, w, b) y = Sub (c, a)",
        x=floats(2, 4),
        w=weights(4, 3),
        b=b,
        c=weights(1, 3),
    )


def sandwiches() -> Iterator[Case]:
    """A k x k Conv between pointwise ones, which tract brings into another layout."""
    middle = "Conv <pads = [1, 1, 1, 1]> (t, w3)"
    grouped = "Conv <pads = [1, 1, 1, 1], group = 3> (t, g3)"
    narrow, wide, back = weights(3, 2, 1, 1), weights(3, 3, 3, 3), weights(2, 3, 1, 1, seed=5)
    ends = {"x": floats(1, 2, 6, 6), "w1": narrow, "w2": back}
    full, deep = {**ends, "w3": wide}, {**ends, "g3": weights(3, 1, 3, 3)}
    yield network(
        "Conv between 1x1 Convs",
        "no activation",
        f"t = Conv (x, w1) u = {middle} y = Conv (u, w2)",
        **full,
    )
    yield network(
        "Conv between 1x1 Convs",
        "ReLU between",
        f"s = Conv (x, w1) t = Relu (s) u = {middle} v = Relu (u) y = Conv (v, w2)",
        **full,
    )
    yield network(
        "Conv between 1x1 Convs",
        "ReLU everywhere",
        f"s = Conv (x, w1) t = Relu (s) u = {middle} v = Relu (u) z = Conv (v, w2) y = Relu (z)",
        **full,
    )
    yield network(
        "Conv between 1x1 Convs",
        "residual",
        f"s = Conv (x, w1) t = Relu (s) u = {middle} v = Relu (u) z = Conv (v, w2)"
        " a = Add (z, x) y = Relu (a)",
        **full,
    )
    yield network(
        "Conv between 1x1 Convs",
        "depthwise",
        f"s = Conv (x, w1) t = Relu (s) u = {grouped} v = Relu (u) y = Conv (v, w2)",
        **deep,
    )
    yield network(
        "Conv between 1x1 Convs",
        "Clip between",
        f"s = Conv (x, w1) t = Clip (s, lo, hi) u = {grouped} v = Clip (u, lo, hi)"
        " y = Conv (v, w2)",
        **deep,
        lo=constant(0),
        hi=constant(6),
    )
    yield network(
        "Conv between 1x1 Convs",
        "then GlobalAveragePool",
        f"s = Conv (x, w1) t = Relu (s) u = {middle} v = Relu (u) z = Conv (v, w2)"
        " y = GlobalAveragePool (z)",
        **full,
    )
    yield network(
        "Conv between 1x1 Convs",
        "batch 2",
        f"s = Conv (x, w1) t = Relu (s) u = {middle} v = Relu (u) y = Conv (v, w2)",
        **{**full, "x": floats(2, 2, 6, 6)},
    )
    yield network(
        "Conv between 1x1 Convs",
        "more channels than rows",
        "s = Conv (x, w1) t = Relu (s) u = Conv <pads = [1, 1, 1, 1]> (t, w3)"
        " v = Relu (u) y = Conv (v, w2)",
        x=floats(1, 2, 3, 3),
        w1=weights(5, 2, 1, 1),
        w3=weights(5, 5, 3, 3),
        w2=weights(2, 5, 1, 1),
    )


def transposed() -> Iterator[Case]:
    x, w, b = floats(1, 2, 4, 4), weights(2, 3, 3, 3), weights(3)
    yield case("ConvTranspose", "no attributes", x, w)
    yield case("ConvTranspose", "bias", x, w, b)
    yield case("ConvTranspose", "strides", x, w, b, strides=[2, 2])
    yield case("ConvTranspose", "kernel 2 stride 2", x, weights(2, 3, 2, 2), b, strides=[2, 2])
    yield case("ConvTranspose", "pads", x, w, b, pads=[1, 1, 1, 1])
    yield case("ConvTranspose", "strides and pads", x, w, b, strides=[2, 2], pads=[1, 1, 1, 1])
    yield case("ConvTranspose", "asymmetric pads", x, w, b, strides=[2, 2], pads=[0, 1, 1, 0])
    yield case(
        "ConvTranspose",
        "output_padding",
        x,
        w,
        b,
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    )
    yield case("ConvTranspose", "output_shape", x, w, b, strides=[2, 2], output_shape=[8, 8])
    yield case(
        "ConvTranspose", "auto_pad SAME_UPPER", x, w, b, strides=[2, 2], auto_pad="SAME_UPPER"
    )
    yield case("ConvTranspose", "group 2", x, weights(2, 2, 3, 3), group=2, strides=[2, 2])
    yield case(
        "ConvTranspose",
        "group 2 of 4 channels",
        floats(1, 4, 4, 4),
        weights(4, 2, 2, 2),
        group=2,
        strides=[2, 2],
    )
    yield case(
        "ConvTranspose",
        "group 2 to 2 channels",
        floats(1, 4, 4, 4),
        weights(4, 1, 3, 3),
        weights(2),
        group=2,
    )
    yield case(
        "ConvTranspose", "depthwise", x, weights(2, 1, 2, 2), weights(2), group=2, strides=[2, 2]
    )
    yield case("ConvTranspose", "dilations 2", x, w, b, dilations=[2, 2])
    yield case("ConvTranspose", "stride beyond kernel", x, weights(2, 3, 2, 2), strides=[3, 3])
    yield case("ConvTranspose", "batch 2", floats(2, 2, 4, 4), w, b)
    yield case("ConvTranspose", "1d", floats(1, 2, 5), weights(2, 3, 3), b, strides=[2])
    yield case("ConvTranspose", "weight is an input", x, floats(2, 3, 3, 3))


def pools() -> Iterator[Case]:
    two = {"kernel_shape": [2, 2], "strides": [2, 2]}
    three = {"kernel_shape": [3, 3], "strides": [2, 2]}
    for operator in ("MaxPool", "AveragePool"):
        yield case(operator, "kernel 2 stride 2", IMAGE, **two)
        yield case(operator, "no strides", IMAGE, kernel_shape=[2, 2])
        yield case(operator, "overlapping", IMAGE, kernel_shape=[3, 3], strides=[1, 1])
        yield case(operator, "unequal window", IMAGE, kernel_shape=[2, 3], strides=[1, 2])
        yield case(operator, "padded", IMAGE, **three, pads=[1, 1, 1, 1])
        yield case(
            operator,
            "padded, negative values",
            floats(1, 2, 6, 6, draw="negative"),
            **three,
            pads=[1, 1, 1, 1],
        )
        yield case(operator, "asymmetric pads", IMAGE, **three, pads=[0, 0, 1, 1])
        yield case(operator, "auto_pad SAME_UPPER", IMAGE, **three, auto_pad="SAME_UPPER")
        yield case(operator, "auto_pad SAME_LOWER", IMAGE, **three, auto_pad="SAME_LOWER")
        yield case(operator, "auto_pad VALID", IMAGE, **three, auto_pad="VALID")
        yield case(operator, "ceil_mode without effect", IMAGE, **two, ceil_mode=1)
        yield case(operator, "ceil_mode", IMAGE, **three, ceil_mode=1)
        yield case(operator, "ceil_mode padded", IMAGE, **three, ceil_mode=1, pads=[1, 1, 1, 1])
        yield case(operator, "batch 2", floats(2, 2, 6, 6), **two)
        yield case(operator, "1d", floats(1, 2, 8), kernel_shape=[2], strides=[2])
        yield case(operator, "3d", floats(1, 1, 4, 4, 4), kernel_shape=[2, 2, 2], strides=[2, 2, 2])
        yield case(operator, "opset 7", IMAGE, opset=7, **two)
        yield case(operator, "opset 22", IMAGE, opset=22, **two)
        yield network(
            operator,
            "padded behind ReLU",
            f"r = Relu (x) y = {operator} <kernel_shape = [3, 3], strides = [2, 2],"
            " pads = [1, 1, 1, 1]> (r)",
            x=IMAGE,
        )
        yield network(
            operator,
            "ceil_mode behind ReLU",
            f"r = Relu (x) y = {operator} <kernel_shape = [3, 3], strides = [2, 2],"
            " ceil_mode = 1> (r)",
            x=IMAGE,
        )
    yield case(
        "MaxPool", "dilations 2", IMAGE, kernel_shape=[2, 2], strides=[1, 1], dilations=[2, 2]
    )
    yield case("MaxPool", "indices read", IMAGE, **two, outputs=2)
    yield case("MaxPool", "kernel 1", IMAGE, kernel_shape=[1, 1], strides=[2, 2])
    yield case(
        "AveragePool", "padding counts", IMAGE, **three, pads=[1, 1, 1, 1], count_include_pad=1
    )
    yield case(
        "AveragePool",
        "padding counts, ceil_mode",
        IMAGE,
        **three,
        pads=[1, 1, 1, 1],
        count_include_pad=1,
        ceil_mode=1,
    )
    yield case(
        "AveragePool",
        "dilations 2",
        IMAGE,
        kernel_shape=[2, 2],
        strides=[1, 1],
        dilations=[2, 2],
        opset=19,
    )
    for operator in ("GlobalAveragePool", "GlobalMaxPool"):
        yield case(operator, "2d", IMAGE)
        yield case(operator, "1d", floats(1, 2, 6))
        yield case(operator, "3d", floats(1, 2, 3, 3, 3))
        yield case(operator, "batch 2", floats(2, 2, 4, 4))
        yield case(operator, "odd size", floats(1, 2, 5, 3))
    yield case("LpPool", "p 2", IMAGE, **two)
    yield case("LpPool", "p 1", IMAGE, **two, p=1)
    yield case("GlobalLpPool", "p 2", IMAGE)
    yield case(
        "MaxUnpool",
        "default",
        IMAGE,
        constant(np.zeros((1, 2, 6, 6)), np.int64),
        **two,
        types=[(1, (1, 2, 12, 12))],
    )


def resampling() -> Iterator[Case]:
    x, double = floats(1, 2, 3, 3), constant([1, 1, 2, 2])
    asymmetric = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    yield case("Upsample", "nearest", x, double, opset=9, mode="nearest")
    yield case("Upsample", "linear", x, double, opset=9, mode="linear")
    yield case(
        "Upsample",
        "opset 7",
        x,
        opset=7,
        mode="nearest",
        scales=[1.0, 1.0, 2.0, 2.0],
        types=[(1, (1, 2, 6, 6))],
    )
    yield case("Resize", "nearest scales, default", x, None, double, mode="nearest")
    yield case(
        "Resize",
        "nearest scales, asymmetric floor",
        x,
        None,
        double,
        **asymmetric,
        nearest_mode="floor",
    )
    for mode in ("round_prefer_floor", "round_prefer_ceil", "ceil"):
        yield case(
            "Resize",
            f"nearest scales, asymmetric {mode}",
            x,
            None,
            double,
            **asymmetric,
            nearest_mode=mode,
        )
    yield case(
        "Resize",
        "nearest by 3",
        x,
        None,
        constant([1, 1, 3, 3]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest by 3, round_prefer_floor",
        x,
        None,
        constant([1, 1, 3, 3]),
        **asymmetric,
        nearest_mode="round_prefer_floor",
    )
    yield case("Resize", "nearest by 4, default", x, None, constant([1, 1, 4, 4]), mode="nearest")
    yield case(
        "Resize",
        "nearest unequal scales",
        x,
        None,
        constant([1, 1, 2, 3]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest by 1.5",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 1.5, 1.5]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest halved",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 0.5, 0.5]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case("Resize", "nearest sizes", x, None, None, indices(1, 2, 6, 6), mode="nearest")
    yield case(
        "Resize",
        "nearest sizes, asymmetric floor",
        x,
        None,
        None,
        indices(1, 2, 6, 6),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case(
        "Resize",
        "nearest align_corners",
        x,
        None,
        double,
        mode="nearest",
        coordinate_transformation_mode="align_corners",
    )
    for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
        yield case(
            "Resize",
            f"linear {mode}",
            x,
            None,
            double,
            mode="linear",
            coordinate_transformation_mode=mode,
        )
    yield case(
        "Resize", "linear, nearest_mode floor", x, None, double, mode="linear", nearest_mode="floor"
    )
    yield case("Resize", "linear sizes", x, None, None, indices(1, 2, 5, 7), mode="linear")
    yield case(
        "Resize",
        "linear halved",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 0.5, 0.5]),
        mode="linear",
    )
    yield case("Resize", "cubic", x, None, double, mode="cubic")
    yield case(
        "Resize",
        "nearest in channels",
        x,
        None,
        constant([1, 2, 1, 1]),
        **asymmetric,
        nearest_mode="floor",
    )
    yield case("Resize", "opset 10", x, double, opset=10, mode="nearest")
    yield case(
        "Resize",
        "antialias",
        floats(1, 2, 4, 4),
        None,
        constant([1, 1, 0.5, 0.5]),
        mode="linear",
        antialias=1,
        opset=18,
    )
    yield case("DepthToSpace", "DCR", floats(1, 8, 2, 3), blocksize=2)
    yield case("DepthToSpace", "CRD", floats(1, 8, 2, 3), blocksize=2, mode="CRD")
    yield case("DepthToSpace", "batch 2", floats(2, 4, 2, 2), blocksize=2)
    yield case("SpaceToDepth", "blocksize 2", floats(1, 2, 4, 6), blocksize=2)
    yield case("GridSample", "default", x, floats(1, 2, 2, 2, draw="unit"), opset=20)
    yield case("AffineGrid", "2d", floats(1, 2, 3), indices(1, 2, 3, 3), opset=20)
    yield case("RoiAlign", "default", x, constant([[0, 0, 2, 2]]), indices(0))
    yield case("MaxRoiPool", "default", x, constant([[0, 0, 0, 2, 2]]), pooled_shape=[1, 1])
    yield case("Col2Im", "default", floats(1, 4, 4), indices(3, 3), indices(2, 2), opset=18)
    yield case(
        "DeformConv",
        "default",
        floats(1, 1, 3, 3),
        weights(1, 1, 2, 2),
        floats(1, 8, 2, 2),
        opset=19,
    )
    yield case("CenterCropPad", "crop", floats(4, 4), indices(2, 2), opset=18)


def cases() -> Iterator[Case]:
    yield from convolutions()
    yield from pools()
    yield from resampling()
