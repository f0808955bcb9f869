"""Conv and ConvTranspose with a BatchNormalization behind them: dimensions, windows, groups."""

import numpy as np

from benchmarks.fusion.building import Net, Size
from benchmarks.fusion.patterns.pattern import Family

PLAIN = Family("Conv k>1, group 1, + BN")
GROUPED = Family("Conv 1x1, depthwise, grouped, MobileNet block + BN")
EMPTY_BIAS = Family("Conv with empty-string bias + BN")
TRANSPOSED = Family("ConvTranspose + BN, group 1; grouped")


def _square(net: Net, s: Size, *kernel: int, dynamic: str = "", **options: object) -> str:
    """Conv and BatchNormalization on an image [n, c, h, w]."""
    shape = {"": (s.n, s.c, s.h, s.w), "N": ("N", s.c, s.h, s.w), "HW": (s.n, s.c, "H", "W")}
    image = net.x(*shape[dynamic])
    return net.bn(net.conv(image, s.c, s.o, *(kernel or (3, 3)), **options), s.o)


def _odd_statistics(variance: list[float], epsilon: float) -> object:
    def build(net: Net, s: Size) -> str:
        gamma, beta, mean, _ = net.statistics(s.o)
        values = np.resize(np.array(variance), s.o)
        parameters = [net.k(one) for one in (gamma, beta, mean, values)]
        product = net.conv(net.x(s.n, s.c, s.h, s.w), s.c, s.o, 3, 3, pads=[1, 1, 1, 1])
        return net.bn(product, s.o, *parameters, epsilon=epsilon, momentum=0.1)

    return build


def _residual(net: Net, s: Size) -> str:
    x = net.x(s.n, s.c, s.h, s.w)
    inner = net("Relu", net.bn(net.conv(x, s.c, s.c, 3, 3, pads=[1] * 4), s.c))
    outer = net.bn(net.conv(inner, s.c, s.c, 3, 3, pads=[1] * 4, bias=False), s.c)
    return net("Relu", net("Add", outer, x))


PLAIN.add("1-D", 1, lambda net, s: net.bn(net.conv(net.x(s.n, s.c, s.h), s.c, s.o, 3), s.o))
PLAIN.add("2-D", 1, _square)
PLAIN.add("3-D", 1, lambda n, s: n.bn(n.conv(n.x(s.n, s.c, s.h, s.w, 4), s.c, s.o, 3, 3, 3), s.o))
PLAIN.add("5x5", 1, lambda net, s: _square(net, s, 5, 5, pads=[2] * 4))
PLAIN.add("2x3", 1, lambda net, s: _square(net, s, 2, 3))
PLAIN.add("no bias", 1, lambda net, s: _square(net, s, bias=False))
PLAIN.add("stride 2", 1, lambda net, s: _square(net, s, strides=[2, 2], pads=[1] * 4))
PLAIN.add("strides that differ", 1, lambda net, s: _square(net, s, strides=[2, 1]))
PLAIN.add("pads", 1, lambda net, s: _square(net, s, pads=[1] * 4))
PLAIN.add("asymmetric pads", 1, lambda net, s: _square(net, s, pads=[0, 1, 2, 3]))
PLAIN.add("auto_pad SAME_UPPER", 1, lambda net, s: _square(net, s, 2, 3, auto_pad="SAME_UPPER"))
PLAIN.add("auto_pad SAME_LOWER", 1, lambda net, s: _square(net, s, 2, 3, auto_pad="SAME_LOWER"))
PLAIN.add("auto_pad VALID", 1, lambda net, s: _square(net, s, auto_pad="VALID"))
PLAIN.add("dilated", 1, lambda net, s: _square(net, s, 2, 2, dilations=[2, 3]))
PLAIN.add("dynamic batch", 1, lambda net, s: _square(net, s, dynamic="N"))
PLAIN.add("dynamic height and width", 1, lambda net, s: _square(net, s, dynamic="HW"))
for _opset in (7, 9, 13, 21):
    PLAIN.add(f"opset {_opset}", 1, lambda net, s: _square(net, s, pads=[1] * 4), opset=_opset)
PLAIN.add("variance 1e-7", 1, _odd_statistics([1e-7, 10.0, 1e-3], 1e-5))
PLAIN.add("variance 0, epsilon 1e-2", 1, _odd_statistics([0.0, 3.0], 1e-2))
PLAIN.add("residual block", 5, _residual)


def _mobile_net(net: Net, s: Size) -> str:
    """Expand, depthwise, project; Clip between."""
    low, high = net.k(0.0), net.k(6.0)
    wide = net.bn(net.conv(net.x(s.n, s.c, s.h, s.w), s.c, 2 * s.c, 1, 1, bias=False), 2 * s.c)
    wide = net("Clip", wide, low, high)
    deep = net.conv(wide, 2 * s.c, 2 * s.c, 3, 3, group=2 * s.c, pads=[1] * 4, bias=False)
    deep = net("Clip", net.bn(deep, 2 * s.c), low, high)
    return net.bn(net.conv(deep, 2 * s.c, s.o, 1, 1, bias=False), s.o)


def _depthwise(net: Net, s: Size) -> str:
    x = net.x(s.n, s.c, s.h, s.w)
    return net.bn(net.conv(x, s.c, 2 * s.c, 3, 3, group=s.c, pads=[1] * 4), 2 * s.c)


GROUPED.add("1x1", 1, lambda net, s: _square(net, s, 1, 1))
GROUPED.add("depthwise, two filters per channel", 1, _depthwise)
GROUPED.add("two groups", 1, lambda net, s: _square(net, s, group=2))
GROUPED.add("MobileNet block", 5, _mobile_net)


def _empty_bias(net: Net, s: Size) -> str:
    x = net.x(s.n, s.c, s.h, s.w)
    return net.bn(net("Conv", x, net.normal(s.o, s.c, 3, 3), ""), s.o)


EMPTY_BIAS.add("bias ''", 1, _empty_bias)


def _deconvolution(net: Net, s: Size, **options: object) -> str:
    return _square(net, s, op="ConvTranspose", **options)


TRANSPOSED.add(
    "group 1",
    1,
    lambda n, s: _deconvolution(n, s, strides=[2, 2], pads=[1] * 4, output_padding=[1, 0]),
)
TRANSPOSED.add("two groups", 1, lambda net, s: _deconvolution(net, s, group=2, strides=[2, 1]))


def _deep_deconvolution(net: Net, s: Size) -> str:
    x = net.x(s.n, s.c, s.h, s.w)
    made = net.conv(x, s.c, 2 * s.c, 2, 3, op="ConvTranspose", group=s.c, bias=False)
    return net.bn(made, 2 * s.c)


TRANSPOSED.add("depthwise, no bias", 1, _deep_deconvolution)

FAMILIES = (PLAIN, GROUPED, EMPTY_BIAS, TRANSPOSED)
