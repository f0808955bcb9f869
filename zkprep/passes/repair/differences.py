"""EZKL's importer takes `c - Conv(x)` and `c / Conv(x)` into the Conv, and gets it wrong.

Of the difference it negates the bias alone, and it divides by kernel and bias apart. So
    c - y = (-y) + c          c / y = (1 / y) * c
wherever a constant c of several elements meets a Conv, be it through further constant arithmetic
that would be taken in first. One number is safe, and so is any operator between that is no
arithmetic. Source: tract's declutter of Conv, as EZKL 23.0.5 runs it.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair

_TAKEN_IN = frozenset(("Add", "BatchNormalization", "Div", "Identity", "Mul", "Neg", "Sub"))


@dataclass(frozen=True, slots=True)
class TurnDifferences:
    """No constant of several elements has a Conv subtracted from it, or is divided by one."""

    name: ClassVar[str] = "turn-differences"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the constant second."""
        return repair(model, "constant written second", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    constant, data = operand(node, 0), operand(node, 1)
    values = known(constant)
    if node.op_type not in ("Sub", "Div") or values is None or values.size == 1:
        return None
    if not _from_conv(data):
        return None
    if node.op_type == "Sub":
        return draft.op("Add", draft.op("Neg", data), constant)
    return draft.op("Mul", draft.op("Reciprocal", data), constant)


def _from_conv(value: ir.Value | None) -> bool:
    """Whether constant arithmetic alone lies between `value` and a Conv."""
    producer = None if value is None else value.producer()
    if producer is None or producer.domain != "":
        return False
    if producer.op_type == "Conv":
        return True
    tensors = [one for one in producer.inputs if one is not None and known(one) is None]
    return producer.op_type in _TAKEN_IN and len(tensors) == 1 and _from_conv(tensors[0])
