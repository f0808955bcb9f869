"""Linear operators with a constant weight in one form: where their channels lie in the weight.

    operator       weight              output channel of an element     input channel
    Conv           [O, I/g, k...]      o                                (o // (O/g)) * (I/g) + i
    ConvTranspose  [I, O/g, k...]      (i // (I/g)) * (O/g) + o         i
    Gemm           [K, N], or [N, K]   n                                k
    MatMul x @ W   [..., K, N]         n                                k
    MatMul W @ x   [..., M, K]         m                                k
    a norm         [C], its scale      c                                none
The norms (InstanceNormalization, LayerNormalization over the last axis) are not linear in x, but in
their own scale and bias, which absorb an affine map behind them.
Folding is then the same everywhere: an affine on the output multiplies each element by the scale of
its output channel, one on the input by the scale of its input channel.

Source: ONNX operators Conv, ConvTranspose, Gemm, MatMul, InstanceNormalization, LayerNormalization.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.passes.affine.constants import Constants, Recipe, stored
from zkprep.passes.affine.normal_form import Array, Refusal

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Linear:
    """y = alpha * W(x) + offset.

    Attributes:
        node: the operator.
        data: input number of x.
        weight: input number of W.
        bias: input number of the bias, None for an operator without one.
        exact: how to make W, float64.
        offset: float64, shape (outputs,) or broadcastable to y; 0 where there is no bias.
        outputs: number of output channels.
        inputs: number of input channels.
        output_of: output channel of each element of W, broadcastable to it.
        input_of: input channel likewise.
        axis: axis of the output channels in y; None when y has none (a product with a vector).
        input_axis: axis of the input channels in x.
        alpha: factor of the product.
    """

    node: ir.Node
    data: int
    weight: int
    bias: int | None
    exact: Recipe
    offset: Array
    outputs: int
    inputs: int
    output_of: Indices
    input_of: Indices
    axis: int | None
    input_axis: int
    alpha: float = 1.0

    @property
    def values(self) -> Array:
        """W, made anew."""
        return self.exact.make()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of W."""
        return self.exact.shape


def describe(node: ir.Node, constants: Constants, opset: int) -> Linear | Refusal:
    """The form of `node`, whose operator is in `LINEAR`, or why its constants are not known."""
    if node.domain != "":
        return Refusal(f"{node.domain}::{node.op_type} is not a standard operator")
    return (LINEAR | NORMS)[node.op_type](node, constants, opset)


def _conv(node: ir.Node, constants: Constants, _opset: int) -> Linear | Refusal:
    weight = _read(node, 1, "weight", constants)
    if isinstance(weight, Refusal):
        return weight
    group = node.attributes.get_int("group", 1)
    outputs, per_group = weight.shape[:2]
    offset = _bias(node, outputs, constants)
    if isinstance(offset, Refusal):
        return offset
    out = np.arange(outputs)
    return Linear(
        node=node,
        data=0,
        weight=1,
        bias=2,
        exact=weight,
        offset=offset,
        outputs=outputs,
        inputs=per_group * group,
        output_of=_over(out[:, None], len(weight.shape)),
        input_of=_over(
            out[:, None] // (outputs // group) * per_group + np.arange(per_group), len(weight.shape)
        ),
        axis=1,
        input_axis=1,
    )


def _conv_transpose(node: ir.Node, constants: Constants, _opset: int) -> Linear | Refusal:
    weight = _read(node, 1, "weight", constants)
    if isinstance(weight, Refusal):
        return weight
    group = node.attributes.get_int("group", 1)
    inputs, per_group = weight.shape[:2]
    offset = _bias(node, per_group * group, constants)
    if isinstance(offset, Refusal):
        return offset
    into = np.arange(inputs)[:, None]
    return Linear(
        node=node,
        data=0,
        weight=1,
        bias=2,
        exact=weight,
        offset=offset,
        outputs=per_group * group,
        inputs=inputs,
        output_of=_over(
            into // (inputs // group) * per_group + np.arange(per_group), len(weight.shape)
        ),
        input_of=_over(into, len(weight.shape)),
        axis=1,
        input_axis=1,
    )


