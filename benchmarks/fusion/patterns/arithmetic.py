"""Mul, Add, Sub, Div and Neg by constants around linear operators, and what pads or only copies."""

import numpy as np

from benchmarks.fusion.building import Net, Size
from benchmarks.fusion.patterns.pattern import Family

MIXED = Family("Conv + Sub, k - Conv, Div, Neg; chain of four; Gemm/MatMul + arithmetic")
CHANNEL = Family("Conv + per-channel Mul/Add")
SCALAR = Family("Conv + scalar or one-element constant, either side")
TRANSPOSED = Family("ConvTranspose + arithmetic")
BEFORE = Family("arithmetic before Conv (input normalisation)")
PAD = Family("Pad + Conv")
COPY = Family("Identity or Dropout between")


def _conv(net: Net, s: Size, **options: object) -> str:
    return net.conv(net.x(s.n, s.c, s.h, s.w), s.c, s.o, 3, 3, **{"pads": [1] * 4, **options})


def _chain(net: Net, s: Size) -> str:
    value = net("Mul", _conv(net, s), net.normal(s.o, 1, 1))
    value = net("Sub", net.k(0.3), value)
    value = net("Div", value, net.positive(1, s.o, 1, 1))
    return net("Add", net.normal(s.o, 1, 1), value)


def _gemm(net: Net, s: Size) -> str:
    made = net.gemm(net.x(s.n, s.c), s.c, s.o, net.normal(s.o), alpha=2.0, beta=0.5)
    return net("Sub", net("Mul", made, net.normal(s.o)), net.normal(1, s.o))


def _matmul(net: Net, s: Size) -> str:
    product = net("MatMul", net.x(s.n, s.c), net.normal(s.c, s.o))
    return net("Add", net("Mul", net.normal(s.o), product), net.normal(s.o))


MIXED.add("Conv, Sub", 1, lambda n, s: n("Sub", _conv(n, s), n.normal(s.o, 1, 1)))
MIXED.add("k - Conv", 1, lambda n, s: n("Sub", n.normal(1, s.o, 1, 1), _conv(n, s)))
MIXED.add("Conv, Div", 1, lambda n, s: n("Div", _conv(n, s), n.positive(s.o, 1, 1)))
MIXED.add("Conv, Neg", 1, lambda n, s: n("Neg", _conv(n, s)))
MIXED.add("chain of four", 1, _chain)
MIXED.add("Gemm, Mul, Sub", 1, _gemm)
MIXED.add("MatMul, Mul, Add", 1, _matmul)


def _mul_add(net: Net, s: Size) -> str:
    return net("Add", net("Mul", _conv(net, s), net.normal(s.o, 1, 1)), net.normal(1, s.o, 1, 1))


CHANNEL.add("Mul [C, 1, 1]", 1, lambda n, s: n("Mul", _conv(n, s), n.normal(s.o, 1, 1)))
CHANNEL.add("Mul [1, C, 1, 1]", 1, lambda n, s: n("Mul", _conv(n, s), n.normal(1, s.o, 1, 1)))
CHANNEL.add(
    "Mul, constant first", 1, lambda n, s: n("Mul", n.normal(s.o, 1, 1), _conv(n, s, bias=False))
)
CHANNEL.add("Add", 1, lambda n, s: n("Add", _conv(n, s, bias=False), n.normal(1, s.o, 1, 1)))
CHANNEL.add("Mul, Add", 1, _mul_add)

SCALAR.add("Mul by a scalar", 1, lambda n, s: n("Mul", _conv(n, s), n.k(-1.7)))
SCALAR.add("scalar times", 1, lambda n, s: n("Mul", n.k(0.3), _conv(n, s)))
SCALAR.add("Add [1]", 1, lambda n, s: n("Add", _conv(n, s), n.normal(1)))
SCALAR.add("[1, 1, 1, 1] times", 1, lambda n, s: n("Mul", n.normal(1, 1, 1, 1), _conv(n, s)))


def _deconvolution(net: Net, s: Size, **options: object) -> str:
    return _conv(net, s, op="ConvTranspose", strides=[2, 2], **options)


def _deconvolution_affine(net: Net, s: Size) -> str:
    scaled = net("Mul", _deconvolution(net, s, group=2), net.normal(s.o, 1, 1))
    return net("Add", scaled, net.normal(s.o, 1, 1))


TRANSPOSED.add("Mul", 1, lambda n, s: n("Mul", _deconvolution(n, s), n.normal(s.o, 1, 1)))
TRANSPOSED.add("two groups, Mul, Add", 1, _deconvolution_affine)


def _normalised(net: Net, s: Size) -> str:
    centred = net("Sub", net.x(s.n, s.c, s.h, s.w), net.normal(1, s.c, 1, 1))
    return net.conv(net("Div", centred, net.positive(s.c, 1, 1)), s.c, s.o, 3, 3)


def _scaled(*shape: str, op: str = "Mul", **options: object) -> object:
    """A constant of the dimensions named in `shape` before a Conv."""

    def build(net: Net, s: Size) -> str:
        constant = net.positive(*(s.c if dim == "c" else 1 for dim in shape))
        value = net(op, net.x(s.n, s.c, s.h, s.w), constant)
        return net.conv(value, s.c, s.o, 3, 3, **options)

    return build


BEFORE.add("x / 255, padded", 1, _scaled(op="Div", pads=[1] * 4))
BEFORE.add("(x - mean) / std", 1, _normalised)
BEFORE.add("x - scalar", 1, _scaled("1", op="Sub", strides=[2, 1]))
BEFORE.add("per-channel Mul, padded", 1, _scaled("c", "1", "1", pads=[1] * 4))
BEFORE.add("per-channel Mul, grouped", 1, _scaled("1", "c", "1", "1", group=2, pads=[0, 1, 1, 0]))


def _pad(net: Net, s: Size) -> str:
    pads = net.k(np.array([0, 0, 1, 2, 0, 0, 0, 1]))
    return net.conv(net("Pad", net.x(s.n, s.c, s.h, s.w), pads), s.c, s.o, 3, 3, pads=[1] * 4)


PAD.add("Pad with zeros", 1, _pad)
COPY.add("Identity", 1, lambda n, s: n.bn(n("Identity", _conv(n, s)), s.o))
COPY.add("Dropout", 1, lambda n, s: n.bn(n("Dropout", _conv(n, s), n.k(0.4)), s.o))

FAMILIES = (MIXED, CHANNEL, SCALAR, TRANSPOSED, BEFORE, PAD, COPY)
