"""Linear operators and what stands before and behind them."""

import numpy as np
from combinations import case

from benchmarks.fusion.building import Net


@case("ConvTranspose")
def sub_from_k_transposed_grouped(n: Net) -> str:
    return n(
        "Sub",
        n.normal(6, 1, 1),
        n.conv(n.x(2, 4, 5, 5), 4, 6, 3, 3, op="ConvTranspose", group=2, strides=[2, 2]),
    )


@case("Conv")
def conv1d_chain(n: Net) -> str:
    x = n.conv(n.x(2, 3, 9), 3, 4, 3, pads=[1, 1])
    x = n("Neg", x)
    x = n("Neg", x)
    x = n("Neg", x)
    return n("Div", x, n.k(3.0))


@case("Conv")
def conv3d_depthwise(n: Net) -> str:
    return n.bn(n.conv(n.x(1, 4, 4, 4, 4), 4, 4, 2, 2, 2, group=4, dilations=[2, 1, 1]), 4)


@case("GlobalAveragePool Flatten Gemm")
def flatten_gemm_bn_after_gap(n: Net) -> str:
    x = n("GlobalAveragePool", n.x(2, 4, 5, 6))
    x = n("Flatten", x)
    return n.bn(n.gemm(x, 4, 3, n.normal(3)), 3)


@case("GlobalAveragePool Flatten Gemm")
def bn_gap_flatten_gemm(n: Net) -> str:
    x = n("GlobalAveragePool", n.bn(n.x(2, 4, 5, 6), 4))
    x = n("Flatten", x)
    return n.gemm(x, 4, 3)


@case("Conv GlobalAveragePool Flatten")
def conv_gap_flatten_bn(n: Net) -> str:
    return n.bn(n("Flatten", n("GlobalAveragePool", n.conv(n.x(2, 3, 5, 6), 3, 4, 3, 3))), 4)


@case("Conv ReduceMean")
def conv_reducemean_bn(n: Net) -> str:
    return n.bn(n("ReduceMean", n.conv(n.x(2, 3, 5, 6), 3, 4, 3, 3), axes=[2, 3], keepdims=0), 4)


@case("Conv Flatten BatchNormalization", "rearranges the channels")
def bn1d_after_flatten(n: Net) -> str:
    return n.bn(n("Flatten", n.conv(n.x(2, 3, 4, 4), 3, 2, 3, 3)), 8)


@case("Gemm")
def gemm_transposed_with_factors(n: Net) -> str:
    return n.bn(n.gemm(n.x(4, 3), 4, 5, n.normal(1, 5), transA=1, alpha=0.5, beta=-2.0), 5)


@case("Gemm")
def gemm_c_mn(n: Net) -> str:
    return n("Mul", n.gemm(n.x(3, 4), 4, 5, n.normal(3, 5), beta=0.25, transB=1), n.normal(5))


@case("Gemm")
def gemm_c_m1_bn(n: Net) -> str:
    return n.bn(n.gemm(n.x(3, 4), 4, 5, n.normal(3, 1)), 5)


@case("MatMul Add")
def matmul_left_constant(n: Net) -> str:
    x = n("MatMul", n.normal(5, 4), n.x(2, 4, 3))
    return n("Add", n("Mul", x, n.normal(5, 1)), n.normal(5, 1))


@case("MatMul Add")
def matmul_left_constant_then_bn(n: Net) -> str:
    return n.bn(n("MatMul", n.normal(5, 4), n.x(2, 4, 3)), 5)


@case("MatMul BatchNormalization", "it scales the rows of the product")
def matmul_right_then_bn(n: Net) -> str:
    return n.bn(n("MatMul", n.x(2, 5, 4), n.normal(4, 3)), 5)


@case("MatMul Add")
def matmul_add_mul_sub(n: Net) -> str:
    x = n("Add", n("MatMul", n.x(2, 5, 4), n.normal(4, 3)), n.normal(3))
    return n("Sub", n("Mul", x, n.k(0.5)), n.normal(1, 1, 3))


@case("MatMul Transpose Add")
def matmul_transpose_bn(n: Net) -> str:
    x = n("MatMul", n.x(2, 5, 4), n.normal(4, 3))
    return n.bn(n("Transpose", x, perm=[0, 2, 1]), 3)


@case("Transpose Reshape Gemm")
def transpose_reshape_gemm_bn(n: Net) -> str:
    x = n("Transpose", n.x(2, 3, 4, 5), perm=[0, 2, 3, 1])
    x = n("Reshape", x, n.k(np.array([2, -1])))
    return n.bn(n.gemm(x, 60, 7), 7)


@case("Transpose Reshape Gemm")
def bn_transpose_reshape_gemm(n: Net) -> str:
    x = n("Transpose", n.bn(n.x(2, 3, 4, 5), 3), perm=[0, 2, 3, 1])
    x = n("Reshape", x, n.k(np.array([40, 3])))
    return n.gemm(x, 3, 7)


@case("Reshape Gemm")
def bn_reshape_gemm(n: Net) -> str:
    return n.gemm(n("Reshape", n.bn(n.x(2, 3, 4, 5), 3), n.k(np.array([0, -1]))), 60, 7)


@case("Conv Reshape Transpose")
def conv_reshape_transpose_layernorm_affine_traps(n: Net) -> str:
    x = n("Reshape", n.conv(n.x(1, 3, 8, 8), 3, 4, 2, 2, strides=[2, 2]), n.k(np.array([1, 4, 16])))
    x = n("Transpose", x, perm=[0, 2, 1])
    return n("Mul", x, n.normal(4))


@case("Conv Conv Concat")
def bn_through_concat_two(n: Net) -> str:
    a, b = n.conv(n.x(1, 3, 5, 5), 3, 2, 3, 3, pads=[1] * 4), n.conv("x", 3, 5, 1, 1)
    return n.bn(n("Concat", a, b, axis=1), 7)


