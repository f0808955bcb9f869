"""Matrix products, attention, quantised arithmetic."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    Input,
    case,
    constant,
    floats,
    indices,
    integers,
    network,
    positive_weights,
    weights,
)
from onnx import TensorProto


def products() -> Iterator[Case]:
    x = floats(2, 5)
    yield case("MatMul", "constant", x, weights(5, 3))
    yield case("MatMul", "constant first", weights(3, 2), x)
    yield case("MatMul", "two inputs", x, floats(5, 3))
    yield case("MatMul", "batch 1", floats(1, 5), weights(5, 3))
    yield case("MatMul", "batched", floats(2, 3, 4), floats(2, 4, 3))
    yield case("MatMul", "batch broadcast", floats(2, 3, 4), weights(4, 3))
    yield case("MatMul", "4d", floats(1, 2, 3, 4), floats(1, 2, 4, 3))
    yield case("MatMul", "vector right", x, weights(5))
    yield case("MatMul", "vector left", floats(5), weights(5, 3))
    yield case("MatMul", "int64", integers(2, 5), integers(5, 3))
    w, b = weights(5, 3), weights(3)
    yield case("Gemm", "default", x, w, b)
    yield case("Gemm", "no bias", x, w)
    yield case("Gemm", "transB", x, weights(3, 5), b, transB=1)
    yield case("Gemm", "transA", floats(5, 2), w, b, transA=1)
    yield case("Gemm", "both transposed", floats(5, 2), weights(3, 5), b, transA=1, transB=1)
    yield case("Gemm", "alpha and beta", x, w, b, alpha=0.5, beta=0.3)
    yield case("Gemm", "beta 0", x, w, b, beta=0.0)
    yield case("Gemm", "alpha 0", x, w, b, alpha=0.0)
    yield case("Gemm", "scalar bias", x, w, constant(0.4))
    yield case("Gemm", "bias per row", x, w, weights(2, 1))
    yield case("Gemm", "full bias", x, w, weights(2, 3))
    yield case("Gemm", "all inputs", x, floats(5, 3), floats(3))
    yield case("Gemm", "opset 6", x, w, b, opset=6, broadcast=1)
    for equation, *operands in (
        ("ij,jk->ik", x, weights(5, 3)),
        ("bij,bjk->bik", floats(2, 3, 4), floats(2, 4, 3)),
        ("bhid,bhjd->bhij", floats(1, 2, 3, 4), floats(1, 2, 3, 4)),
        ("ij->ji", x),
        ("ij->i", x),
        ("ij->", x),
        ("ii->i", floats(3, 3)),
        ("ii->", floats(3, 3)),
        ("i,j->ij", floats(3), floats(4)),
        ("ij,ij->ij", x, x),
        ("...ij,...jk->...ik", floats(2, 3, 4), floats(2, 4, 3)),
        ("ij,jk,kl->il", x, weights(5, 3), weights(3, 2)),
        ("ij,jk", x, weights(5, 3)),
        ("ki,ij,i->kj", weights(3, 2), x, floats(2)),
    ):
        yield case("Einsum", f"'{equation}'", *operands, equation=equation)
    yield case("Det", "3x3", floats(3, 3))
    yield network(
        "attention",
        "one head",
        "k = Transpose <perm = [0, 2, 1]> (x) a = MatMul (x, k) s = Mul (a, c)"
        " p = Softmax <axis = -1> (s) y = MatMul (p, x)",
        x=floats(1, 3, 4),
        c=constant(0.5),
    )
    yield case("Attention", "default", *[floats(1, 1, 3, 4)] * 3, opset=23)
    yield case(
        "RotaryEmbedding",
        "default",
        floats(1, 1, 2, 4),
        weights(2, 2),
        weights(2, 2),
        indices([0, 1]),
        opset=23,
    )


def quantised() -> Iterator[Case]:
    scale, zero, signed = constant(0.05), constant(128, np.uint8), constant(0, np.int8)
    x = floats(2, 4)
    yield case("QuantizeLinear", "uint8", x, scale, zero)
    yield case("QuantizeLinear", "int8", x, scale, signed)
    yield network(
        "QuantizeLinear",
        "and DequantizeLinear of an activation",
        "q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z)",
        x=x,
        s=scale,
        z=zero,
    )
    bytes_in = Input((2, 4), TensorProto.UINT8, "positive integers")
    yield case("DequantizeLinear", "of an input", bytes_in, scale, zero)
    small = (weights(4, 3) * 40).astype(np.int8)
    yield network(
        "DequantizeLinear",
        "of weights",
        "d = DequantizeLinear (w, s, z) y = MatMul (x, d)",
        x=x,
        s=scale,
        z=signed,
        w=small,
    )
    yield network(
        "DequantizeLinear",
        "of weights, per channel",
        "d = DequantizeLinear <axis = 1> (w, s, z) y = MatMul (x, d)",
        x=x,
        s=positive_weights(3) / 20,
        z=np.zeros(3, np.int8),
        w=small,
    )
    yield case("DynamicQuantizeLinear", "default", x, outputs=3)
    qx, qw = Input((2, 4), TensorProto.UINT8, "positive integers"), small
    yield case("MatMulInteger", "default", qx, qw)
    yield case(
        "ConvInteger",
        "default",
        Input((1, 1, 3, 3), TensorProto.UINT8, "indices"),
        (weights(1, 1, 2, 2) * 40).astype(np.int8),
    )
    yield case("QLinearMatMul", "default", qx, scale, zero, qw, scale, signed, scale, zero)
    yield case(
        "QLinearConv",
        "default",
        Input((1, 1, 3, 3), TensorProto.UINT8, "indices"),
        scale,
        zero,
        (weights(1, 1, 2, 2) * 40).astype(np.int8),
        scale,
        signed,
        scale,
        zero,
    )


def cases() -> Iterator[Case]:
    yield from products()
    yield from quantised()
