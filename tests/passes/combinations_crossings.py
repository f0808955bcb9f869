"""What lies between: rectifiers, pools, clips, pads, and what nothing crosses."""

import numpy as np
from combinations import case

from benchmarks.fusion.building import Net


@case("Conv LeakyRelu")
def positive_scale_over_leaky(n: Net) -> str:
    return n(
        "Mul", n("LeakyRelu", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), alpha=0.1), n.positive(4, 1, 1)
    )


@case("Conv LeakyRelu Mul", "has scale -0.5: the order of values turns round")
def negative_scale_over_leaky(n: Net) -> str:
    return n("Mul", n("LeakyRelu", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), alpha=0.1), n.k(-0.5))


@case("Conv PRelu")
def positive_scale_over_prelu(n: Net) -> str:
    return n(
        "Mul",
        n("PRelu", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), n.normal(4, 1, 1)),
        n.positive(4, 1, 1),
    )


@case("Conv MaxPool BatchNormalization", "the order of values turns round")
def negative_over_maxpool(n: Net) -> str:
    return n.bn(n("MaxPool", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), kernel_shape=[2, 2]), 4)


@case("Conv MaxPool")
def positive_over_maxpool(n: Net) -> str:
    return n.bn(
        n("MaxPool", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), kernel_shape=[2, 2], strides=[2, 2]),
        4,
        positive=True,
    )


@case("Conv GlobalMaxPool")
def positive_over_globalmaxpool(n: Net) -> str:
    return n.bn(n("GlobalMaxPool", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)), 4, positive=True)


@case("Conv AveragePool")
def over_averagepool(n: Net) -> str:
    return n.bn(n("AveragePool", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), kernel_shape=[2, 2]), 4)


@case("Conv Clip")
def over_clip(n: Net) -> str:
    return n(
        "Add",
        n("Mul", n("Clip", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.k(0.0), n.k(6.0)), n.k(0.25)),
        n.k(-0.5),
    )


@case("Conv Clip BatchNormalization", "its bounds are the same for all channels")
def bn_over_clip(n: Net) -> str:
    return n.bn(n("Clip", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.k(0.0), n.k(6.0)), 4)


@case("Clip Conv")
def clip_forward(n: Net) -> str:
    x = n("Sub", n("Mul", n.x(1, 3, 6, 6), n.k(2.0)), n.k(1.0))
    return n.conv(n("Clip", x, n.k(-0.5), n.k(0.75)), 3, 4, 3, 3)


@case("Conv Clip", opset=7)
def clip_attributes(n: Net) -> str:
    return n(
        "Mul", n("Clip", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), min=0.0, max=6.0), n.k(np.array(0.5))
    )


@case("Conv Clip")
def clip_one_bound(n: Net) -> str:
    return n("Mul", n("Clip", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), "", n.k(0.5)), n.k(3.0))


@case("Conv Clip Mul", "the order of values turns round")
def clip_negative(n: Net) -> str:
    return n("Mul", n("Clip", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.k(0.0), n.k(0.5)), n.k(-3.0))


@case("Conv Pad BatchNormalization", "pads with other values than 0")
def pad_nonzero(n: Net) -> str:
    return n.bn(
        n(
            "Pad",
            n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3),
            n.k(np.array([0, 0, 1, 1, 0, 0, 1, 1])),
            n.k(1.0),
        ),
        4,
    )


@case("Conv Pad")
def pad_zero_scale(n: Net) -> str:
    return n(
        "Mul",
        n("Pad", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.k(np.array([0, 0, 1, 1, 0, 0, 1, 1]))),
        n.normal(4, 1, 1),
    )


@case("Conv Add")
def pad_conv_bn_before(n: Net) -> str:
    x = n("Pad", n.bn(n.x(1, 3, 6, 6), 3), n.k(np.array([0, 0, 1, 1, 0, 0, 1, 1])))
    return n.conv(x, 3, 4, 3, 3)


@case("Conv Softmax Mul", "Softmax lies between them")
def softmax_trap(n: Net) -> str:
    return n("Mul", n("Softmax", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), axis=1), n.normal(4, 1, 1))


@case("Conv Sigmoid BatchNormalization", "Sigmoid lies between them")
def sigmoid_trap(n: Net) -> str:
    return n.bn(n("Sigmoid", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)), 4)


@case("Conv Greater Where BatchNormalization", "Where lies between them")
def where_trap(n: Net) -> str:
    c = n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)
    return n.bn(n("Where", n("Greater", c, n.k(0.0)), c, n.k(0.0)), 4)


@case("Conv Sigmoid Mul BatchNormalization", "Mul lies between them")
def swish_trap(n: Net) -> str:
    c = n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)
    return n.bn(n("Mul", c, n("Sigmoid", c)), 4)


@case("Conv Add Clip Mul Div")
def hardswish(n: Net) -> str:
    c = n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)
    h = n("Mul", c, n("Clip", n("Add", c, n.k(3.0)), n.k(0.0), n.k(6.0)))
    return n("Div", h, n.k(6.0))
