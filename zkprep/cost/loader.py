"""What tract rewrites in a model before EZKL sees it, as far as it changes what is laid out.

1. A Conv of kernel 1, group 1 and no padding becomes an einsum.
2. The stride of a Conv along an unpadded axis of kernel 1 is taken out (zkprep.cost.moves).
3. A Conv of group 1 that is no einsum absorbs what acts on its channels by constants, as long as
   nothing else reads the tensor between.
4. A Pad before a Conv becomes the Conv's own.
5. The mean of a square that nothing else reads becomes one operator.
6. An einsum that sums along the axis of a Concat becomes one einsum per part, and their sum.

Source: sonos/tract `core/src/ops/cnn/conv/conv.rs` declutter_*, `core/src/ops/nn/reduce.rs`
declutter_mean_of_square, `core/src/optim/slice.rs`, `core/src/ops/downsample/mod.rs`.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.cost.call import constant_of, shape_of

_ARITHMETIC = frozenset({"Add", "Sub", "Sum", "Mul", "Div"})
_MEANS = frozenset({"GlobalAveragePool", "ReduceMean"})

Array = NDArray[Any]


def is_einsum(node: ir.Node) -> bool:
    """Rule 1, for a Conv."""
    kernel, attributes = shape_of(node.inputs[1]), node.attributes
    return (
        kernel is not None
        and prod(kernel[2:]) == 1
        and attributes.get_int("group", 1) == 1
        and not any(attributes.get_ints("pads", []))
        and not (_is_same_padded(node) and prod(attributes.get_ints("strides", [])) > 1)
    )


def outer_strides(node: ir.Node) -> list[tuple[int, int]]:
    """Rule 2: axes of a Conv's image with the stride that is taken out."""
    kernel = shape_of(node.inputs[1])
    if kernel is None or _is_same_padded(node):
        return []
    rank = len(kernel) - 2
    strides = node.attributes.get_ints("strides", [1] * rank)
    pads = node.attributes.get_ints("pads", [0] * 2 * rank)
    unpadded = [pads[axis] == pads[axis + rank] == 0 for axis in range(rank)]
    return [
        (axis + 2, stride)
        for axis, stride in enumerate(strides)
        if stride > 1 and kernel[axis + 2] == 1 and unpadded[axis]
    ]


def reads_parts(node: ir.Node, position: int, axis: int) -> bool:
    """Rule 6: whether `node` reads the parts of a Concat along `axis`, its input `position`."""
    shape = shape_of(node.inputs[position])
    if shape is None:
        return False
    attributes, rank = node.attributes, len(shape)
    if node.op_type == "Concat":
        return attributes.get_int("axis", 0) % rank == axis
    if node.op_type == "Gemm":
        flags = ("transA", "transB", "")
        flag = attributes.get_int(flags[position], 0)
        return position < 2 and axis == (flag if position else 1 - flag)
    if node.op_type == "MatMul":
        return axis == (max(0, rank - 2) if position else rank - 1)
    return node.op_type == "Conv" and position == 0 and axis == 1 and is_einsum(node)


def absorbed(graph: ir.Graph) -> dict[ir.Node, list[ir.Node]]:
    """Rule 3: Convs, each with the nodes it absorbs in order."""
    convs = (node for node in graph if node.op_type == "Conv" and node.outputs)
    chains = {conv: list(_channel_chain(conv.outputs[0])) for conv in convs if _is_plain(conv)}
    return {conv: chain for conv, chain in chains.items() if chain}


def absorbed_bias(conv: ir.Node, chain: list[ir.Node]) -> Array:
    """The bias, shape (C,), of a Conv that has absorbed `chain`.

    Raises:
        TypeError: a parameter is not constant.
    """
    given = conv.inputs[2] if len(conv.inputs) > 2 else None
    bias = np.zeros(1, np.float32) if given is None else _values(given)
    before = conv.outputs[0]
    for node in chain:
        bias = _acted_on(bias, node, node.inputs[0] is before)
        before = node.outputs[0]
    kernel = shape_of(conv.inputs[1]) or (1,)
    return np.broadcast_to(bias, kernel[:1]).astype(np.float32)


