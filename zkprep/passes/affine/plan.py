"""Where an affine map can go: a search from its place in the graph to the operators that absorb it.

Backward, through the operators it can cross (`crossing`), into the linear operators that make its
input; forward likewise into the one that reads its output. A plan says which operators change; a
refusal says what is in the way. Nothing is changed here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.backward import backward
from zkprep.passes.affine.clips import moved_bounds
from zkprep.passes.affine.constants import Constants, stored, type_name
from zkprep.passes.affine.crossing import (
    Pieces,
    across_backward,
    across_forward,
    across_product,
    behind_product,
)
from zkprep.passes.affine.edits import Edit, Folded, checked
from zkprep.passes.affine.forward import forward
from zkprep.passes.affine.linear import LINEAR, NORMS, describe
from zkprep.passes.affine.links import not_private
from zkprep.passes.affine.normal_form import Affine, Refusal

# Linear operators on integers: named in reasons, never folded into.
INTEGER = ("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul")


@dataclass(frozen=True, slots=True)
class Scope:
    """The model a search runs in: its constants and the opset of its standard operators.

    `keeps_shifts`: a factor 2**-j of one element is no affine map. In a circuit it costs a cell and
    moves the binary point, and a weight that takes it has j bits less.
    """

    constants: Constants
    opset: int
    keeps_shifts: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Operators that absorb an affine map, and the operators it crosses on its way to them.

    Attributes:
        edits: what becomes of the operators that absorb it.
        crossed: the operators between, from its place on.
        adjusted: what becomes of those of them that have to change.
    """

    edits: tuple[Edit, ...]
    crossed: tuple[ir.Node, ...] = ()
    adjusted: tuple[Edit, ...] = ()

    @property
    def addends(self) -> int:
        """How many Adds are left where an operator has no bias."""
        return sum(edit.addend is not None for edit in self.edits)


def plan_backward(value: ir.Value, reader: ir.Node, affine: Affine, scope: Scope) -> Plan | Refusal:
    """How the operators that make `value`, read by `reader`, can make `affine` of it instead."""
    refusal = not_private(value, reader)
    node = value.producer()
    if refusal is not None or node is None:
        return refusal or Refusal(f"'{value.name}' is an input, which absorbs nothing")
    if node.op_type in LINEAR or (node.op_type in NORMS and node.domain == ""):
        linear = describe(node, scope.constants, scope.opset)
        edit = linear if isinstance(linear, Refusal) else backward(linear, affine, scope.opset)
        return _before_product(node, affine, edit, scope) or _alone(edit)
    if node.op_type == "Clip" and node.domain == "":
        return _behind_clip(node, affine, scope)
    alternatives = across_backward(node, affine)
    if alternatives is None:
        return _in_the_way(node)
    if isinstance(alternatives, Refusal):
        return alternatives
    plans = [_all_pieces(node, pieces, scope) for pieces in alternatives]
    found = [plan for plan in plans if isinstance(plan, Plan)]
    return min(found, key=lambda plan: plan.addends) if found else plans[0]


def _into_constant(
    value: ir.Value, reader: ir.Node, index: int, affine: Affine, scope: Scope
) -> Plan | Refusal:
    """`reader` with another constant in the place of `value`, which others may read on."""
    exact = scope.constants.recipe(value, "operand")
    if isinstance(exact, Refusal):
        return exact
    shape = [1] * len(exact.shape)
    if affine.axis is not None:
        shape[affine.axis] = affine.scale.size
    elif not exact.shape:
        shape = []
    scale, shift = affine.scale.reshape(shape), affine.shift.reshape(shape)
    values = exact.make() * scale + shift
    edit = Edit(reader, index, {index: Folded.of(values, np.zeros((), dtype=np.intp))})
    done = checked(edit)
    return done if isinstance(done, Refusal) else Plan((), adjusted=(done,))


def _behind_clip(node: ir.Node, affine: Affine, scope: Scope) -> Plan | Refusal:
    edit = moved_bounds(node, affine, scope.constants, backward=True)
    data = node.inputs[0]
    if isinstance(edit, Refusal) or data is None:
        return edit if isinstance(edit, Refusal) else _in_the_way(node)
    plan = plan_backward(data, node, affine, scope)
    return plan if isinstance(plan, Refusal) else _across(plan, node, edit)


def _alone(edit: Edit | Refusal) -> Plan | Refusal:
    return edit if isinstance(edit, Refusal) else Plan((edit,))


