"""A mask that the model reads leaves elements out of a Softmax by a number, not by -inf.

    Softmax(x + Where(b, k, low)), or Softmax(Where(b, x, low)), where b is computed and low is so
    low that float32 makes 0 of it
becomes  Softmax(Where(b, x + k, min(x + k) - d)), the minimum of each row. What is left out has a
share that float32 does not see (`masks`). A row that is left out whole has equal shares, as it had:
x + low is low, where low is beyond all that a circuit holds. Left out by -inf it is no number, so
that is only repaired where a guard puts 0 there (`open_guards`).
Source: ONNX operators Softmax and Where; PyTorch, scaled_dot_product_attention with a mask.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair, sizes
from zkprep.passes.repair.masks import MASKED, distance

_AXES_ARE_INPUTS = 18
_TAKES_IN = -(2.0**72)
"""What is added to a number this low is lost in float32, for all numbers that a circuit holds."""


@dataclass(frozen=True, slots=True)
class ReadMask:
    """What a Softmax reads is `scores` + `kept` where `condition` is `chosen`, else very low.

    Attributes:
        scores: what is masked.
        condition: computed, broadcast to the scores.
        chosen: the condition's value where an element is kept.
        kept: what is added to what is kept.
        infinite: whether elements are left out by -inf.
    """

    scores: ir.Value
    condition: ir.Value
    chosen: bool
    kept: Array
    infinite: bool


@dataclass(frozen=True, slots=True)
class LowestInstead:
    """No Softmax is masked with numbers like -inf by a condition that the model computes."""

    name: ClassVar[str] = "lowest-instead"

    def __call__(self, model: ir.Model) -> PassResult:
        """Replace what is masked."""
        return repair(model, "mask that is read without infinity", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    mask = read_mask(operand(node, 0)) if node.op_type == "Softmax" else None
    if mask is None:
        return None
    if mask.infinite:
        return "a row that it leaves out whole is no number"
    return masked_softmax(node, mask, draft)


def masked_softmax(softmax: ir.Node, mask: ReadMask, draft: Draft) -> ir.Value | str:
    """What `softmax` makes with `mask`, drafted without it; or why not."""
    if sizes(mask.scores) != sizes(softmax.outputs[0]):
        return "its mask is larger than what it masks"
    axis, scores, kind = softmax.attributes.get_int("axis", -1), mask.scores, mask.scores.dtype
    if np.any(mask.kept):
        scores = draft.op("Add", scores, draft.constant("kept", mask.kept, kind))
    smallest = reduced(draft, "ReduceMin", scores, axis)
    below = -distance(sizes(mask.scores)[axis])
    low = draft.op("Add", smallest, draft.constant("distance", below, kind))
    branches = (scores, low) if mask.chosen else (low, scores)
    return draft.op("Softmax", draft.op("Where", mask.condition, *branches), axis=axis)


def read_mask(masked: ir.Value | None) -> ReadMask | None:
    """How `masked` is masked by a condition that is no constant; None if it is not."""
    node = None if masked is None else masked.producer()
    if node is None or node.domain != "" or masked is None or masked.shape is None:
        return None
    if node.op_type == "Where":
        return _chosen(node, None)
    if node.op_type != "Add":
        return None
    for scores, mask in (node.inputs, node.inputs[::-1]):
        choice = None if mask is None else mask.producer()
        if choice is not None and choice.op_type == "Where" and choice.domain == "":
            found = _chosen(choice, scores)
            if found is not None:
                return found
    return None


def _chosen(choice: ir.Node, scores: ir.Value | None) -> ReadMask | None:
    """The mask of a Where, between a very low number and `scores`, or a number added to them."""
    condition = choice.inputs[0]
    if condition is None or known(condition) is not None:
        return None
    least = MASKED if scores is None else _TAKES_IN
    for position in (1, 2):
        low, other = known(choice.inputs[position]), choice.inputs[3 - position]
        if low is None or other is None or not low.size or np.any(low > least):
            continue
        kept = known(other)
        if scores is not None and (kept is None or np.any(kept <= MASKED)):
            continue
        if scores is None and kept is not None:
            continue
        return ReadMask(
            scores=other if scores is None else scores,
            condition=condition,
            chosen=position == 2,
            kept=np.zeros(()) if scores is None or kept is None else kept,
            infinite=bool(np.any(np.isinf(low))),
        )
    return None


def reduced(draft: Draft, operator: str, value: ir.Value, axis: int) -> ir.Value:
    """`operator`, ReduceMax or ReduceMin, along one axis, which stays."""
    if draft.opset >= _AXES_ARE_INPUTS:
        return draft.op(operator, value, draft.constant(f"axis_{operator}", [axis]))
    return draft.op(operator, value, axes=[axis])
