"""Random models of linear operators, affine maps, what lies between, and readers that forbid.

Sizes are small, so that equal ones are common: only they show one axis taken for another. Steps are
drawn for the rank and shape at hand; every model is valid, and most have something to fuse.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from benchmarks.fusion.building import Net

# No node is added to a tensor of more elements.
_LARGEST = 2**11

Draw = Callable[[st.SearchStrategy], object]


class Program:
    """A model under construction: its last tensor, that tensor's shape, and its outputs."""

    def __init__(self, draw: Draw, dtype: int, rank: int = 0) -> None:
        self.draw = draw
        self.net = Net(self.pick(13, 15, 17), dtype)
        self.net.random = np.random.default_rng(draw(st.integers(0, 2**16)))
        rank = rank or draw(st.integers(2, 5))
        self.shape = tuple(self.integer(1, 4) if axis < 2 else 6 for axis in range(rank))
        self.value = self.net.x(*self.shape)
        self.outputs: list[str] = []

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pick(self, *options: object) -> object:
        return self.draw(st.sampled_from(options))

    def do(self, op: str, *inputs: str, **attrs: object) -> None:
        """Add a node; its output is the last tensor from now on."""
        self.value = self.net(op, *inputs, **attrs)
        graph = self.net.graph([self.value])
        opsets = [helper.make_opsetid("", self.net.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=self.net.ir_version)
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output[0]
        self.shape = tuple(dim.dim_value for dim in inferred.type.tensor_type.shape.dim)
        assert all(self.shape), (op, self.shape)

    def model(self) -> onnx.ModelProto:
        return self.net.model(*dict.fromkeys([*self.outputs, self.value]))


def conv(p: Program) -> None:
    """Conv of any group, window and bias; '' is a bias left out."""
    spatial, groups = p.shape[2:], [g for g in (1, 2, 3, 4) if p.shape[1] % g == 0]
    group, kernel = p.pick(*groups), [min(p.integer(1, 3), size) for size in spatial]
    outputs = group * p.integer(1, 2)
    attrs: dict[str, object] = {"group": group, "strides": [p.integer(1, 2) for _ in spatial]}
    if p.pick(False, True, True):
        attrs["pads"] = [p.integer(0, 2) for _ in range(2 * len(spatial))]
        fits = all((k - 1) * 2 < size for k, size in zip(kernel, spatial, strict=True))
        attrs["dilations"] = [p.integer(1, 2) if fits else 1 for _ in spatial]
    else:
        attrs["auto_pad"] = p.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    _convolve(p, "Conv", (outputs, p.shape[1] // group, *kernel), outputs, attrs)


def conv_transpose(p: Program) -> None:
    spatial, groups = p.shape[2:], [g for g in (1, 2, 3, 4) if p.shape[1] % g == 0]
    if p.net.dtype == TensorProto.DOUBLE:
        # ONNX Runtime has no kernel, and ONNX's evaluator fails for more than one group.
        groups = [1]
    group, kernel = p.pick(*groups), [p.integer(1, 3) for _ in spatial]
    filters = p.integer(1, 2)
    strides = [p.integer(1, 2) for _ in spatial]
    attrs = {"group": group, "strides": strides, "dilations": [p.integer(1, 2) for _ in spatial]}
    attrs["output_padding"] = [p.integer(0, stride - 1) for stride in strides]
    if min(spatial) > 2:
        attrs["pads"] = [p.integer(0, 1) for _ in range(2 * len(spatial))]
    weight = (p.shape[1], filters, *kernel)
    _convolve(p, "ConvTranspose", weight, group * filters, attrs)


def _convolve(
    p: Program, op: str, weight: tuple[int, ...], outputs: int, attrs: dict[str, object]
) -> None:
    bias = p.pick("", "none", "given", "given")
    extra = {"": [""], "none": [], "given": [p.net.normal(outputs)]}[bias]
    p.do(op, p.value, p.net.normal(*weight), *extra, **attrs)


def gemm(p: Program) -> None:
    left, right = p.pick(0, 1), p.pick(0, 1)
    rows, inner = p.shape[::-1] if left else p.shape
    outputs = p.integer(1, 4)
    c = p.pick(None, (), (1,), (1, 1), (outputs,), (1, outputs), (rows, 1), (rows, outputs))
    extra = [] if c is None else [p.net.normal(*c)]
    weight = p.net.normal(*((outputs, inner) if right else (inner, outputs)))
    factors = {"alpha": p.pick(1.0, 0.5, -2.0), "beta": p.pick(1.0, -0.7, 3.0)}
    p.do("Gemm", p.value, weight, *extra, transA=left, transB=right, **factors)


def matmul(p: Program) -> None:
    outputs, batch = p.integer(1, 4), p.shape[:-2]
    stack = p.pick((), (), batch, (1,) * len(batch))
    if p.pick(True, True, False):
        p.do("MatMul", p.value, p.net.normal(*stack, p.shape[-1], outputs))
    else:
        p.do("MatMul", p.net.normal(*stack, outputs, p.shape[-2]), p.value)


def batch_norm(p: Program) -> None:
    """On any axis 1, also where that is no channel of a linear operator.

    No variance is so small that the norm alone makes rounding errors large.
    """
    gamma, beta, mean, _ = p.net.statistics(p.shape[1])
    variance = p.net.random.uniform(0.3, 10, p.shape[1])
    p.do("BatchNormalization", p.value, *map(p.net.k, (gamma, beta, mean, variance)))


def arithmetic(p: Program) -> None:
    """A constant along no axis, one axis, or several; written with or without leading ones."""
    axes = p.pick((), (1,), (1,), (1,), (len(p.shape) - 1,), (0,), (0, 1), range(len(p.shape)))
    full = tuple(size if axis in axes else 1 for axis, size in enumerate(p.shape))
    leading = next((axis for axis, size in enumerate(full) if size != 1), len(full))
    shape = full[p.integer(0, leading) :]
    if p.pick(*[False] * 9, True):
        shape = (1,) * (len(p.shape) + 1 - len(shape)) + shape if len(p.shape) < 5 else shape
    constant = p.net.k(p.net.random.uniform(0.5, 2, shape) * p.pick(1, 1, -1))
    op = p.pick("Mul", "Add", "Sub", "Div", "Sum")
    # A constant over a tensor is as large as the tensor is near 0: nothing to compare.
    first = op != "Div" and p.pick(False, True)
    p.do(op, *((constant, p.value) if first else (p.value, constant)))


def per_channel(p: Program) -> None:
    """Arithmetic with a constant along axis 1, or one that is the same everywhere."""
    ones = (1,) * (len(p.shape) - 2)
    full = (p.shape[1], *ones)
    constant = p.net.k(p.net.random.uniform(0.5, 2, p.pick(full, (1, *full), (), (1,))))
    op = p.pick("Mul", "Add", "Sub", "Div", "Sum")
    first = op != "Div" and p.pick(False, True)
    p.do(op, *((constant, p.value) if first else (p.value, constant)))


def negate(p: Program) -> None:
    p.do("Neg", p.value)


def copy(p: Program) -> None:
    p.do(p.pick("Identity", "Dropout"), p.value)


def rectify(p: Program) -> None:
    p.do(p.pick("Relu", "LeakyRelu", "Sigmoid"), p.value)


def transpose(p: Program) -> None:
    p.do("Transpose", p.value, perm=p.draw(st.permutations(range(len(p.shape)))))


def reshape(p: Program) -> None:
    """Merge two neighbouring axes, split one, or flatten."""
    axis = p.integer(0, len(p.shape) - 2)
    merged = (*p.shape[:axis], p.shape[axis] * p.shape[axis + 1], *p.shape[axis + 2 :])
    even = [a for a, size in enumerate(p.shape) if size % 2 == 0 and size > 2]
    options = [merged if len(merged) > 1 else (*merged, 1), (*p.shape[:1], -1)]
    if even and len(p.shape) < 5:
        a = p.pick(*even)
        options.append((*p.shape[:a], 2, p.shape[a] // 2, *p.shape[a + 1 :]))
    p.do("Reshape", p.value, p.net.k(np.array(p.pick(*options))))


def flatten(p: Program) -> None:
    p.do("Flatten", p.value, axis=p.integer(1, len(p.shape) - 1))


def concat(p: Program) -> None:
    """With another linear operator's result, or with the tensor itself."""
    axis = p.integer(0, len(p.shape) - 1)
    other = p.value if p.pick(False, True) else p.net("Abs", p.value)
    p.do("Concat", *p.draw(st.permutations([p.value, other])), axis=axis)


def join(p: Program) -> None:
    """Two pointwise convolutions of one tensor, added, subtracted or concatenated."""
    channels, ones = p.shape[1], (1,) * (len(p.shape) - 2)
    x = p.value
    sides = [p.net.conv(x, channels, p.integer(1, 3), *ones, bias=p.pick(True, False))]
    outputs = p.net.weights[-2 if len(p.net.nodes[-1].input) > 2 else -1].dims[0]
    sides.append(p.net.conv(x, channels, outputs, *ones))
    op = p.pick("Add", "Sub", "Concat")
    p.do(op, *sides, **({"axis": p.integer(0, len(p.shape) - 1)} if op == "Concat" else {}))


def pool(p: Program) -> None:
    op, rank = p.pick("MaxPool", "AveragePool", "GlobalAveragePool"), len(p.shape) - 2
    if op == "GlobalAveragePool" or min(p.shape[2:]) < 2:
        p.do("GlobalAveragePool", p.value)
        return
    attrs: dict[str, object] = {"kernel_shape": [2] * rank, "strides": [p.pick(1, 2)] * rank}
    if p.pick(True, False):
        attrs["pads"] = [p.integer(0, 1) for _ in range(2 * rank)]
    if op == "AveragePool":
        attrs["count_include_pad"] = p.pick(0, 1)
    p.do(op, p.value, **attrs)


def reduce(p: Program) -> None:
    axes = sorted(p.draw(st.sets(st.integers(0, len(p.shape) - 1), min_size=1, max_size=2)))
    keep = 1 if len(p.shape) - len(axes) < 2 else p.pick(0, 1)
    op = p.pick("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")
    if op == "ReduceSum":
        p.do(op, p.value, p.net.k(np.array(axes)), keepdims=keep)
    else:
        p.do(op, p.value, axes=axes, keepdims=keep)


def pad(p: Program) -> None:
    amounts = [p.pick(0, 0, 1) for _ in range(2 * len(p.shape))]
    extra = [p.net.k(p.pick(0.0, 1.0))] if p.pick(False, True) else []
    p.do("Pad", p.value, p.net.k(np.array(amounts)), *extra)


def second_reader(p: Program) -> None:
    p.outputs.append(p.net("Relu", p.value))


def as_output(p: Program) -> None:
    if p.value != "x":
        p.outputs.append(p.value)


def share(p: Program) -> None:
    """Another node reads the constants of the last one that has some."""
    stored = {tensor.name for tensor in p.net.weights}
    names = [name for node in p.net.nodes[-1:] for name in node.input if name in stored]
    floating = [t.name for t in p.net.weights if t.name in names and t.data_type == p.net.dtype]
    if floating:
        p.outputs.append(p.net("Abs", p.pick(*floating)))


AFFINE = (batch_norm, arithmetic, arithmetic, negate, copy)
LAYOUT = (transpose, reshape, flatten, concat, reduce, pad, rectify)
NEIGHBOURS = (second_reader, as_output, share)


def _steps(p: Program) -> tuple[Callable[[Program], None], ...]:
    linear: tuple[Callable[[Program], None], ...] = (matmul, matmul)
    if len(p.shape) == 2:
        linear = (gemm, gemm, gemm, matmul)
    elif len(p.shape) <= 5:
        linear = (conv, conv, conv_transpose, matmul, join)
    layout = (*LAYOUT, pool) if 3 <= len(p.shape) <= 5 else LAYOUT
    return linear + AFFINE + AFFINE + layout + NEIGHBOURS


@st.composite
def programs(draw: Draw, dtype: int) -> onnx.ModelProto:
    """A valid model of a few nodes, one at least."""
    p = Program(draw, dtype)
    for _ in range(p.integer(2, 6)):
        if prod(p.shape) < _LARGEST:
            p.pick(*_steps(p))(p)
    if p.value == "x":
        batch_norm(p)
    return p.model()


@st.composite
def absorbed(draw: Draw, linear: Callable[[Program], None], rank: int) -> onnx.ModelProto:
    """A linear operator and a chain behind it that has to vanish in it."""
    p = Program(draw, TensorProto.FLOAT, rank)
    linear(p)
    for _ in range(p.integer(1, 4)):
        p.pick(batch_norm, per_channel, per_channel, negate, copy)(p)
    return p.model()


@st.composite
def normalised(draw: Draw) -> onnx.ModelProto:
    """A chain that has to vanish in the product that reads it."""
    p = Program(draw, TensorProto.FLOAT, 2)
    for _ in range(p.integer(1, 4)):
        p.pick(batch_norm, per_channel, per_channel, negate, copy)(p)
    weight = p.net.normal(p.shape[1], p.integer(1, 4))
    if p.pick(True, False):
        p.do("Gemm", p.value, weight, alpha=p.pick(1.0, -0.5))
    else:
        p.do("MatMul", p.value, weight)
    return p.model()
