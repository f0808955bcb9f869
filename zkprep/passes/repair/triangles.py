"""EZKL computes Trilu wrongly: a constant mask chooses the triangle.

    Trilu(x) = Where(mask, x, 0)
    mask[i, j] is j - i >= k for the upper triangle, j - i <= k for the lower
Source: ONNX operator Trilu.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class MaskTriangles:
    """No Trilu with a constant diagonal is left."""

    name: ClassVar[str] = "mask-triangles"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the triangles as masks."""
        return repair(model, "Trilu as a mask", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data, offset = operand(node, 0), operand(node, 1)
    if node.op_type != "Trilu" or data is None:
        return None
    diagonal = np.array(0) if offset is None else known(offset)
    if diagonal is None:
        return "its diagonal is not constant"
    triangle = np.triu if node.attributes.get_int("upper", 1) else np.tril
    mask = triangle(np.ones(sizes(data), np.bool_), int(diagonal.item()))
    chosen = draft.constant("triangle", mask, ir.DataType.BOOL)
    return draft.op("Where", chosen, data, draft.constant("zero", 0, data.dtype))
