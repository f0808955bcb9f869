"""EZKL takes a negative index for 0: constant indices are counted from the start.

Along an axis of n elements, index -i is n - i. Source: ONNX operators Gather, GatherElements and
GatherND.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class CountFromStart:
    """No constant index of a Gather, GatherElements or GatherND is negative."""

    name: ClassVar[str] = "count-from-start"

    def __call__(self, model: ir.Model) -> PassResult:
        """Add the size of the axis to negative indices."""
        return repair(model, "index counted from the start", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    if node.op_type not in ("Gather", "GatherElements", "GatherND"):
        return None
    data, places = operand(node, 0), operand(node, 1)
    values = known(places)
    if data is None or places is None or values is None or not np.any(values < 0):
        return None
    shape = np.array(sizes(data))
    if node.op_type == "GatherND":
        first = node.attributes.get_int("batch_dims", 0)
        size = shape[first : first + values.shape[-1]]
    else:
        size = shape[node.attributes.get_int("axis", 0)]
    counted = draft.constant("places", np.where(values < 0, values + size, values), places.dtype)
    return draft.op(node.op_type, data, counted, **node.attributes)
