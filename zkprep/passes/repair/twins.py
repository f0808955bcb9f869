"""EZKL wants every output to be a tensor of its own: a second name of an output becomes a copy.

An Identity of a tensor that is an output too, or of which there is another such Identity, becomes a
Slice of all of it: a copy which costs no cells and which EZKL's importer does not see through.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class CopyTwinOutputs:
    """No two outputs are one tensor under two names."""

    name: ClassVar[str] = "copy-twin-outputs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Copy what has two names."""
        return repair(model, "second name of an output copied", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data = operand(node, 0)
    if node.op_type != "Identity" or data is None or not node.outputs[0].is_graph_output():
        return None
    others = [use.node for use in data.uses() if use.node is not node]
    twins = any(one.op_type == "Identity" and one.outputs[0].is_graph_output() for one in others)
    if not (data.is_graph_output() or twins):
        return None
    if not sizes(data):
        return f"'{data.name}' has no axis to slice"
    starts, ends = draft.constant("start", [0]), draft.constant("end", [sizes(data)[0]])
    return draft.op("Slice", data, starts, ends, draft.constant("axis", [0]))
