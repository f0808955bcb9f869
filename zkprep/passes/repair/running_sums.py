"""EZKL sums up forwards only, and from a whole number on: a CumSum is a product with a triangle.

Along the axis, y = x T with T[i, j] = 1 where input i counts in output j: i <= j, i < j when
exclusive, and with the order turned round when reverse. Source: ONNX operator CumSum.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class MultiplyRunningSums:
    """No CumSum along a constant axis is left."""

    name: ClassVar[str] = "multiply-running-sums"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the running sums as products."""
        return repair(model, "CumSum as a product", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "CumSum":
        return None
    exclusive = bool(node.attributes.get_int("exclusive", 0))
    reverse = bool(node.attributes.get_int("reverse", 0))
    data, where = operand(node, 0), known(operand(node, 1))
    if data is None or data.dtype is None or where is None:
        return "its axis is not constant"
    if data.dtype not in (ir.DataType.FLOAT, ir.DataType.INT32, ir.DataType.INT64):
        return "it computes in numbers that wrap around"
    rank = len(sizes(data))
    axis = int(where.item()) % rank
    square = np.ones((sizes(data)[axis],) * 2)
    triangle = np.tril(square, -exclusive) if reverse else np.triu(square, exclusive)
    order = [*(one for one in range(rank) if one != axis), axis]
    last = data if axis == rank - 1 else draft.op("Transpose", data, perm=order)
    product = draft.op("MatMul", last, draft.constant("triangle", triangle, data.dtype))
    if axis == rank - 1:
        return product
    return draft.op("Transpose", product, perm=np.argsort(order).tolist())
