"""Products, normalisations, reductions, recurrences."""

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

IMAGE = floats(1, 3, 4, 4)


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


def normalisations() -> Iterator[Case]:
    g, b, m, v = weights(3), weights(3, seed=4), weights(3, seed=5), positive_weights(3)
    yield case("BatchNormalization", "default", IMAGE, g, b, m, v)
    yield case("BatchNormalization", "epsilon", IMAGE, g, b, m, v, epsilon=0.1)
    yield case("BatchNormalization", "2d", floats(2, 3), g, b, m, v)
    yield case("BatchNormalization", "1d", floats(2, 3, 5), g, b, m, v)
    yield case("BatchNormalization", "3d", floats(1, 3, 2, 2, 2), g, b, m, v)
    yield case("BatchNormalization", "opset 7", IMAGE, g, b, m, v, opset=7)
    yield case(
        "BatchNormalization",
        "training mode",
        floats(2, 3, 2, 2),
        g,
        b,
        m,
        v,
        outputs=3,
        training_mode=1,
    )
    yield network(
        "BatchNormalization",
        "behind Conv",
        "c = Conv (x, w) y = BatchNormalization (c, g, b, m, v)",
        x=IMAGE,
        w=weights(3, 3, 3, 3),
        g=g,
        b=b,
        m=m,
        v=v,
    )
    yield network(
        "BatchNormalization",
        "before ReLU and Conv",
        "c = BatchNormalization (x, g, b, m, v) r = Relu (c) y = Conv <pads = [1, 1, 1, 1]> (r, w)",
        x=IMAGE,
        w=weights(3, 3, 3, 3),
        g=g,
        b=b,
        m=m,
        v=v,
    )
    yield case("InstanceNormalization", "default", IMAGE, g, b)
    yield case("InstanceNormalization", "1d", floats(1, 3, 6), g, b)
    yield case("LayerNormalization", "default", floats(2, 3, 8), weights(8), weights(8, seed=3))
    yield case("LayerNormalization", "no bias", floats(2, 3, 8), weights(8))
    yield case("LayerNormalization", "axis 1", floats(2, 3, 4), weights(3, 4), axis=1)
    yield case(
        "LayerNormalization", "mean read", floats(2, 8), weights(8), weights(8, seed=3), outputs=2
    )
    yield case(
        "GroupNormalization",
        "opset 21",
        floats(1, 4, 3, 3),
        weights(4),
        weights(4, seed=3),
        num_groups=2,
        opset=21,
        types=[(1, (1, 4, 3, 3))],
    )
    yield case(
        "GroupNormalization",
        "opset 18",
        floats(1, 4, 3, 3),
        weights(2),
        weights(2, seed=3),
        num_groups=2,
        opset=18,
        types=[(1, (1, 4, 3, 3))],
    )
    yield case("RMSNormalization", "default", floats(2, 8), weights(8), opset=23)
    yield case("LpNormalization", "p 2", floats(2, 5))
    yield case("LpNormalization", "p 1", floats(2, 5), p=1, axis=0)
    yield case("MeanVarianceNormalization", "default", IMAGE, types=[(1, (1, 3, 4, 4))])
    yield case("LRN", "size 3", IMAGE, size=3)
    for operator in ("Softmax", "LogSoftmax", "Hardmax"):
        yield case(operator, "default axis", floats(2, 5))
        yield case(operator, "axis 1 of 3", floats(2, 3, 4), axis=1)
        yield case(operator, "opset 11 of rank 3", floats(2, 3, 4), opset=11, axis=1)


