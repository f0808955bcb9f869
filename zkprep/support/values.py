"""What is known of a tensor before the model runs: its value, its size, its sign, its type."""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.support.operators import KEEPS_SIGN, NEVER_NEGATIVE

_INTEGERS = frozenset(
    kind for kind in ir.DataType if kind.name.startswith(("INT", "UINT")) and kind.bitwidth >= 8
)


def operand(node: ir.Node, position: int) -> ir.Value | None:
    """The node's input at `position`, if it has one there."""
    return node.inputs[position] if position < len(node.inputs) else None


def known(value: ir.Value | None) -> NDArray[Any] | None:
    """The value of a constant; None for what the model computes or the caller gives."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def sizes(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape, if it is static."""
    if value is None or value.shape is None or not value.shape.is_static():
        return None
    return tuple(value.shape.numpy())


def holds_integers(value: ir.Value | None) -> bool:
    """Whether its element type is an integer type."""
    return value is not None and value.dtype in _INTEGERS


def never_negative(value: ir.Value | None) -> bool:
    """Whether no element can be below 0, by the operators that make it."""
    pending, seen = [value], set[ir.Value]()
    while pending:
        one = pending.pop()
        if one is None or one in seen:
            continue
        seen.add(one)
        constant, node = known(one), one.producer()
        if constant is not None:
            if np.any(constant < 0):
                return False
        elif node is None or node.domain != "":
            return False
        elif node.op_type in KEEPS_SIGN:
            pending += _data_of(node)
        elif not (node.op_type in NEVER_NEGATIVE or _is_clipped(node)):
            return False
    return True


def _data_of(node: ir.Node) -> list[ir.Value | None]:
    """The inputs of `node` that its output's elements come from, rather than indices or shapes."""
    every = ("Add", "Concat", "Max", "Min", "Mul", "Sum")
    return list(node.inputs) if node.op_type in every else [node.inputs[0]]


def _is_clipped(node: ir.Node) -> bool:
    low = known(operand(node, 1)) if node.op_type == "Clip" else None
    return low is not None and bool(np.all(low >= 0))