def _before_product(
    node: ir.Node, affine: Affine, edit: Edit | Refusal, scope: Scope
) -> Plan | None:
    """How what a MatMul multiplies can be scaled, where the MatMul itself cannot be."""
    moved = across_product(node, affine) if isinstance(edit, Refusal) else None
    value = None if moved is None else node.inputs[moved[0]]
    if moved is None or value is None or stored(value) is not None:
        return None
    plan = plan_backward(value, node, moved[1], scope)
    return None if isinstance(plan, Refusal) else replace(plan, crossed=(node, *plan.crossed))


def _after_product(
    node: ir.Node, index: int, affine: Affine, edit: Edit | Refusal, scope: Scope
) -> Plan | None:
    """How what reads a MatMul can take a scale of what the MatMul reads, where it cannot."""
    moved = behind_product(node, index, affine) if isinstance(edit, Refusal) else None
    if moved is None:
        return None
    plan = plan_forward(node.outputs[0], moved, scope)
    return None if isinstance(plan, Refusal) else replace(plan, crossed=(node, *plan.crossed))


def _across(plan: Plan, node: ir.Node, edit: Edit) -> Plan:
    return replace(plan, crossed=(node, *plan.crossed), adjusted=(edit, *plan.adjusted))


def _all_pieces(node: ir.Node, pieces: Pieces, scope: Scope) -> Plan | Refusal:
    """The plan that places every piece before `node`, or why one of them has no place."""
    edits: list[Edit] = []
    crossed = [node]
    adjusted: list[Edit] = []
    for index, piece in pieces:
        value = node.inputs[index]
        if value is None or not (piece.scales or piece.shifts):
            continue
        if stored(value) is not None:
            plan = _into_constant(value, node, index, piece, scope)
        else:
            plan = plan_backward(value, node, piece, scope)
        if isinstance(plan, Refusal):
            return plan
        edits += plan.edits
        crossed += plan.crossed
        adjusted += plan.adjusted
    return Plan(tuple(edits), tuple(crossed), tuple(adjusted))


def plan_forward(value: ir.Value, affine: Affine, scope: Scope) -> Plan | Refusal:
    """How the operator that reads `value`, made by `affine`, can do with what `affine` is given."""
    uses = list(value.uses())
    if not uses:
        return Refusal(f"'{value.name}' is an output of the model")
    node, index = uses[0]
    refusal = not_private(value, node)
    if refusal is not None:
        return refusal
    if node.op_type in LINEAR:
        linear = describe(node, scope.constants, scope.opset)
        edit = linear if isinstance(linear, Refusal) else forward(linear, affine, scope.opset)
        return _after_product(node, index, affine, edit, scope) or _alone(edit)
    if node.op_type == "Clip" and node.domain == "" and index == 0:
        bounds = moved_bounds(node, affine, scope.constants, backward=False)
        plan = plan_forward(node.outputs[0], affine, scope)
        if isinstance(bounds, Refusal) or isinstance(plan, Refusal):
            return bounds if isinstance(bounds, Refusal) else plan
        return _across(plan, node, bounds)
    moved = across_forward(node, index, affine)
    if moved is None or isinstance(moved, Refusal):
        return moved or _in_the_way(node)
    plan = plan_forward(node.outputs[0], moved, scope)
    return plan if isinstance(plan, Refusal) else replace(plan, crossed=(node, *plan.crossed))


def _in_the_way(node: ir.Node) -> Refusal:
    source, output = node.inputs[0] if node.inputs else None, node.outputs[0]
    if node.op_type == "Cast" and source is not None and source.dtype and output.dtype:
        types = type_name(source.dtype), type_name(output.dtype)
        return Refusal(f"'{source.name}' is {types[0]}, '{output.name}' is {types[1]}")
    return Refusal(f"{node.op_type} lies between them")


def linear_before(value: ir.Value) -> ir.Node | None:
    """The nearest linear operator upstream of `value`, along first computed inputs."""
    node = value.producer()
    while node is not None and not (_is_linear(node) or node.op_type in NORMS):
        node = _first(v.producer() for v in node.inputs if v is not None)
    return node


def linear_after(value: ir.Value) -> ir.Node | None:
    """The nearest linear operator downstream of `value`, along first readers."""
    node = _first(value.consumers())
    while node is not None and not _is_linear(node):
        node = _first(reader for output in node.outputs for reader in output.consumers())
    return node


def _is_linear(node: ir.Node) -> bool:
    return node.op_type in LINEAR or node.op_type in INTEGER


def _first(nodes: Iterable[ir.Node | None]) -> ir.Node | None:
    return next((node for node in nodes if node is not None), None)
