"""Convolutions, and what the loader takes into them or moves around them."""

from collections.abc import Iterator

from models import (
    Case,
    case,
    constant,
    floats,
    network,
    positive_weights,
    weights,
)

IMAGE = floats(1, 2, 6, 6)


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


def followed() -> Iterator[Case]:
    """Conv with arithmetic behind it, which tract takes into the Conv."""
    w, b, per_channel = weights(3, 2, 3, 3), weights(3), positive_weights(1, 3, 1, 1)
    given = {"x": IMAGE, "w": w, "b": b, "c": per_channel}
    away_from_zero = {
        **given,
        "x": floats(1, 2, 6, 6, draw="positive"),
        "w": positive_weights(3, 2, 3, 3),
    }
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
            **away_from_zero,
        )
        yield network(
            "Conv",
            f"then {operator}, scalar constant first",
            f"a = Conv (x, w, b) y = {operator} (c, a)",
            **{**away_from_zero, "c": constant(1.5)},
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


def cases() -> Iterator[Case]:
    yield from convolutions()
    yield from followed()
    yield from sandwiches()
    yield from transposed()
