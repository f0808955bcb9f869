"""EZKL takes no Max with a constant tensor: a comparison chooses instead.

    Max(x, c) = Where(x > c, x, c)
with the constants of the node combined first and the tensors among its inputs too. Min is fine as
it is, and so is Max with one number. Source: ONNX operator Max.
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, repair, sizes


@dataclass(frozen=True, slots=True)
class ChooseMaxima:
    """No Max has a constant of more than one element."""

    name: ClassVar[str] = "choose-maxima"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the maxima with constants as choices."""
        return repair(model, "Max with a constant as a choice", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "Max":
        return None
    constants = [array for array in map(known, node.inputs) if array is not None]
    tensors = [value for value in node.inputs if value is not None and known(value) is None]
    if all(array.size == 1 for array in constants) or not tensors:
        return None
    bound = functools.reduce(np.maximum, constants)
    data = tensors[0] if len(tensors) == 1 else draft.op("Max", *tensors)
    shape = sizes(node.outputs[0])
    limit = draft.constant("limit", np.broadcast_to(bound, shape), tensors[0].dtype)
    return draft.op("Where", draft.op("Greater", data, limit), data, limit)
