"""An Einsum of several operands is taken two at a time where three of them share a summed axis.

    oc,cp,c->op  =  ocp,c->op of (oc,cp->ocp)
EZKL sums an axis once for every operand beyond the first that has it, so that one which three have
is summed over all pairs of its places. Of two operands each such sum is right. Operands are joined
in order; an axis is summed as soon as no operand left has it. Source: EZKL
`src/circuit/ops/layouts.rs`, einsum_with_base_ops (common_indices_to_inputs).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, repair

_MANY = 3


@dataclass(frozen=True, slots=True)
class EinsumsInPairs:
    """No Einsum sums along an axis that three of its operands have."""

    name: ClassVar[str] = "einsums-in-pairs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Join the operands of such Einsums two by two."""
        return repair(model, "Einsum two operands at a time", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    if node.op_type != "Einsum":
        return None
    left, arrow, output = _equation(node).partition("->")
    operands = left.split(",")
    summed = set("".join(operands)) - set(output)
    if not arrow or "." in left or not any(_count(operands, axis) >= _MANY for axis in summed):
        return None
    axes, result = operands[0], node.inputs[0]
    for position, own in enumerate(operands[1:], 1):
        needed = {*output, *"".join(operands[position + 1 :])}
        last = position == len(operands) - 1
        kept = output if last else "".join(a for a in dict.fromkeys(axes + own) if a in needed)
        equation = f"{axes},{own}->{kept}"
        result = draft.op("Einsum", result, node.inputs[position], equation=equation)
        axes = kept
    return result


def _equation(node: ir.Node) -> str:
    return str(node.attributes.get_string("equation", "")).replace(" ", "")


def _count(operands: Sequence[str], axis: str) -> int:
    return sum(axis in own for own in operands)
