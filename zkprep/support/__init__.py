"""Which nodes of a prepared model EZKL 23.0.5 cannot prove rightly, each with the reason.

EZKL rejects many valid operators and silently miscomputes others, so a model is let through only
node by node: an operator has to be in `operators.FINE`, or in `conditions.CONDITIONS` and meet its
condition. What none of the tables names is refused. Both tables are held to the matrix of
tests/operators, which runs every form of every operator and is documented in docs/operators.md.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
import onnx_ir as ir

from zkprep.errors import UnsupportedModel
from zkprep.passes.opset import standard_opset
from zkprep.passes.repair.classical import DOMAIN, WRITTEN
from zkprep.support.conditions import CONDITIONS
from zkprep.support.operators import FINE, HOPELESS, REFUSED, WRAPPING
from zkprep.support.values import known, sizes

__all__ = ["Refusal", "refusals", "refuse_operators", "refuse_unsupported", "refused_operators"]

_SHOWN = 5
LARGEST_NUMBER = 2.0**72
"""Range checks reach 2**80 at most (zkprep.claims.wellformed), and a scale has 8 bits or more."""
_STANDARD = ("", "ai.onnx")
_KINDS = ir.DataType
_NARROW = frozenset(
    (_KINDS.INT8, _KINDS.INT16, _KINDS.UINT8, _KINDS.UINT16, _KINDS.UINT32, _KINDS.UINT64)
)
_TYPES = _NARROW | {
    _KINDS.BOOL,
    _KINDS.INT32,
    _KINDS.INT64,
    _KINDS.FLOAT,
}


class Refusal(msgspec.Struct, frozen=True):
    """A node that EZKL cannot prove rightly, or an input or output of the model.

    Attributes:
        operator: its operator type, with the domain if that is not ONNX's own; "input", "output".
        node: its name.
        reason: why, for a user who can change the model.
    """

    operator: str
    node: str
    reason: str


def refuse_unsupported(model: ir.Model) -> None:
    """Let a prepared model pass only if EZKL computes the function of every node.

    Raises:
        UnsupportedModel: it does not; the message names every operator, the first few in full.
    """
    if found := refusals(model):
        raise _unsupported(found)


def refuse_operators(model: ir.Model) -> None:
    """Say which operators of a model, as loaded, are refused whatever else is done to it.

    Raises:
        UnsupportedModel: there are some.
    """
    if found := refused_operators(model):
        raise _unsupported(found)


def _unsupported(found: tuple[Refusal, ...]) -> UnsupportedModel:
    shown = [f"{one.operator} '{one.node}': {one.reason}" for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        shown.append(f"and {len(found) - _SHOWN} more")
    return UnsupportedModel(
        "the model cannot be proved:\n  " + "\n  ".join(shown),
        hint="`zkprep check MODEL` lists every operator; docs/operators.md says which forms work",
    )


def refusals(model: ir.Model) -> tuple[Refusal, ...]:
    """Every node of `model`, and of its interface, that EZKL cannot prove rightly, in order."""
    opset = standard_opset(model)
    interface = tuple(_interface(model.graph))
    return interface + tuple(
        Refusal(operator_of(node), str(node.name), reason)
        for node in model.graph
        if (reason := _why_refused(node, opset))
    )


def refused_operators(model: ir.Model) -> tuple[Refusal, ...]:
    """The nodes of `model`, as loaded, whose operators are refused and never rewritten."""
    return tuple(
        Refusal(operator_of(node), str(node.name), _why_never(node))
        for node in model.graph
        if node.op_identifier() not in model.functions
        and not (node.domain == DOMAIN and node.op_type in WRITTEN)
        and (node.domain not in _STANDARD or node.op_type in HOPELESS)
    )


def operator_of(node: ir.Node) -> str:
    """The operator type, with its domain if that is not ONNX's own."""
    return node.op_type if node.domain in _STANDARD else f"{node.domain}.{node.op_type}"


def _interface(graph: ir.Graph) -> Iterator[Refusal]:
    for what, values in (("input", graph.inputs), ("output", graph.outputs)):
        for position, value in enumerate(values):
            if 0 in (sizes(value) or ()):
                yield Refusal(what, str(value.name), "it holds no elements")
            elif value in values[:position]:
                yield Refusal(what, str(value.name), "EZKL takes no tensor as an output twice")
            elif what == "output" and value.is_graph_input():
                yield Refusal(what, str(value.name), "it is an input too, and nothing computes it")
            elif what == "output" and known(value) is not None:
                yield Refusal(what, str(value.name), "it is a constant, and nothing computes it")


def _why_never(node: ir.Node) -> str:
    if node.domain not in _STANDARD:
        return f"EZKL knows the operators of ONNX only, not those of '{node.domain}'"
    if node.op_type in REFUSED:
        return REFUSED[node.op_type]
    named = node.op_type in FINE or node.op_type in CONDITIONS
    return "" if named else "nothing is known of this operator in EZKL"


def _why_refused(node: ir.Node, opset: int) -> str:
    if reason := _why_never(node):
        return reason
    for value in (*node.inputs, *node.outputs):
        if value is not None and value.dtype is not None and value.dtype not in _TYPES:
            return f"EZKL has no numbers of type {value.dtype.name.lower()}"
    if reason := _why_no_number(node):
        return reason
    made = node.outputs[0].dtype
    if made is not None and made in _NARROW and node.op_type in WRAPPING:
        return f"{made.name.lower()} wraps around, and a circuit's integers do not"
    if node.op_type in CONDITIONS:
        return CONDITIONS[node.op_type](node, opset)
    return ""


def _why_no_number(node: ir.Node) -> str:
    """Whether a constant of `node` is a number that no range of a circuit reaches."""
    for value in node.inputs:
        constant = known(value)
        if constant is None or constant.dtype.kind != "f" or not constant.size:
            continue
        largest = constant.flat[np.argmax(np.abs(constant))]
        if not abs(largest) < LARGEST_NUMBER:
            reason = f"it reads the number {largest:.3g}, and no circuit's range holds it"
            return reason + "; with -1e9 it can be proved" * bool(largest < 0 and _fills(node))
    return ""


def _fills(node: ir.Node) -> bool:
    """Whether a Where fills another tensor up with a number, as masked scores of a Softmax."""
    filled = node.op_type == "Where" and any(known(value) is None for value in node.inputs[1:])
    return filled and all(one.op_type == "Softmax" for one in node.outputs[0].consumers())
