"""Parameters in disguise: expressions of constants, casts, integers."""

import numpy as np
from combinations import case
from onnx import TensorProto

from benchmarks.fusion.building import Net


@case("Conv")
def unsqueezed_parameter(n: Net) -> str:
    k = n("Unsqueeze", n("Unsqueeze", n.normal(4), n.k(np.array([1]))), n.k(np.array([2])))
    return n("Mul", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), k)


@case("Conv")
def parameter_behind_identity_cast(n: Net) -> str:
    k = n(
        "Cast",
        n(
            "Identity",
            n.k(np.arange(1, 5).reshape(4, 1, 1).astype(np.float64), dtype=TensorProto.DOUBLE),
        ),
        to=1,
    )
    return n("Div", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), k)


@case("Conv")
def weight_normalisation_expression(n: Net) -> str:
    v = n.normal(4, 3, 3, 3)
    norm = n("Sqrt", n("ReduceSumSquare", v, axes=[1, 2, 3], keepdims=1))
    w = n("Mul", n("Div", v, norm), n.positive(4, 1, 1, 1))
    return n.bn(n("Conv", n.x(1, 3, 5, 5), w), 4)


@case("Conv")
def parameter_constant_node_and_expression(n: Net) -> str:
    k = n("Constant", value_floats=[1.0, 2.0, 3.0, 4.0])
    k = n("Reshape", n("Exp", k), n.k(np.array([1, 4, 1, 1])))
    return n("Add", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), k)


@case("Gemm")
def transposed_weight_expression(n: Net) -> str:
    w = n("Transpose", n.normal(3, 4))
    return n("Mul", n("Add", n("MatMul", n.x(2, 4), w), n.normal(3)), n.normal(3))


@case("Conv")
def fold_shape_arithmetic(n: Net) -> str:
    k = n("Expand", n.normal(4, 1, 1), n.k(np.array([1, 4, 1, 1])))
    return n("Mul", n.conv(n.x(1, 3, 5, 5), 3, 4, 3, 3), k)


@case("Div Cast Conv", "computes in int64")
def integer_div(n: Net) -> str:
    x = n("Div", n.x(1, 3, 5, 5, dtype=TensorProto.INT64), n.k(np.array(2)))
    return n.conv(n("Cast", x, to=1), 3, 4, 3, 3)