def affine(parameters: list[Array], epsilon: float) -> tuple[Array, Array]:
    """Slope and shift of BatchNormalization from gamma, beta, mean, variance."""
    gamma, beta, mean, variance = parameters
    root = np.sqrt(variance + np.float32(epsilon))
    return gamma / root, beta - mean * gamma / root


def padded_source(image: ir.Value | None) -> ir.Value | None:
    """Rule 4: the tensor before the Pads before a Conv."""
    while image and (producer := image.producer()) and producer.op_type == "Pad":
        image = producer.inputs[0]
    return image


def is_averaged_square(node: ir.Node | None) -> bool:
    """Rule 5: whether this node squares a tensor for a mean alone."""
    if node is None or len(node.outputs[0].uses()) != 1 or node.outputs[0].is_graph_output():
        return False
    (reader,) = node.outputs[0].consumers()
    square = node.op_type == "Mul" and node.inputs[0] is node.inputs[1]
    if node.op_type == "Pow":
        exponent = constant_of(node.inputs[1])
        square = exponent is not None and exponent.size == 1 and exponent.numpy().item() == 2
    return square and reader.op_type in _MEANS


def is_unsettled(node: ir.Node) -> bool:
    """Whether the cells of `node` are an estimate although its operator is known.

    By rule 3 a Conv that is a graph output too is laid out once more instead of this node.
    """
    return any(_is_shown_conv(value) and _absorbs(value, node) for value in node.inputs if value)


def _is_same_padded(node: ir.Node) -> bool:
    return str(node.attributes.get_string("auto_pad", "NOTSET")).startswith("SAME")


def _is_plain(conv: ir.Node) -> bool:
    inputs, group = len(conv.inputs), conv.attributes.get_int("group", 1)
    return inputs >= 2 and group == 1 and not is_einsum(conv)


def _is_shown_conv(value: ir.Value) -> bool:
    conv = value.producer()
    shown = value.is_graph_output() and len(value.uses()) == 1
    return shown and conv is not None and conv.op_type == "Conv" and _is_plain(conv)


def _channel_chain(value: ir.Value) -> Iterator[ir.Node]:
    """The single readers after `value` that act on each channel by constants."""
    while len(value.uses()) == 1 and not value.is_graph_output():
        (reader,) = value.consumers()
        if not _absorbs(value, reader):
            return
        yield reader
        value = reader.outputs[0]


def _absorbs(value: ir.Value, node: ir.Node) -> bool:
    """Whether the Conv that makes `value` can absorb `node`, which reads it."""
    shape = shape_of(value)
    others = [constant_of(operand) for operand in node.inputs if operand is not value]
    if shape is None or len(shape) < 2 or not all(other is not None for other in others):
        return False
    if node.op_type == "BatchNormalization":
        return len(others) == 4
    if node.op_type not in _ARITHMETIC or len(others) != 1 or others[0] is None:
        return False
    operand = tuple(others[0].shape.numpy())
    expected = (1, shape[1], *(1,) * (len(shape) - 2))
    return (1,) * (len(shape) - len(operand)) + operand == expected


def _acted_on(bias: Array, node: ir.Node, first: bool) -> Array:
    """`bias` after `node`, whose operand it is the `first` of."""
    if node.op_type == "BatchNormalization":
        epsilon = float(node.attributes.get_float("epsilon", 1e-5))
        slope, shift = affine([_values(value) for value in node.inputs[1:]], epsilon)
        return np.asarray(bias * slope + shift)
    other = _values(node.inputs[1] if first else node.inputs[0]).ravel()
    operands = (bias, other) if first else (other, bias)
    operations = {"Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(operations.get(node.op_type, np.add)(*operands))


def _values(value: ir.Value | None) -> Array:
    tensor = constant_of(value)
    if tensor is None:
        raise TypeError("a parameter is not constant")
    return tensor.numpy()
