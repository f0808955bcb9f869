"""EZKL leaves the result of Equal at the scale of what was compared: true is read as nearly 0.

As the condition of a Where it is right. So
    Cast(Equal(a, b)) = Where(Equal(a, b), 1, 0)                 to float32
    Equal(a, b) = Where(Equal(a, b), 1, 0) > 1/2                 for any other reader
Source: EZKL `src/circuit/ops/hybrid.rs`, Equals.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, operand, repair, sizes

_FLOAT = ir.DataType.FLOAT


@dataclass(frozen=True, slots=True)
class ChooseEquals:
    """The result of an Equal is read by nothing but conditions."""

    name: ClassVar[str] = "choose-equals"

    def __call__(self, model: ir.Model) -> PassResult:
        """Put a choice between 1 and 0 behind every other Equal."""
        return repair(model, "Equal as a condition", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    data = operand(node, 0)
    if data is not None and _casts(node) and _is_equal(data):
        return _choice(draft, data)
    result = node.outputs[0]
    others = [one for one, at in result.uses() if not (_casts(one) or _decides(one, at))]
    if node.op_type != "Equal" or not (others or result.is_graph_output()):
        return None
    chosen = _choice(draft, draft.op("Equal", *node.inputs), sizes(result))
    return draft.op("Greater", chosen, draft.constant("half", 0.5, _FLOAT))


def _casts(node: ir.Node) -> bool:
    """Whether `node` is a Cast to float32."""
    return node.op_type == "Cast" and node.attributes["to"].as_int() == int(_FLOAT)


def _decides(reader: ir.Node, position: int) -> bool:
    """Whether input `position` of `reader` is the condition of a Where."""
    return reader.op_type == "Where" and position == 0


def _is_equal(value: ir.Value) -> bool:
    producer = value.producer()
    return producer is not None and producer.op_type == "Equal"


def _choice(draft: Draft, equal: ir.Value, shape: tuple[int, ...] | None = None) -> ir.Value:
    """1 where `equal`, else 0; constants of the full shape."""
    full = sizes(equal) if shape is None else shape
    ones = draft.constant("ones", np.ones(full), _FLOAT)
    return draft.op("Where", equal, ones, draft.constant("zeros", np.zeros(full), _FLOAT))