def reductions() -> Iterator[Case]:
    x = floats(2, 3, 4)
    for operator in (
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSumSquare",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
    ):
        data = floats(2, 3, 4, draw="positive") if operator == "ReduceLogSum" else x
        old = {"opset": 11}
        yield case(operator, "last axis", data, **old, axes=[2])
        yield case(operator, "keepdims 0", data, **old, axes=[1], keepdims=0)
        yield case(operator, "two axes", data, **old, axes=[0, 2], keepdims=0)
        yield case(operator, "all axes", data, **old)
        yield case(operator, "opset 18", data, indices(1), opset=18)
    yield case("ReduceSum", "negative axis", x, opset=11, axes=[-1])
    yield case("ReduceSum", "opset 13", x, indices(1), opset=13)
    yield case("ReduceSum", "empty axes, noop", x, None, opset=13, noop_with_empty_axes=1)
    yield case(
        "ReduceSum",
        "axes are an input",
        x,
        integers(1, draw="indices"),
        opset=13,
        types=[(1, (None, None, None))],
    )
    yield case("ReduceSum", "int64", integers(2, 3), indices(1), opset=13)
    yield case("ReduceMean", "int64", integers(2, 4), opset=11, axes=[1])
    yield case("ReduceMean", "of 3", floats(2, 3), opset=11, axes=[1])
    yield case("ReduceProd", "two of three", floats(2, 3), opset=11, axes=[0])
    yield case("ReduceMax", "int64", integers(2, 4), opset=11, axes=[1])
    for operator in ("ArgMax", "ArgMin"):
        yield case(operator, "last axis", floats(2, 5), axis=1)
        yield case(operator, "keepdims 0", floats(2, 3, 4), axis=1, keepdims=0)
        yield case(operator, "axis 0", floats(3, 4), axis=0)
        yield case(operator, "ties", ties(), axis=1)
        yield case(operator, "last of the ties", ties(), axis=1, select_last_index=1)
    top = "v, i = TopK <axis = {}, largest = {}> (x, k) y = Identity (v)"
    for variant, axis, largest in (
        ("two largest", -1, 1),
        ("smallest", -1, 0),
        ("axis 0", 0, 1),
        ("ties", -1, 1),
    ):
        yield network(
            "TopK",
            variant,
            top.format(axis, largest),
            k=indices(2),
            x=ties() if variant == "ties" else floats(3, 5),
        )
    yield network(
        "TopK",
        "only the indices read",
        "v, i = TopK (x, k) y = Identity (i)",
        x=floats(2, 5),
        k=indices(2),
    )
    yield case("TopK", "indices read", floats(2, 5), indices(2), outputs=2)
    yield case("TopK", "opset 9", floats(2, 5), opset=9, k=2, outputs=2)
    yield case(
        "TopK",
        "k is an input",
        floats(2, 5),
        integers(1, draw="positive integers"),
        outputs=2,
        types=[(1, (2, None)), (7, (2, None))],
    )
    for variant, attributes in (
        ("default", {}),
        ("exclusive", {"exclusive": 1}),
        ("reverse", {"reverse": 1}),
        ("both", {"exclusive": 1, "reverse": 1}),
    ):
        yield case("CumSum", variant, floats(2, 5), constant(1, np.int64), **attributes)
    yield case("CumSum", "axis 0", floats(3, 4), constant(0, np.int64))


def ties() -> Input:
    return floats(2, 8, draw="grid")


def recurrences() -> Iterator[Case]:
    sizes = {"LSTM": 4, "GRU": 3, "RNN": 1}
    x, hidden = floats(3, 1, 2), 2
    for operator, gates in sizes.items():
        w = weights(1, gates * hidden, 2)
        r = weights(1, gates * hidden, hidden, seed=3)
        b = weights(1, 2 * gates * hidden, seed=4)
        last = ["y0"]
        yield case(operator, "no bias", x, w, r, hidden_size=hidden, outputs=last)
        yield case(operator, "bias", x, w, r, b, hidden_size=hidden, outputs=last)
        yield case(operator, "final state read", x, w, r, b, hidden_size=hidden, outputs=["", "y1"])
        yield case(
            operator, "reverse", x, w, r, b, hidden_size=hidden, direction="reverse", outputs=last
        )
        yield case(
            operator,
            "initial state",
            x,
            w,
            r,
            b,
            None,
            weights(1, 1, hidden),
            hidden_size=hidden,
            outputs=last,
        )
        yield case(
            operator,
            "sequence lengths",
            floats(3, 2, 2),
            w,
            r,
            b,
            constant([3, 2], np.int32),
            hidden_size=hidden,
            outputs=last,
        )
        yield case(
            operator,
            "bidirectional",
            x,
            np.tile(w, (2, 1, 1)),
            np.tile(r, (2, 1, 1)),
            hidden_size=hidden,
            direction="bidirectional",
            outputs=last,
        )
        yield case(
            operator,
            "layout 1",
            floats(1, 3, 2),
            w,
            r,
            b,
            hidden_size=hidden,
            layout=1,
            outputs=last,
        )
        yield case(
            operator,
            "clip",
            floats(3, 1, 2, draw="wide"),
            w,
            r,
            b,
            hidden_size=hidden,
            clip=0.5,
            outputs=last,
        )
    yield case(
        "LSTM",
        "peepholes",
        x,
        weights(1, 8, 2),
        weights(1, 8, 2, seed=3),
        None,
        None,
        None,
        None,
        weights(1, 6, seed=5),
        hidden_size=2,
        outputs=["y0"],
    )
    yield case(
        "LSTM",
        "other activations",
        x,
        weights(1, 8, 2),
        weights(1, 8, 2, seed=3),
        hidden_size=2,
        activations=["HardSigmoid", "Relu", "Tanh"],
        outputs=["y0"],
    )
    yield case(
        "GRU",
        "linear_before_reset",
        x,
        weights(1, 6, 2),
        weights(1, 6, 2, seed=3),
        weights(1, 12),
        hidden_size=2,
        linear_before_reset=1,
        outputs=["y0"],
    )
    yield case(
        "RNN",
        "Relu",
        x,
        weights(1, 2, 2),
        weights(1, 2, 2, seed=3),
        hidden_size=2,
        activations=["Relu"],
        outputs=["y0"],
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
    yield from normalisations()
    yield from reductions()
    yield from recurrences()
    yield from quantised()