def _gemm(node: ir.Node, constants: Constants, opset: int) -> Linear | Refusal:
    if opset < 7:
        return Refusal(
            f"operators of opset {opset} broadcast by attribute; convert to opset 7 or later first"
        )
    weight = _read(node, 1, "weight", constants)
    if isinstance(weight, Refusal):
        return weight
    transposed = node.attributes.get_int("transB", 0) != 0
    outputs, inputs = weight.shape if transposed else weight.shape[::-1]
    bias = _bias(node, outputs, constants)
    if isinstance(bias, Refusal):
        return bias
    rows, columns = np.arange(weight.shape[0])[:, None], np.arange(weight.shape[1])
    return Linear(
        node=node,
        data=0,
        weight=1,
        bias=2,
        exact=weight,
        offset=node.attributes.get_float("beta", 1.0) * bias,
        outputs=outputs,
        inputs=inputs,
        output_of=rows if transposed else columns,
        input_of=columns if transposed else rows,
        axis=1,
        input_axis=0 if node.attributes.get_int("transA", 0) else 1,
        alpha=node.attributes.get_float("alpha", 1.0),
    )


def _matmul(node: ir.Node, constants: Constants, _opset: int) -> Linear | Refusal:
    left, right = node.inputs
    index = 0 if left is not None and stored(left) is not None else 1
    if index == 0 and right is not None and stored(right) is not None:
        return Refusal("both of its operands are constant")
    weight = _read(node, index, "weight", constants)
    if isinstance(weight, Refusal):
        return weight
    shape, data = node.outputs[0].shape, node.inputs[1 - index]
    if shape is None or data is None or data.shape is None:
        return Refusal(f"the shape of '{node.outputs[0].name}' is not known")
    if len(weight.shape) == 1 or len(data.shape) == 1:
        return Refusal("it multiplies with a vector, so its result has no channels of its own")
    rows, columns = np.arange(weight.shape[-2])[:, None], np.arange(weight.shape[-1])
    last = len(shape) - 1
    return Linear(
        node=node,
        data=1 - index,
        weight=index,
        bias=None,
        exact=weight,
        offset=np.zeros(1),
        outputs=weight.shape[-1] if index == 1 else weight.shape[-2],
        inputs=weight.shape[-2] if index == 1 else weight.shape[-1],
        output_of=columns if index == 1 else rows,
        input_of=rows if index == 1 else columns,
        axis=last if index == 1 else last - 1,
        input_axis=len(data.shape) - (1 if index == 1 else 2),
    )


def _norm(node: ir.Node, constants: Constants, _opset: int) -> Linear | Refusal:
    """An operator that scales and shifts what it normalised."""
    scale, output = _read(node, 1, "scale", constants), node.outputs[0]
    if isinstance(scale, Refusal):
        return scale
    if output.shape is None or len(scale.shape) != 1:
        return Refusal("its scale does not run along one axis that is known")
    bias = _bias(node, scale.shape[0], constants)
    if isinstance(bias, Refusal):
        return bias
    channels = np.arange(scale.shape[0])
    axis = 1 if node.op_type == "InstanceNormalization" else len(output.shape) - 1
    return Linear(
        node=node,
        data=0,
        weight=1,
        bias=2,
        exact=scale,
        offset=bias,
        outputs=channels.size,
        inputs=0,
        output_of=channels,
        input_of=channels,
        axis=axis,
        input_axis=axis,
    )


def _read(node: ir.Node, index: int, role: str, constants: Constants) -> Recipe | Refusal:
    value = node.inputs[index]
    return Refusal(f"it has no {role}") if value is None else constants.recipe(value, role)


def _bias(node: ir.Node, outputs: int, constants: Constants) -> Array | Refusal:
    """Input 2 of `node`, zeros where it is absent."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return np.zeros(outputs)
    return constants.read(node.inputs[2], "bias")


def _over(channels: Indices, rank: int) -> Indices:
    """`channels`, which runs over the first two axes, for a weight of that rank."""
    return channels.reshape(channels.shape + (1,) * (rank - channels.ndim))


Describe = Callable[[ir.Node, Constants, int], Linear | Refusal]

LINEAR: dict[str, Describe] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}

NORMS: dict[str, Describe] = {"InstanceNormalization": _norm, "LayerNormalization": _norm}
