"""Affine maps into the linear operator that reads them: unpadded, padded, behind a ReLU."""

import pytest
from net import Net, check_fused


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 17, 21])
@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_before_conv(opset: int, group: int, bias: bool) -> None:
    net = Net(opset)
    net.input("x", 2, 4, 6, 5)
    net.conv(
        net.batch_norm("x", 4, out="u"), 4, 8, 3, 3, out="y", bias=bias, group=group, strides=[1, 2]
    )
    result = check_fused(net.output("y").model(), ["Conv"])
    assert result.sites[0].nodes == ("n_u", "n_y")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize(
    ("shape", "kernel", "attrs"),
    [
        ((2, 4, 6, 5), (3, 3), {"pads": [1, 1, 1, 1]}),
        ((2, 4, 6, 5), (3, 2), {"pads": [2, 0, 1, 1], "strides": [2, 1], "dilations": [1, 2]}),
        ((1, 4, 9), (3,), {"pads": [0, 2]}),
        ((1, 4, 4, 4, 4), (2, 2, 2), {"pads": [1, 1, 1, 1, 1, 1], "strides": [2, 2, 2]}),
    ],
)
def test_batch_norm_before_padded_conv(shape, kernel, attrs, group, bias) -> None:
    net = Net()
    net.input("x", *shape)
    net.conv(
        net.batch_norm("x", 4, out="u"), 4, 6, *kernel, out="y", bias=bias, group=group, **attrs
    )
    result = check_fused(net.output("y").model(), ["Conv", "Add"])
    (site,) = result.applied
    assert site.created == ("n_y_shift",)
    assert len(result.model.graph[0].inputs) == 2


@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize(
    ("shape", "kernel", "attrs"),
    [
        ((2, 6, 4, 5), (3, 2), {"strides": [2, 3], "pads": [1, 0, 1, 1], "output_padding": [1, 0]}),
        ((1, 6, 5), (4,), {"strides": [2], "dilations": [2], "pads": [2, 1]}),
    ],
)
def test_batch_norm_before_conv_transpose(shape, kernel, attrs, group) -> None:
    net = Net()
    net.input("x", *shape)
    net.conv_transpose(
        net.batch_norm("x", 6, out="u"), 6, 9, *kernel, out="y", group=group, **attrs
    )
    check_fused(net.output("y").model(), ["ConvTranspose", "Add"])


def test_scale_before_padded_conv_needs_no_map() -> None:
    net = Net()
    net.input("x", "N", 3, "H", "W")
    net.node("Div", "x", net.constant("k", 255.0), out="u")
    net.conv("u", 3, 4, 3, 3, out="y", pads=[1, 1, 1, 1])
    check_fused(net.output("y").model(), ["Conv"])


@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_before_gemm(trans_b: int, bias: bool) -> None:
    net = Net()
    net.input("x", 3, 5)
    extra = [net.normal("b", 4)] if bias else []
    net.node(
        "Gemm",
        net.batch_norm("x", 5, out="u"),
        net.normal("w", *((4, 5) if trans_b else (5, 4))),
        *extra,
        out="y",
        transB=trans_b,
        alpha=2.0,
        beta=-0.5,
    )
    check_fused(net.output("y").model(), ["Gemm"])


def test_batch_norm_before_matmul() -> None:
    net = Net()
    net.input("x", 3, 5)
    net.node("MatMul", net.batch_norm("x", 5, out="u"), net.normal("w", 5, 4), out="y")
    check_fused(net.output("y").model(), ["Gemm"])


@pytest.mark.parametrize("stack", [(), (2,)])
def test_affine_before_stacked_matmul(stack) -> None:
    net = Net()
    net.input("x", 2, 3, 5)
    net.node("Mul", "x", net.normal("k", 5), out="u")
    net.node("Add", "u", net.normal("t", 5), out="v")
    net.node("MatMul", "v", net.normal("w", *stack, 5, 4), out="y")
    check_fused(net.output("y").model(), ["MatMul", "Add"])


@pytest.mark.parametrize("stack", [(), (2,)])
def test_affine_around_matmul_with_constant_left(stack) -> None:
    net = Net()
    net.input("x", 2, 5, 3)
    net.node("Mul", "x", net.normal("k", 5, 1), out="u")
    net.node("Add", "u", net.normal("t", 5, 1), out="v")
    net.node("MatMul", net.normal("w", *stack, 4, 5), "v", out="m")
    net.node("Mul", "m", net.normal("l", 4, 1), out="y")
    check_fused(net.output("y").model(), ["MatMul", "Add"])


def test_conv_relu_batch_norm_conv() -> None:
    net = Net()
    net.input("x", 1, 3, 8, 7)
    net.node("Relu", net.conv("x", 3, 4, 3, 3), out="r")
    net.conv(net.batch_norm("r", 4, out="u"), 4, 5, 3, 3, out="y")
    check_fused(net.output("y").model(), ["Conv", "Relu", "Conv"])


def test_conv_relu_batch_norm_flatten_gemm() -> None:
    net = Net()
    net.input("x", 2, 3, 4, 5)
    net.node("Relu", net.conv("x", 3, 4, 3, 3), out="r")
    net.node("Flatten", net.batch_norm("r", 4, out="u"), out="f")
    net.node("Gemm", "f", net.normal("w", 24, 5), out="y")
    result = check_fused(net.output("y").model(), ["Conv", "Relu", "Flatten", "Gemm"])
    assert result.applied[0].nodes == ("n_u", "n_f", "n_y")


def test_gemm_relu_batch_norm_gemm() -> None:
    net = Net()
    net.input("x", 3, 5)
    net.node("Relu", net.node("Gemm", "x", net.normal("w", 5, 4), out="g"), out="r")
    net.node("Gemm", net.batch_norm("r", 4, out="u"), net.normal("v", 4, 6), out="y")
    check_fused(net.output("y").model(), ["Gemm", "Relu", "Gemm"])


def test_input_normalisation() -> None:
    net = Net()
    net.input("x", 1, 3, 8, 8)
    net.node("Sub", "x", net.normal("mean", 1, 3, 1, 1), out="u")
    net.node("Div", "u", net.normal("std", 3, 1, 1), out="v")
    net.conv("v", 3, 4, 3, 3, out="y")
    check_fused(net.output("y").model(), ["Conv"])
