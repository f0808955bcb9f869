"""Constants in joins, sums, norms that scale, stacks of matrices, and rarer convolutions."""

import numpy as np
from combinations import case

from benchmarks.fusion.building import Net


@case("Conv Concat")
def constant_beside_in_concat(n: Net) -> str:
    a = n.conv(n.x(1, 3, 5, 5), 3, 2, 3, 3)
    return n.bn(n("Concat", a, n.normal(1, 3, 3, 3), axis=1), 5)


@case("Conv Add")
def constant_map_before_bn(n: Net) -> str:
    return n.bn(n("Add", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), n.normal(1, 4, 3, 3)), 4)


@case("Conv Sub")
def map_minus_conv_before_bn(n: Net) -> str:
    return n.bn(n("Sub", n.normal(4, 3, 3), n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3)), 4)


@case("Conv Add Relu Conv Sub Sub")
def constant_map_shared(n: Net) -> str:
    k = n.normal(1, 4, 3, 3)
    x = n("Mul", n("Add", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), k), n.normal(4, 1, 1))
    return n("Sub", n("Relu", x), n("Sub", n.conv("x", 3, 4, 3, 3), k))


@case("MatMul Add")
def positions_then_scale(n: Net) -> str:
    x = n("Add", n("MatMul", n.x(2, 5, 4), n.normal(4, 3)), n.normal(1, 5, 3))
    return n("Mul", n("Add", x, n.normal(3)), n.k(0.125))


@case("Conv Conv Conv Sum")
def bn_through_sum_of_three(n: Net) -> str:
    parts = [n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3)]
    parts += [n.conv("x", 3, 4, 3, 3) for _ in range(2)]
    return n.bn(n("Sum", *parts), 4)


@case("InstanceNormalization")
def instancenorm_scale_and_bias(n: Net) -> str:
    x = n("InstanceNormalization", n.x(2, 3, 5, 5), n.normal(3), n.normal(3))
    return n("Neg", n.bn(x, 3))


@case("LayerNormalization")
def layernorm_without_bias(n: Net) -> str:
    x = n("LayerNormalization", n.x(2, 3, 5), n.normal(5))
    return n("Sub", n("Mul", x, n.normal(5)), n.normal(1, 1, 5))


@case("LayerNormalization Mul", "varies over positions within a channel")
def layernorm_along_another_axis(n: Net) -> str:
    return n("Mul", n("LayerNormalization", n.x(2, 3, 5), n.normal(5)), n.normal(3, 1))


@case("LayerNormalization Mul", "does not run along one axis")
def layernorm_over_two_axes(n: Net) -> str:
    return n("Mul", n("LayerNormalization", n.x(2, 3, 5), n.normal(3, 5), axis=1), n.normal(5))


@case("MatMul Mul Add")
def stacked_matrices_scaled_per_stack(n: Net) -> str:
    x = n("MatMul", n.x(2, 5, 4), n.normal(2, 4, 3))
    return n("Add", n("Mul", x, n.normal(2, 1, 1)), n.normal(3))


@case("MatMul Add")
def stacked_matrices_scaled_per_column(n: Net) -> str:
    x = n("MatMul", n.x(2, 5, 4), n.normal(2, 4, 3))
    return n("Add", n("Mul", x, n.normal(3)), n.normal(3))


@case("Gemm Mul", "differs per batch element")
def rows_of_a_gemm(n: Net) -> str:
    return n("Mul", n.gemm(n.x(3, 4), 4, 5), n.normal(3, 1))


@case("Conv")
def weight_from_a_vector(n: Net) -> str:
    weight = n("Reshape", n.normal(108), n.k(np.array([4, 3, 3, 3])))
    return n.bn(n("Conv", n.x(1, 3, 5, 5), weight, n("Neg", n.normal(4))), 4)


@case("ConvTranspose")
def transposed_1d_in_groups(n: Net) -> str:
    x = n.conv(n.x(2, 4, 7), 4, 6, 3, op="ConvTranspose", group=2, strides=[2], dilations=[2])
    return n("Div", n("Neg", x), n.positive(1, 6, 1))


@case("ConvTranspose")
def transposed_3d_depthwise(n: Net) -> str:
    return n.bn(n.conv(n.x(1, 4, 3, 3, 3), 4, 4, 2, 2, 2, op="ConvTranspose", group=4), 4)


@case("Conv Concat")
def one_constant_twice_in_concat(n: Net) -> str:
    k = n.normal(1, 3, 3, 3)
    return n.bn(n("Concat", k, n.conv(n.x(1, 3, 5, 5), 3, 2, 3, 3), k, axis=1), 8)
