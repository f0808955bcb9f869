"""Guards against what is no number, which no circuit has: Where(IsNaN(s), 0, s), s a Softmax.

A Softmax of numbers is a number, but for a row that is left out whole by -inf. PyTorch's exporter
puts 0 there. A constant mask that does that is refused (`masks`), so without a mask that is read
the guard is s itself. With one, the Softmax as it is without -inf (`read_masks`), times whether the
row has an element that is kept.
Source: ONNX operators IsNaN and Softmax; PyTorch, `_safe_softmax`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, is_read_once, known, operand, repair, sizes
from zkprep.passes.repair.read_masks import ReadMask, masked_softmax, read_mask, reduced


@dataclass(frozen=True, slots=True)
class OpenGuards:
    """No Softmax is guarded against rows that are no numbers."""

    name: ClassVar[str] = "open-guards"

    def __call__(self, model: ir.Model) -> PassResult:
        """Replace the guards."""
        return repair(model, "guard of a Softmax", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "Where" or len(node.inputs) != 3:
        return None
    condition, instead, guarded = node.inputs
    guard = None if condition is None else condition.producer()
    softmax = None if guarded is None else guarded.producer()
    if guard is None or softmax is None or guarded is None or condition is None:
        return None
    if (guard.op_type, softmax.op_type) != ("IsNaN", "Softmax"):
        return None
    zeros = known(instead)
    if guard.inputs[0] is not guarded or zeros is None or np.any(zeros):
        return None
    if sizes(guarded) != sizes(node.outputs[0]):
        return None
    if is_read_once(condition):
        draft.absorb(guard)
    mask = read_mask(operand(softmax, 0))
    if mask is None or not mask.infinite:
        return draft.op("Identity", guarded)
    finite = masked_softmax(softmax, mask, draft)
    if isinstance(finite, str):
        return finite
    axis = softmax.attributes.get_int("axis", -1) % len(sizes(guarded)) - len(sizes(guarded))
    return draft.op("Mul", finite, _some_kept(draft, mask, axis))


def _some_kept(draft: Draft, mask: ReadMask, axis: int) -> ir.Value:
    """1 for every row with an element that is kept, 0 for others; `axis` counts from the end."""
    condition = mask.condition
    if not mask.chosen:
        condition = draft.op("Not", condition)
    kept = draft.op("Cast", condition, to=int(ir.DataType.FLOAT))
    shape = sizes(mask.condition)
    along = len(shape) + axis
    if along < 0 or shape[along] == 1:
        return kept
    return reduced(draft, "ReduceMax", kept, axis)
