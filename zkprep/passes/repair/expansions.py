"""EZKL repeats the wrong axis where Expand adds axes: they are added by a Reshape first.

Source: ONNX operator Expand; EZKL 23.0.5 aligns the axes of input and result from the first on.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class ExpandInPlace:
    """Every Expand has as many axes before as after."""

    name: ClassVar[str] = "expand-in-place"

    def __call__(self, model: ir.Model) -> PassResult:
        """Add the axes first."""
        return repair(model, "axes added before Expand", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    data = operand(node, 0)
    if node.op_type != "Expand" or data is None:
        return None
    before, after = sizes(data), sizes(node.outputs[0])
    if len(before) == len(after):
        return None
    shape = [*[1] * (len(after) - len(before)), *before]
    aligned = draft.op("Reshape", data, draft.constant("aligned", shape))
    return draft.op("Expand", aligned, draft.constant("shape", after))
