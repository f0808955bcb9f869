"""A LayerNormalization that an exporter spelled out, found again.

    c = x - ReduceMean(x),  y = c / Sqrt(ReduceMean(c ** 2) + epsilon) [* scale]
over the last axes, as operator sets before 17 write it; its shift is a sum like any other. Source:
torch.onnx's symbolic of layer_norm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from zkprep.passes.circuit.maxima import reduced_axes
from zkprep.passes.repair.draft import known, operand, sizes


@dataclass(frozen=True, slots=True)
class Spelled:
    """What is normalised and how, and the nodes that do it but the last, nearest first."""

    data: ir.Value
    axis: int
    epsilon: float
    scale: ir.Value | None
    nodes: tuple[ir.Node, ...]


def spelled(node: ir.Node) -> Spelled | None:
    """What `node`, the last but for a shift, completes; None when it is something else."""
    if node.op_type == "Div":
        readers = node.outputs[0].consumers()
        scaled = len(readers) == 1 and _scale(readers[0]) is not None
        return None if scaled else _quotient(node, None, ())
    found = _scale(node)
    return None if found is None else _quotient(found[0], found[1], (found[0],))


def _scale(node: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """The quotient that `node` scales, and the constant it is scaled by."""
    if node.op_type != "Mul":
        return None
    for index in (0, 1):
        quotient, scale = _maker(node.inputs[index], "Div"), node.inputs[1 - index]
        if quotient is None or scale is None or known(scale) is None:
            continue
        if _alone(node.inputs[index], 1):
            return quotient, scale
    return None


def _quotient(node: ir.Node, scale: ir.Value | None, nodes: tuple[ir.Node, ...]) -> Spelled | None:
    centred = operand(node, 0)
    root = _maker(operand(node, 1), "Sqrt")
    shifted = None if root is None else _maker(root.inputs[0], "Add")
    minus = _maker(centred, "Sub")
    if centred is None or root is None or shifted is None or minus is None:
        return None
    data, mean = minus.inputs[0], _maker(minus.inputs[1], "ReduceMean")
    spread, epsilon = _terms(shifted)
    square = None if spread is None else _maker(spread.inputs[0], "Pow", "Mul")
    if data is None or mean is None or spread is None or square is None or epsilon is None:
        return None
    reads = _reads(square, centred)
    inner = (root, shifted, spread, square, minus, mean)
    alone = all(_alone(one.outputs[0], 1) for one in inner if one is not minus)
    if not reads or not alone or not _alone(centred, reads + 1) or mean.inputs[0] is not data:
        return None
    axis = _last_axes(mean, data)
    if axis is None or _last_axes(spread, centred) != axis or not _fits(scale, sizes(data)[axis:]):
        return None
    return Spelled(data, axis, epsilon, scale, (*nodes, *inner))


def _terms(node: ir.Node) -> tuple[ir.Node | None, float | None]:
    """The mean of squares and the number that `node` adds."""
    for index in (0, 1):
        number = known(node.inputs[1 - index])
        if number is not None and number.size == 1:
            return _maker(node.inputs[index], "ReduceMean"), float(number.item())
    return None, None


def _reads(square: ir.Node, data: ir.Value) -> int:
    """How often `square` reads what it squares; 0 where it is another power or product."""
    if square.op_type == "Mul":
        return 2 if tuple(square.inputs) == (data, data) else 0
    exponent = known(operand(square, 1))
    is_two = exponent is not None and exponent.size == 1 and exponent.item() == 2
    return int(square.inputs[0] is data and is_two)


def _last_axes(node: ir.Node, data: ir.Value) -> int | None:
    """The first of the axes that `node` averages, where they are the last ones and kept."""
    axes, rank = reduced_axes(node, data), len(sizes(data))
    if not axes or not node.attributes.get_int("keepdims", 1):
        return None
    return axes[0] if list(axes) == list(range(axes[0], rank)) else None


def _fits(scale: ir.Value | None, lengths: Sequence[int]) -> bool:
    """Whether there is one factor per element of a row, or none."""
    if scale is None:
        return True
    shape = sizes(scale)
    return prod(shape) == prod(lengths) and shape[-len(lengths) :] == tuple(lengths)


def _maker(value: ir.Value | None, *operators: str) -> ir.Node | None:
    node = None if value is None else value.producer()
    found = node is not None and node.domain == "" and node.op_type in operators
    return node if found else None


def _alone(value: ir.Value | None, readers: int) -> bool:
    return value is not None and len(value.uses()) == readers and not value.is_graph_output()
