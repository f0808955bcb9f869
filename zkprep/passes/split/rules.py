"""Which operator has which rule for regions of its output."""

from collections.abc import Mapping

import onnx_ir as ir

from zkprep.passes.split import pointwise, products, rows, windows
from zkprep.passes.split.regions import Region
from zkprep.passes.split.restrictions import Restriction, Rule

RULES: Mapping[str, Rule] = {
    **pointwise.RULES,
    **products.RULES,
    **rows.RULES,
    **windows.RULES,
}


def restrict(node: ir.Node, region: Region) -> Restriction | str:
    """How `node` makes `region` of its first output, or why it cannot."""
    if node.domain not in ("", "ai.onnx") or any(one.uses() for one in node.outputs[1:]):
        return f"'{node.name}' is no operator of one output"
    if node.op_type not in RULES:
        return f"there is no rule for parts of {node.op_type} '{node.name}'"
    return RULES[node.op_type](node, region)