@case("Conv Concat BatchNormalization", "'x' is also read by")
def bn_through_concat_one_not_absorbable(n: Net) -> str:
    a = n.conv(n.x(1, 3, 5, 5), 3, 2, 3, 3, pads=[1] * 4)
    return n.bn(n("Concat", a, "x", axis=1), 5)


@case("Conv Relu Conv Concat BatchNormalization", "a shift does not commute with Relu")
def bn_through_concat_relu_branch(n: Net) -> str:
    a = n("Relu", n.conv(n.x(1, 3, 5, 5), 3, 2, 1, 1))
    b = n.conv("x", 3, 3, 1, 1)
    return n.bn(n("Concat", a, b, axis=1), 5)


@case("Conv Conv Concat")
def scalar_through_concat_batch_axis(n: Net) -> str:
    a, b = n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), n.conv("x", 3, 4, 3, 3)
    return n.bn(n("Concat", a, b, axis=0), 4)


@case("Abs Conv Conv Add")
def bn_through_add_join(n: Net) -> str:
    a, b = n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), n.conv(n("Abs", "x"), 3, 4, 3, 3)
    return n.bn(n("Add", a, b), 4)


@case("Abs Conv Conv Sub")
def bn_through_sub_join(n: Net) -> str:
    a = n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3, bias=False)
    b = n.conv(n("Abs", "x"), 3, 4, 3, 3, bias=False)
    return n.bn(n("Sub", a, b), 4)


@case("Conv")
def bn_after_skip_with_input(n: Net) -> str:
    return n.bn(n("Add", n.conv(n.x(1, 3, 5, 5), 3, 3, 3, 3, pads=[1] * 4), "x"), 3)


@case("Conv Relu Conv Add Relu")
def residual_block(n: Net) -> str:
    x = n.x(1, 4, 6, 6)
    y = n("Relu", n.bn(n.conv(x, 4, 4, 3, 3, pads=[1] * 4, bias=False), 4))
    y = n.bn(n.conv(y, 4, 4, 3, 3, pads=[1] * 4, bias=False), 4)
    return n("Relu", n("Add", y, x))


@case("Conv Relu Conv")
def conv_relu_bn_conv(n: Net) -> str:
    return n.conv(n.bn(n("Relu", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)), 4), 4, 5, 3, 3)


@case("Conv Relu Conv Add")
def conv_relu_bn_padded_conv(n: Net) -> str:
    return n.conv(n.bn(n("Relu", n.conv(n.x(1, 3, 6, 6), 3, 4, 3, 3)), 4), 4, 5, 3, 3, pads=[1] * 4)


@case("Conv Add")
def bn_before_same_upper_conv(n: Net) -> str:
    return n.conv(n.bn(n.x(1, 3, 7, 6), 3), 3, 5, 3, 3, auto_pad="SAME_UPPER", strides=[2, 2])


@case("Conv Add")
def bn_before_same_lower_conv(n: Net) -> str:
    return n.conv(n.bn(n.x(1, 3, 7, 6), 3), 3, 5, 2, 2, auto_pad="SAME_LOWER")


@case("Conv")
def bn_before_valid_conv(n: Net) -> str:
    return n.conv(n.bn(n.x(1, 3, 7, 6), 3), 3, 5, 3, 3, auto_pad="VALID")


@case("ConvTranspose Add")
def bn_before_grouped_transpose(n: Net) -> str:
    return n.conv(
        n.bn(n.x(1, 4, 3, 4), 4),
        4,
        6,
        3,
        3,
        op="ConvTranspose",
        group=2,
        strides=[2, 2],
        output_padding=[1, 0],
        pads=[1, 0, 1, 0],
    )


@case("ConvTranspose")
def scale_before_transpose_output_shape(n: Net) -> str:
    return n.conv(
        n("Mul", n.x(1, 4, 3, 4), n.normal(4, 1, 1)),
        4,
        6,
        3,
        3,
        op="ConvTranspose",
        strides=[2, 2],
        output_shape=[7, 8],
    )


@case("ConvTranspose Add")
def bn_before_transpose_same(n: Net) -> str:
    return n.conv(
        n.bn(n.x(1, 4, 3, 4), 4),
        4,
        6,
        3,
        3,
        op="ConvTranspose",
        strides=[2, 2],
        auto_pad="SAME_UPPER",
    )


@case("Conv")
def imagenet_normalisation(n: Net) -> str:
    x = n("Div", n.x(1, 3, 6, 6), n.k(255.0))
    x = n("Sub", x, n.normal(1, 3, 1, 1))
    x = n("Div", x, n.positive(3, 1, 1))
    return n.conv(x, 3, 4, 3, 3, strides=[2, 2])


@case("BatchNormalization Conv", "a border correction needs a fixed height and width")
def dynamic_size_padded(n: Net) -> str:
    return n.conv(n.bn(n.x("N", 3, "H", "W"), 3), 3, 4, 3, 3, pads=[1] * 4)


@case("Conv")
def dynamic_size_unpadded(n: Net) -> str:
    return n.conv(n.bn(n.x("N", 3, "H", "W"), 3), 3, 4, 3, 3)


@case("Conv")
def dynamic_size_scale_only_padded(n: Net) -> str:
    return n.conv(n("Mul", n.x("N", 3, "H", "W"), n.normal(1, 3, 1, 1)), 3, 4, 3, 3, pads=[1] * 4)


@case("Flatten Gemm")
def dynamic_batch_flatten(n: Net) -> str:
    return n.gemm(n("Flatten", n.bn(n.x("N", 3, 4, 4), 3)), 48, 5)
