"""Axes, padding, pools and number formats that keep a map out of an operator."""

import numpy as np
import pytest
from guards import Guards, image
from net import Net

guard = Guards()


@guard("it scales the rows of the product; the weight only reaches its columns", linear="'n_m'")
def matmul_axis() -> Net:
    net = Net()
    net.input("x", 2, 4, 5)
    net.batch_norm(net.node("MatMul", "x", net.normal("w", 5, 4), out="m"), 4)
    return net


@guard("after 'n_t' its channels are the rows of the product", linear="'n_m'")
def transposed_square() -> Net:
    net = Net()
    net.input("x", 4, 4)
    net.node("MatMul", "x", net.normal("w", 4, 4), out="m")
    net.batch_norm(net.node("Transpose", "m", out="t"), 4)
    return net


@guard("'n_r' rearranges the channels", linear="'n_g'")
def reshape_moves() -> Net:
    net = Net()
    net.input("x", 8, 4)
    net.node("Gemm", "x", net.normal("w", 4, 4), out="g")
    net.batch_norm(net.node("Reshape", "g", net.constant("t", np.array([2, 4, 4])), out="r"), 4)
    return net


@guard("'n_f' rearranges the channels")
def flattened_channels_that_differ() -> Net:
    net = Net()
    net.node("Flatten", image(net), out="f")
    net.node("Mul", "f", net.normal("k", 4 * 4 * 3), out="y")
    return net


@guard("with transA=1 its channels are rows, not the summed axis", kept="'n_u'", linear="'n_y'")
def gemm_trans_a() -> Net:
    net = Net()
    net.input("x", 4, 4)
    net.batch_norm("x", 4, out="u")
    net.node("Gemm", "u", net.normal("w", 4, 4), out="y", transA=1)
    return net


@guard(
    "the padding adds zeros after the shift, so the shift is smaller at the border",
    kept="'n_u'",
    linear="'n_y'",
)
def padded_shift() -> Net:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node("Add", "x", net.normal("k", 3, 1, 1), out="u")
    net.conv("u", 3, 4, 3, 3, out="y", pads=[1, 1, 1, 1])
    return net


@guard("a border correction needs a fixed height and width", kept="'n_u'", linear="'n_y'")
def padded_shift_by_auto_pad() -> Net:
    net = Net()
    net.input("x", 1, 3, "H", 6)
    net.conv(net.batch_norm("x", 3, out="u"), 3, 4, 3, 3, out="y", auto_pad="SAME_UPPER")
    return net


@guard("a border correction needs a fixed height and width", kept="'n_u'", linear="'n_y'")
def map_dynamic() -> Net:
    net = Net()
    net.input("x", 1, 3, "H", "W")
    net.conv(net.batch_norm("x", 3, out="u"), 3, 4, 3, 3, out="y", pads=[1, 1, 1, 1])
    return net


@guard("the shift reaches each output a different number of times", kept="'n_u'", linear="'n_y'")
def convt_shift() -> Net:
    net = Net()
    net.input("x", 1, 3, 4, 4)
    net.node("Sub", "x", net.normal("k", 3, 1, 1), out="u")
    net.conv_transpose("u", 3, 4, 3, 3, out="y", strides=[2, 2])
    return net


@guard("channel 0 has scale -0.5: the order of values turns round")
def neg_max() -> Net:
    net = Net()
    net.node("MaxPool", image(net), out="p", kernel_shape=[2, 2])
    net.node("Mul", "p", net.constant("k", np.array([-0.5, 1, 2, 3]).reshape(4, 1, 1)), out="y")
    return net


@guard("channel 2 has scale -2: the order of values turns round")
def neg_relu() -> Net:
    net = Net()
    net.node("Relu", image(net), out="r")
    net.node("Mul", "r", net.constant("k", np.array([1, 1, -2, 3.0]).reshape(4, 1, 1)), out="y")
    return net


@guard("a shift does not commute with Relu")
def relu_shift() -> Net:
    net = Net()
    net.batch_norm(net.node("Relu", image(net), out="r"), 4)
    return net


