"""A mask of -inf has no place in fixed point: Softmax leaves elements out in another way.

Softmax(x + m) has 0 wherever the constant m is -inf, or so low that float32 makes it 0. There x is
replaced with another element of its row that is not masked, less d: k of them add less than a share
of k exp(-d) to the sum of the exponentials, which for d = log(2**24 k) float32 does not see.
Gathering takes no cells. The same for Where with a constant condition that chooses such a number.
Source: ONNX operator Softmax; a lookup table of exponentials holds 2**20 entries, so d is as small
as it can be.
"""

from dataclasses import dataclass
from math import log
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair, sizes

MASKED = -1e4
"""A number at most this leaves an element out: no circuit has scores so far apart."""


def distance(count: int) -> float:
    """How far below the others as many elements of a row have no share that float32 sees."""
    return log(2**24 * count)


@dataclass(frozen=True, slots=True)
class FiniteMasks:
    """No constant mask of a Softmax holds a number like -inf."""

    name: ClassVar[str] = "finite-masks"

    def __call__(self, model: ir.Model) -> PassResult:
        """Replace what is masked."""
        return repair(model, "mask without infinity", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    masked = operand(node, 0)
    if node.op_type != "Softmax" or masked is None or masked.dtype is None:
        return None
    found = _scores_and_mask(masked)
    if found is None:
        return None
    scores, mask = found
    left_out = mask <= MASKED
    if not np.any(left_out):
        return None
    axis = node.attributes.get_int("axis", -1)
    if sizes(scores) != mask.shape:
        return "its mask is larger than what it masks"
    if np.any(np.all(left_out, axis=axis)):
        return "it masks a whole row"
    first = np.argmin(left_out, axis=axis, keepdims=True)
    every = np.arange(mask.shape[axis])
    own = np.moveaxis(np.broadcast_to(every, np.moveaxis(mask, axis, -1).shape), -1, axis)
    places = np.where(left_out, first, own)
    picked = draft.op("GatherElements", scores, draft.constant("places", places), axis=axis)
    standing = np.take_along_axis(mask, first, axis=axis)
    low = standing - distance(mask.shape[axis])
    shifted = draft.constant("mask", np.where(left_out, low, mask), masked.dtype)
    return draft.op("Softmax", draft.op("Add", picked, shifted), axis=axis)


def _scores_and_mask(masked: ir.Value) -> tuple[ir.Value, Array] | None:
    """What is masked, and a mask to add to it that says the same; None where there is none."""
    node = masked.producer()
    if node is None or node.domain != "" or masked.shape is None:
        return None
    shape, inputs = sizes(masked), list(node.inputs)
    if node.op_type == "Add":
        for scores, mask in (inputs, inputs[::-1]):
            values = known(mask)
            if values is not None and scores is not None:
                return scores, np.broadcast_to(values, shape)
    if node.op_type == "Where":
        condition = known(inputs[0])
        for position, chosen in ((1, True), (2, False)):
            values, scores = known(inputs[position]), inputs[3 - position]
            if condition is None or values is None or scores is None or np.any(values > MASKED):
                continue
            return scores, np.broadcast_to(np.where(condition == chosen, -np.inf, 0.0), shape)
    return None
