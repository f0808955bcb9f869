"""Operators an affine map crosses, backward and forward, and the names of what it leaves behind."""

import numpy as np
import pytest
from net import Net, check_fused, check_kept


def conv_then(net: Net, opset: int = 17) -> str:
    net.input("x", 1, 3, 6, 6)
    return net.conv("x", 3, 4, 3, 3)


BACKWARD = {
    "AveragePool": ("AveragePool", {"kernel_shape": [2, 2]}),
    "AveragePool with ceil_mode": (
        "AveragePool",
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    ),
    "GlobalAveragePool": ("GlobalAveragePool", {}),
    "ReduceMean": ("ReduceMean", {"axes": [2]}),
    "ReduceMean, axes dropped": ("ReduceMean", {"axes": [-1], "keepdims": 0}),
}


@pytest.mark.parametrize("form", BACKWARD)
def test_batch_norm_backward_across_averages(form: str) -> None:
    op, attrs = BACKWARD[form]
    net = Net(17)
    net.node(op, conv_then(net), out="p", **attrs)
    net.batch_norm("p", 4)
    result = check_fused(net.output("y").model(), ["Conv", op])
    assert result.applied[0].nodes == ("n_c", "n_p", "n_y")
    conv, pool = result.model.graph
    assert conv.outputs[0].name == "c_fused"
    assert pool.outputs[0].name == "y"


@pytest.mark.parametrize("op", ["MaxPool", "GlobalMaxPool", "ReduceMax"])
def test_batch_norm_backward_across_maxima(op: str) -> None:
    attrs = {"MaxPool": {"kernel_shape": [2, 2]}, "ReduceMax": {"axes": [3]}}.get(op, {})
    net = Net()
    net.node(op, conv_then(net), out="p", **attrs)
    net.positive_norm("p", 4)
    check_fused(net.output("y").model(), ["Conv", op])


@pytest.mark.parametrize("op", ["Relu", "LeakyRelu", "PRelu"])
@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_positive_scale_across_rectifiers(op: str, direction: str) -> None:
    net = Net()
    k = net.constant("k", np.array([0.5, 2.0, 0.0, 3.0]).reshape(4, 1, 1))
    slope = (
        [net.constant("slope", np.array([0.1, -0.5, 2.0, 0.0]).reshape(4, 1, 1))]
        if op == "PRelu"
        else []
    )
    if direction == "backward":
        net.node("Mul", net.node(op, conv_then(net), *slope, out="r"), k, out="y")
        expected = ["Conv", op]
    else:
        net.input("x", 1, 4, 5, 5)
        net.node(op, net.node("Mul", "x", k, out="m"), *slope, out="r")
        net.conv("r", 4, 2, 3, 3, out="y", pads=[1, 1, 1, 1])
        expected = [op, "Conv"]
    check_fused(net.output("y").model(), expected)


def test_a_reduced_axis_before_the_channels() -> None:
    net = Net()
    net.input("x", 2, 3, 5)
    net.node("MatMul", "x", net.normal("w", 5, 4), out="m")
    net.node("ReduceMean", "m", out="r", axes=[1], keepdims=0)
    net.node("Mul", "r", net.normal("k", 4), out="y")
    check_fused(net.output("y").model(), ["MatMul", "ReduceMean"])


@pytest.mark.parametrize("op", ["Relu", "AveragePool", "MaxPool", "Pad"])
def test_the_scale_goes_where_the_shift_cannot(op: str) -> None:
    """BatchNormalization costs a rescale per element, what is left of it an addition."""
    net = Net()
    attrs = {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]} if op.endswith("Pool") else {}
    extra = [net.constant("pads", np.array([0, 0, 1, 0, 0, 0, 1, 2]))] if op == "Pad" else []
    net.node(op, conv_then(net), *extra, out="p", **attrs)
    net.positive_norm("p", 4)
    result = check_fused(net.output("y").model(), ["Conv", op, "Add"])
    assert [node.name for node in result.model.graph] == ["n_c", "n_p", "n_y_shift"]
    assert result.applied[0].nodes == ("n_c", "n_p", "n_y")
    assert result.applied[0].created == ("n_y_shift",)


def test_scale_across_pad() -> None:
    net = Net()
    pads = net.constant("pads", np.array([0, 0, 1, 0, 0, 0, 1, 2]))
    net.node("Pad", conv_then(net), pads, out="p")
    net.node("Mul", "p", net.normal("k", 4, 1, 1), out="y")
    check_fused(net.output("y").model(), ["Conv", "Pad"])


def test_reduce_sum_multiplies_the_shift() -> None:
    net = Net()
    axes = net.constant("axes", np.array([2, 3]))
    net.node("ReduceSum", conv_then(net), axes, out="p", keepdims=0)
    net.batch_norm("p", 4)
    check_fused(net.output("y").model(), ["Conv", "ReduceSum"])


def test_forward_across_a_pool_and_a_flatten() -> None:
    net = Net()
    net.input("x", 2, 3, 4, 6)
    net.node(
        "AveragePool", net.batch_norm("x", 3, out="u"), out="p", kernel_shape=[2, 2], strides=[2, 2]
    )
    net.node("Flatten", "p", out="f")
    net.node("Gemm", "f", net.normal("w", 18, 5), out="y")
    check_fused(net.output("y").model(), ["AveragePool", "Flatten", "Gemm"])


RESHAPES = {
    "channels stay": ((1, 3, 6, 6), (1, 4, 16), 4),
    "batch of one dropped": ((1, 3, 6, 6), (4, 16, 1), None),
    "a -1": ((2, 3, 6, 6), (2, 4, -1), 4),
    "a 0": ((2, 3, 6, 6), (0, 4, 8, 2), 4),
}