@guard("the pool averages in padded zeros")
def pool_pad() -> Net:
    net = Net()
    attrs = {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0], "count_include_pad": 1}
    net.node("AveragePool", image(net), out="p", **attrs)
    net.node("Add", "p", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("the pool pads, and its padding is not shifted")
def max_pool_pad() -> Net:
    net = Net()
    net.node("MaxPool", image(net), out="p", kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    net.node("Add", "p", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("it varies over positions, and 'n_p' mixes them", kept="'n_u'", linear="'n_y'")
def scale_along_rows_before_a_pool() -> Net:
    net = Net()
    net.input("x", 1, 3, 4, 5)
    net.node("Mul", "x", net.normal("k", 5), out="u")
    net.node("AveragePool", "u", out="p", kernel_shape=[1, 3], pads=[0, 1, 0, 1])
    net.node("MatMul", "p", net.normal("w", 5, 2), out="y")
    return net


@guard("'n_p' pads the axis it runs along")
def pad_of_channels() -> Net:
    net = Net()
    net.node("Pad", image(net), net.constant("t", np.array([0, 0, 0, 0, 0, 1, 0, 0])), out="p")
    net.node("Mul", "p", net.normal("k", 5, 1, 1), out="y")
    return net


@guard("'n_r' reduces the axis it runs along", kept="'n_u'", linear="'n_y'")
def scale_along_a_reduced_axis() -> Net:
    net = Net()
    net.input("x", 2, 4, 4)
    net.node("Mul", "x", net.normal("k", 4), out="u")
    net.node("ReduceMean", "u", out="r", axes=[2], keepdims=0)
    net.node("MatMul", "r", net.normal("w", 4, 3), out="y")
    return net


@guard("the positions of the maxima are used")
def pool_indices() -> Net:
    net = Net()
    net.node("MaxPool", image(net), out=("p", "i"), kernel_shape=[2, 2])
    net.node("Add", "p", net.normal("k", 4, 1, 1), out="y")
    return net.output("i")


@guard("the padding adds zeros after the shift, so the shift is smaller at the border")
def pad_shift() -> Net:
    net = Net()
    net.node("Pad", image(net), net.constant("t", np.array([0, 0, 1, 1, 0, 0, 1, 1])), out="p")
    net.node("Add", "p", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("'n_p' pads with other values than 0")
def pad_of_ones() -> Net:
    net = Net()
    net.node(
        "Pad",
        image(net),
        net.constant("t", np.array([0, 0, 1, 1, 0, 0, 1, 1])),
        net.constant("one", 1.0),
        out="p",
    )
    net.node("Mul", "p", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("its bounds are the same for all channels, the scale or shift is not")
def clip_per_channel() -> Net:
    net = Net()
    net.node("Clip", image(net), net.constant("lo", 0.0), net.constant("hi", 6.0), out="p")
    net.batch_norm("p", 4)
    return net


@guard("channel 0 has scale -2: the order of values turns round")
def clip_negative() -> Net:
    net = Net()
    net.node("Clip", image(net), net.constant("lo", 0.0), out="p")
    net.node("Mul", "p", net.constant("k", -2.0), out="y")
    return net


@guard("channel 0 has scale 0: nothing is left of its bounds")
def clip_times_zero() -> Net:
    net = Net()
    net.node("Clip", image(net), net.constant("lo", 0.5), out="p")
    net.node("Mul", "p", net.constant("k", 0.0), out="y")
    return net


@guard("'hi' is a model input, so its value is not known here")
def clip_at_runtime() -> Net:
    net = Net()
    net.node("Clip", image(net), net.constant("lo", 0.0), net.input("hi"), out="p")
    net.node("Mul", "p", net.constant("k", 2.0), out="y")
    return net


@guard("'n_p' makes channels of one channel that differ afterwards")
def gather_twice() -> Net:
    net = Net()
    net.node("Gather", image(net), net.constant("i", np.array([1, 1, 0])), out="p", axis=1)
    net.batch_norm("p", 3)
    return net


@guard("what 'n_p' picks is not constant")
def gather_at_runtime() -> Net:
    net = Net()
    net.input("i", 3, dtype=7)
    net.node("Gather", image(net), "i", out="p", axis=1)
    net.batch_norm("p", 3)
    return net


@guard("'n_p' makes each channel from several")
def depth_to_space() -> Net:
    net = Net()
    net.input("x", 2, 3, 6, 5)
    net.node("DepthToSpace", net.conv("x", 3, 8, 3, 3), out="p", blocksize=2)
    net.batch_norm("p", 2)
    return net


@guard("'n_p' fills in values of its own")
def resize_with_a_fill() -> Net:
    net = Net()
    roi = net.constant("roi", np.array([0, 0, 0, 0, 1, 1, 1.5, 1.5]))
    scales = net.constant("scales", np.array([1, 1, 2, 2.0]))
    net.node(
        "Resize",
        image(net),
        roi,
        scales,
        out="p",
        coordinate_transformation_mode="tf_crop_and_resize",
    )
    net.node("Mul", "p", net.constant("k", 2.0), out="y")
    return net


@pytest.mark.parametrize("name", list(guard))
def test_guard(name: str) -> None:
    guard.check(name)
