"""Relu and ReLU6 by absolute values.

    Relu(x) = (x + |x|) / 2
    r - Relu(r - c) = (|x| - |x - c| + c) / 2,    r = Relu(x), c >= 0: ReLU6 by Relus
EZKL asks for the sign of zero in a Relu and compares it, 6 cells beyond the digits; an absolute
value takes one, a sum one, and the half moves the binary point for one: D + 3 cells against D + 6,
and 2D + 6 against 2D + 14, where D is what a decomposition into digits costs. The identities hold
for integers as for real numbers.

The half adds a bit to the scale, which the rebase of a product takes back; so only what products
alone read is written so: a sum of a larger scale would be rebased for itself. Tensors that a slice
puts out keep the scale that rebases leave, since those that are read together need one:
`RelusAtEnds` writes Relus there again. Source: ONNX operators Relu, Abs; EZKL
`src/circuit/ops/layouts.rs`, decompose, abs and leaky_relu.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair

TITLE = "Relu by an absolute value"
BACK = "Relu at a slice's end"

_PRODUCTS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
_COPIES = frozenset(
    (
        "Flatten",
        "Gather",
        "Identity",
        "Pad",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    )
)


@dataclass(frozen=True, slots=True)
class RelusByAbs:
    """No Relu is compared with zero where an absolute value is cheaper."""

    name: ClassVar[str] = "relus-by-abs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write Relus by absolute values where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size)


@dataclass(frozen=True, slots=True)
class RelusAtEnds:
    """None of the tensors called `ends` has the scale of a half."""

    name: ClassVar[str] = "relus-at-ends"
    ends: frozenset[str]

    def __call__(self, model: ir.Model) -> PassResult:
        """Write Relus again where a half would leave its scale to an end."""
        return repair(model, BACK, partial(_back, self.ends))


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    kind = node.outputs[0].dtype
    if node.op_type not in ("Relu", "Sub") or kind is None or not kind.is_floating_point():
        return None
    bounded = _bounded(node)
    if bounded is None and (node.op_type == "Sub" or _is_bounded(node)):
        return None
    if not _is_multiplied(node.outputs[0]):
        return "what reads it needs its scale or its sign"
    data = operand(node, 0) if bounded is None else bounded.data
    absolute = draft.op("Abs", data)
    if bounded is None:
        doubled = draft.op("Add", data, absolute)
    else:
        bound = draft.constant("bound", bounded.bound, kind)
        above = draft.op("Abs", draft.op("Sub", data, bound))
        doubled = draft.op("Add", draft.op("Sub", absolute, above), bound)
        for one in bounded.nodes:
            draft.absorb(one)
    return draft.op("Mul", doubled, draft.constant("half", 0.5, kind))


@dataclass(frozen=True, slots=True)
class _Bounded:
    """min(Relu(`data`), `bound`), and the `nodes` that make it but the last, nearest first."""

    data: ir.Value
    bound: Array
    nodes: tuple[ir.Node, ...]


def _bounded(node: ir.Node) -> _Bounded | None:
    """What `node` is, where it is r - Relu(r - c)."""
    if node.op_type != "Sub":
        return None
    lower, excess = (None if value is None else value.producer() for value in node.inputs)
    if lower is None or excess is None or {lower.op_type, excess.op_type} != {"Relu"}:
        return None
    shift = excess.inputs[0].producer() if excess.inputs[0] is not None else None
    bound = None if shift is None else _taken_away(shift, lower.outputs[0])
    if shift is None or bound is None or np.any(bound < 0) or lower.inputs[0] is None:
        return None
    alone = _alone(excess.outputs[0]) and _alone(shift.outputs[0])
    if not alone or len(lower.outputs[0].uses()) != 2 or lower.outputs[0].is_graph_output():
        return None
    return _Bounded(lower.inputs[0], bound, (excess, shift, lower))


def _is_bounded(node: ir.Node) -> bool:
    """Whether the Relu `node` is one of the two of a bound."""
    bounds = [_bounded(use.node) for use in node.outputs[0].uses()]
    return any(found is not None and node in found.nodes for found in bounds)


def _taken_away(node: ir.Node, data: ir.Value) -> Array | None:
    """The constant c of data - c."""
    if node.op_type == "Sub" and node.inputs[0] is data:
        return known(node.inputs[1])
    constants = [known(one) for one in node.inputs if one is not data]
    added = constants[0] if node.op_type == "Add" and len(constants) == 1 else None
    return None if added is None else -added


def _back(ends: frozenset[str], node: ir.Node, draft: Draft) -> ir.Value | None:
    doubled = _halved(node)
    if doubled is None or not _reaches_end(node.outputs[0], ends):
        return None
    first, second = (None if value is None else value.producer() for value in doubled.inputs)
    if second is not None and _is_abs(second) and second.inputs[0] is doubled.inputs[0]:
        draft.absorb(doubled)
        draft.absorb(second)
        return draft.op("Relu", doubled.inputs[0])
    if first is None or first.op_type != "Sub" or known(doubled.inputs[1]) is None:
        return None
    absolute, above = (None if value is None else value.producer() for value in first.inputs)
    if absolute is None or above is None or not (_is_abs(absolute) and _is_abs(above)):
        return None
    data, shift = absolute.inputs[0], above.inputs[0].producer() if above.inputs[0] else None
    if data is None or shift is None or tuple(shift.inputs) != (data, doubled.inputs[1]):
        return None
    for one in (doubled, first, absolute, above):
        draft.absorb(one)
    return draft.op("Sub", draft.op("Relu", data), draft.op("Relu", shift.outputs[0]))


def _halved(node: ir.Node) -> ir.Node | None:
    """The sum of which `node` is the half."""
    half = known(operand(node, 1)) if node.op_type == "Mul" else None
    source = operand(node, 0)
    if half is None or half.size != 1 or half.item() != 0.5 or source is None:
        return None
    producer = source.producer()
    alone = producer is not None and producer.op_type == "Add" and _alone(source)
    return producer if alone else None


def _is_abs(node: ir.Node) -> bool:
    return node.op_type == "Abs" and _alone(node.outputs[0])


def _reaches_end(value: ir.Value, ends: frozenset[str]) -> bool:
    """Whether it is one of `ends`, perhaps through what keeps the scale."""
    return value.name in ends or any(
        use.node.op_type in _COPIES and any(_reaches_end(v, ends) for v in use.node.outputs)
        for use in value.uses()
    )


def _is_multiplied(value: ir.Value) -> bool:
    """Whether products alone read it, perhaps through copies."""
    readers = value.uses()
    return (
        bool(readers)
        and not value.is_graph_output()
        and all(
            use.node.op_type in _PRODUCTS
            or (use.node.op_type in _COPIES and all(map(_is_multiplied, use.node.outputs)))
            for use in readers
        )
    )


def _alone(value: ir.Value) -> bool:
    return len(value.uses()) == 1 and not value.is_graph_output()