@pytest.mark.parametrize("form", [f for f in RESHAPES if RESHAPES[f][2]])
def test_batch_norm_across_reshape(form: str) -> None:
    shape, target, channels = RESHAPES[form]
    net = Net()
    net.input("x", *shape)
    net.node("Reshape", net.conv("x", 3, 4, 3, 3), net.constant("t", np.array(target)), out="r")
    net.batch_norm("r", channels)
    check_fused(net.output("y").model(), ["Conv", "Reshape"])


def test_batch_norm_after_gemm_and_reshape_to_image() -> None:
    net = Net()
    net.input("x", 2, 5)
    net.node("Gemm", "x", net.normal("w", 5, 24), out="g")
    net.node("Reshape", "g", net.constant("t", np.array([2, 4, 3, 2])), out="r")
    net.batch_norm("r", 4)
    check_fused(net.output("y").model(), ["Gemm", "Reshape"])


def test_flatten_before_a_scale_that_repeats() -> None:
    net = Net()
    net.input("x", 2, 3, 4, 4)
    net.node("Flatten", net.conv("x", 3, 2, 3, 3), out="f")
    net.node("Mul", "f", net.constant("k", np.repeat([2.0, -3.0], 4)), out="y")
    check_fused(net.output("y").model(), ["Conv", "Flatten"])


@pytest.mark.parametrize("size", [3, 4])
def test_matmul_between_transposes(size: int) -> None:
    """[B, M, K] @ [K, N], channels moved to axis 1 and back; equal sizes hide a confusion."""
    net = Net()
    net.input("x", 4, size, 4)
    net.node("MatMul", "x", net.normal("w", 4, 4), out="m")
    net.node("Transpose", "m", out="t", perm=[0, 2, 1])
    net.node("Transpose", net.batch_norm("t", 4, out="b"), out="y", perm=[0, 2, 1])
    result = check_fused(net.output("y").model(), ["MatMul", "Add", "Transpose", "Transpose"])
    assert result.applied[0].created == ("n_m_shift",)


@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_transpose_that_is_no_swap(direction: str) -> None:
    """[1, 2, 3, 4] and a perm that is not its own inverse."""
    net = Net()
    net.input("x", 4, 4, 4)
    if direction == "backward":
        net.node("MatMul", "x", net.normal("w", 4, 4), out="m")
        net.batch_norm(net.node("Transpose", "m", out="t", perm=[1, 2, 0]), 4)
        expected = ["MatMul", "Add", "Transpose"]
    else:
        net.node("Transpose", net.batch_norm("x", 4, out="u"), out="t", perm=[2, 0, 1])
        net.node("MatMul", "t", net.normal("w", 4, 4), out="y")
        expected = ["Transpose", "MatMul", "Add"]
    check_fused(net.output("y").model(), expected)


def test_squeeze_and_unsqueeze() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node("GlobalAveragePool", net.conv("x", 3, 4, 3, 3), out="p")
    net.node("Squeeze", "p", net.constant("a", np.array([2, 3])), out="s")
    net.node(
        "Unsqueeze", net.batch_norm("s", 4, out="b"), net.constant("u", np.array([2])), out="y"
    )
    check_fused(net.output("y").model(), ["Conv", "GlobalAveragePool", "Squeeze", "Unsqueeze"])


@pytest.mark.parametrize("size", [(6, 5, 4), (5, 5, 5)])
def test_a_norm_behind_the_edges_of_a_graph(size: tuple[int, int, int]) -> None:
    """A (x W): the scale goes into W, along the columns; every row gets the shift once."""
    nodes, features, channels = size
    net = Net()
    net.input("x", nodes, features)
    net.node("MatMul", "x", net.normal("w", features, channels), out="m")
    net.node("MatMul", net.normal("edges", nodes, nodes), "m", out="a")
    net.batch_norm("a", channels)
    check_fused(net.output("y").model(), ["MatMul", "MatMul", "Add"])


def test_scales_go_with_their_operand_of_a_product_of_two_tensors() -> None:
    net = Net()
    net.input("x", 2, 4, 5)
    net.node("MatMul", "x", net.normal("v", 5, 4), out="a")
    net.node("MatMul", "x", net.normal("w", 5, 3), out="b")
    net.node("MatMul", "a", "b", out="p")
    net.node("Mul", "p", net.normal("columns", 3), out="y")
    check_fused(net.output("y").model(), ["MatMul"] * 3)


def test_a_scale_before_the_edges_goes_into_the_weights_behind() -> None:
    net = Net()
    net.input("x", 6, 5)
    net.node("Mul", "x", net.normal("s", 5), out="u")
    net.node("MatMul", net.normal("edges", 6, 6), "u", out="a")
    net.node("Gemm", "a", net.normal("w", 5, 4), net.normal("c", 4), out="y")
    check_fused(net.output("y").model(), ["MatMul", "Gemm"])


def test_what_an_operand_of_a_product_cannot_take_is_kept() -> None:
    net = Net()
    net.input("x", 6, 5)
    net.node("Relu", "x", out="r")
    net.node("MatMul", net.normal("edges", 6, 6), "r", out="a")
    net.node("Mul", "a", net.constant("s", -np.arange(1.0, 6.0)), out="y")
    check_kept(
        net.output("y").model(),
        "kept 'n_y' apart from 'n_a': "
        "it scales the columns of the product; the weight only reaches its rows",
    )
