"""Norms, shared weights, names, chains, merges, opsets, quantisation, broadcasting traps."""

import numpy as np
from combinations import case

from benchmarks.fusion.building import Net


@case("LayerNormalization Gemm")
def layernorm_affine_into_gemm(n: Net) -> str:
    x = n("LayerNormalization", n.x(3, 4), n.k(np.ones(4)), n.k(np.zeros(4)))
    return n.gemm(n("Add", n("Mul", x, n.normal(4)), n.normal(4)), 4, 5)


@case("LayerNormalization MatMul Add")
def layernorm_affine_into_matmul3d(n: Net) -> str:
    x = n("LayerNormalization", n.x(2, 3, 4), n.k(np.ones(4)), n.k(np.zeros(4)))
    return n(
        "Add",
        n("MatMul", n("Add", n("Mul", x, n.normal(4)), n.normal(4)), n.normal(4, 5)),
        n.normal(5),
    )


@case("InstanceNormalization Conv")
def instancenorm_affine_forward(n: Net) -> str:
    x = n("InstanceNormalization", n.x(1, 3, 5, 5), n.k(np.ones(3)), n.k(np.zeros(3)))
    return n.conv(n("Add", n("Mul", x, n.normal(3, 1, 1)), n.normal(3, 1, 1)), 3, 4, 3, 3)


@case("Conv InstanceNormalization")
def bn_after_instancenorm(n: Net) -> str:
    x = n("InstanceNormalization", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), n.normal(4), n.normal(4))
    return n.bn(x, 4)


@case("Conv")
def shared_weight_two_convs(n: Net) -> str:
    w = n.normal(3, 3, 3, 3)
    a = n.bn(n("Conv", n.x(1, 3, 8, 8), w, pads=[1] * 4), 3)
    b = n("Conv", "x", w, pads=[1] * 4)
    return n("Add", a, b)


@case("Conv Relu Conv")
def siamese(n: Net) -> str:
    w, b = n.normal(3, 3, 3, 3), n.normal(3)
    p = [n.k(v) for v in n.statistics(3)]
    y = n.bn(n("Conv", n.x(1, 3, 8, 8), w, b), 3, *p)
    return n.bn(n("Conv", n("Relu", y), w, b), 3, *p)


@case("Conv BatchNormalization Relu Add", "is also read by")
def two_readers(n: Net) -> str:
    c = n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)
    return n("Add", n.bn(c, 4), n("Relu", c))


@case("Conv Relu Neg Relu Add")
def bn_with_two_readers(n: Net) -> str:
    b = n.bn(n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), 4)
    return n("Add", n("Relu", b), n("Relu", n("Neg", b)))


@case("Conv")
def duplicated_node_names(n: Net) -> str:
    c = n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3, name="a")
    return n("Mul", n.bn(c, 4, name="a"), n.k(2.0), name="a")


@case("Conv")
def nameless(n: Net) -> str:
    c = n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3, name="")
    return n.bn(c, 4, name="")


@case("Mul Add Conv Relu Conv Add", "is also read by")
def affine_two_linear_readers(n: Net) -> str:
    u = n("Add", n("Mul", n.x(1, 3, 6, 6), n.normal(3, 1, 1)), n.normal(3, 1, 1))
    return n("Add", n.conv(u, 3, 4, 3, 3), n("Relu", n.conv(u, 3, 4, 3, 3)))


@case("Conv")
def affine_before_two_branches(n: Net) -> str:
    u = n("Add", n("Mul", n.x(1, 3, 6, 6), n.normal(3, 1, 1)), n.normal(3, 1, 1))
    return n("Add", n.conv(u, 3, 4, 3, 3), n.conv(u, 3, 4, 3, 3))


@case("Conv")
def long_chain(n: Net) -> str:
    x = n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)
    for _ in range(5):
        x = n("Sub", n.normal(4, 1, 1), n("Mul", x, n.positive(4, 1, 1)))
    return n.bn(x, 4)


@case("BatchNormalization Relu")
def bn_bn_mul_relu(n: Net) -> str:
    return n("Relu", n("Mul", n.bn(n.bn(n.x(1, 3, 6, 6), 3), 3), n.k(2.0)))


