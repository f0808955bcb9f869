"""EZKL casts a float to an integer by rounding down, and to a boolean not at all.

    to an integer, towards zero:   Cast(Sign(x)) * Cast(Floor(|x|))
    to a boolean:                  not (x = 0)
What is known to be whole (a Floor, Ceil, Round or Sign) stays. A CastLike is a Cast to the type of
its second input. Sources: ONNX operators Cast and CastLike; EZKL `src/graph/utilities.rs`, Cast.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, operand, repair

_SIGNED = frozenset(
    (ir.DataType.INT8, ir.DataType.INT16, ir.DataType.INT32, ir.DataType.INT64),
)
_WHOLE = frozenset(("Ceil", "Floor", "Round", "Sign"))


@dataclass(frozen=True, slots=True)
class TruncateCasts:
    """Every Cast from a float type to an integer casts what is whole already; none is to bool."""

    name: ClassVar[str] = "truncate-casts"

    def __call__(self, model: ir.Model) -> PassResult:
        """Truncate before the Cast, compare instead of it."""
        return repair(model, "Cast towards zero", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data, target = operand(node, 0), _target(node)
    if data is None or data.dtype is None or target is None:
        return None
    if target == ir.DataType.BOOL and data.dtype != ir.DataType.BOOL:
        zero = draft.constant("zero", 0, data.dtype)
        return draft.op("Not", draft.op("Equal", data, zero))
    rounds = data.dtype.is_floating_point() and target.is_integer() and not _is_whole(data)
    if not rounds:
        return draft.op("Cast", data, to=int(target)) if node.op_type == "CastLike" else None
    if target not in _SIGNED:
        return "what a negative number is as an unsigned one depends on the runtime"
    sign, size = draft.op("Sign", data), draft.op("Floor", draft.op("Abs", data))
    wholes = [draft.op("Cast", one, to=int(target)) for one in (sign, size)]
    return draft.op("Mul", *wholes)


def _target(node: ir.Node) -> ir.DataType | None:
    """The type that `node` casts to, or None when it is no cast."""
    if node.op_type == "Cast":
        return ir.DataType(node.attributes["to"].as_int())
    like = operand(node, 1) if node.op_type == "CastLike" else None
    return None if like is None else like.dtype


def _is_whole(value: ir.Value) -> bool:
    producer = value.producer()
    return producer is not None and producer.op_type in _WHOLE
