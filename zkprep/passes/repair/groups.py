"""EZKL misreads the weights of a grouped ConvTranspose: one ConvTranspose per group instead.

With g groups, group j reads input channels [j * I/g, (j + 1) * I/g), has the weights of these rows
and the j-th part of the bias, and makes the j-th part of the output channels:
    y = Concat_j ConvTranspose(x_j, W_j, b_j).
Every product stays, so the cost stays. Source: ONNX operator ConvTranspose, attribute group.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair


@dataclass(frozen=True, slots=True)
class SplitTransposedGroups:
    """No ConvTranspose with constant weights has groups."""

    name: ClassVar[str] = "split-transposed-groups"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write one ConvTranspose per group."""
        return repair(model, "grouped ConvTranspose split by group", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    groups = node.attributes.get_int("group", 1)
    if node.op_type != "ConvTranspose" or groups == 1:
        return None
    data, weight, bias = operand(node, 0), operand(node, 1), operand(node, 2)
    values, shift = known(weight), known(bias)
    if data is None or weight is None or values is None or weight.dtype is None:
        return "its weights are not constant"
    if bias is not None and shift is None:
        return f"its bias '{bias.name}' is not constant"
    attributes = {name: value for name, value in node.attributes.items() if name != "group"}
    biases = [None] * groups if shift is None else np.split(shift, groups)
    rows = np.split(np.arange(len(values)), groups)
    parts = []
    for index, (own, part) in enumerate(zip(rows, biases, strict=True)):
        kernel = draft.constant(f"weight_{index}", values[own], weight.dtype)
        addend = None if part is None else draft.constant(f"bias_{index}", part, weight.dtype)
        inputs = [draft.gather(data, 1, own), kernel, *([] if addend is None else [addend])]
        parts.append(draft.op("ConvTranspose", *inputs, **attributes, group=1))
    return draft.op("Concat", *parts, axis=1)