@case("Gemm")
def gemm_gemm_gemm(n: Net) -> str:
    return n.gemm(
        n.gemm(n.gemm(n.x(3, 4), 4, 5, n.normal(5)), 5, 4, transB=1), 4, 3, n.normal(3), alpha=0.5
    )


@case("MatMul MatMul", "merging would cost")
def bottleneck(n: Net) -> str:
    return n("MatMul", n("MatMul", n.x(3, 64), n.normal(64, 2)), n.normal(2, 64))


@case("Conv")
def conv_conv1x1_bn(n: Net) -> str:
    return n.bn(n.conv(n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), 4, 3, 1, 1), 3)


@case("Conv Relu Conv")
def mobilenet_block(n: Net) -> str:
    x = n("Relu", n.bn(n.conv(n.x(1, 4, 6, 6), 4, 4, 3, 3, group=4, pads=[1] * 4, bias=False), 4))
    return n.bn(n.conv(x, 4, 8, 1, 1, bias=False), 8)


@case("Conv", opset=7)
def opset7(n: Net) -> str:
    return n.bn(n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), 4)


@case("Conv", opset=9)
def opset9_dropout(n: Net) -> str:
    return n.bn(n("Dropout", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), ratio=0.3), 4)


@case("Conv", opset=21)
def opset21(n: Net) -> str:
    return n("Sum", n.bn(n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), 4), n.normal(4, 1, 1), n.k(1.0))


@case("Conv Unsqueeze", opset=13)
def unsqueeze_bn(n: Net) -> str:
    return n(
        "Mul",
        n("Unsqueeze", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.k(np.array([0]))),
        n.normal(4, 1, 1),
    )


@case("Conv Squeeze")
def squeeze_mul(n: Net) -> str:
    return n(
        "Mul", n("Squeeze", n.conv(n.x(1, 3, 3, 6), 3, 4, 3, 3), n.k(np.array([2]))), n.normal(4, 1)
    )


@case("DequantizeLinear QuantizeLinear DequantizeLinear Conv BatchNormalization")
def dequantised_weight(n: Net) -> str:
    w = n(
        "DequantizeLinear",
        n.k(np.arange(-54, 54).reshape(4, 3, 3, 3).astype(np.int8)),
        n.k(np.float32(0.02)),
        n.k(np.int8(0)),
    )
    x = n(
        "DequantizeLinear",
        n("QuantizeLinear", n.x(1, 3, 5, 5), n.k(np.float32(0.1)), n.k(np.int8(0))),
        n.k(np.float32(0.1)),
        n.k(np.int8(0)),
    )
    return n.bn(n("Conv", x, w), 4)


@case("Conv Mul", "along the last axis")
def last_axis_trap(n: Net) -> str:
    return n("Mul", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.normal(4))


@case("Conv Mul", "varies over positions")
def spatial_trap(n: Net) -> str:
    return n("Mul", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.normal(4, 4, 1))


@case("Conv Mul", "widens the result")
def widening_trap(n: Net) -> str:
    return n("Mul", n.conv(n.x(1, 3, 6, 6), 3, 1, 3, 3), n.normal(4, 1, 1))


@case("Conv Mul", "more axes than the tensor")
def rank_trap(n: Net) -> str:
    return n("Mul", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3), n.k(np.ones((1, 1, 1, 1, 1)) * 2.0))


@case("Conv Div", "dividing a constant")
def k_over_x(n: Net) -> str:
    return n("Div", n.k(2.0), n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3))


@case("Gemm Reshape Conv")
def gemm_reshape_bn_conv(n: Net) -> str:
    x = n("Reshape", n.gemm(n.x(2, 5), 5, 36, n.normal(36)), n.k(np.array([2, 4, 3, 3])))
    return n.conv(n.bn(x, 4), 4, 3, 2, 2)


@case("Conv Transpose")
def nhwc_bias(n: Net) -> str:
    x = n("Transpose", n.conv(n.x(2, 3, 6, 6), 3, 4, 3, 3), perm=[0, 2, 3, 1])
    return n("Mul", n("Add", x, n.normal(4)), n.normal(4))


@case("Conv")
def through_split(n: Net) -> str:
    return n("Neg", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3))


@case("Conv Mul")
def mul_two_paths(n: Net) -> str:
    c = n.conv(n.x(1, 3, 4, 4), 3, 4, 3, 3)
    return n("Mul", c, c)
