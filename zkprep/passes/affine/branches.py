"""Linear branches of one tensor that meet in a sum become one operator (`beside` has the algebra).

So a block of RepVGG, conv3x3(x) + conv1x1(x) + norm(x), is one convolution, and a linear operator
with a shortcut around it, W x + x, is one of its own kind. A branch is an operator with the
constant scales and shifts behind it, or those alone. One reader, no output of the model in between,
as everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine import edits
from zkprep.passes.affine.beside import Term, added
from zkprep.passes.affine.chains import affine_node, kinds
from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.edits import Edit
from zkprep.passes.affine.linear import Linear, describe
from zkprep.passes.affine.links import not_private
from zkprep.passes.affine.normal_form import Affine, Refusal, then
from zkprep.passes.affine.plan import Scope
from zkprep.passes.affine.recognise import AffineNode
from zkprep.passes.affine.rewiring import add_after, note, remove, take_over
from zkprep.passes.base import Site
from zkprep.passes.names import shown

_KINDS = ("Conv", "Gemm", "MatMul")
_OLDEST_OPSET = 7


@dataclass(frozen=True, slots=True)
class _Branch:
    """How an operand of a sum is made of `source`.

    Attributes:
        source: what it reads.
        linear: the operator that reads it; None where the affine nodes do, or nothing.
        members: the affine nodes behind, in order.
        affine: what they compute.
        refusal: why the branch cannot be changed.
    """

    source: ir.Value
    linear: ir.Node | None
    members: tuple[AffineNode, ...]
    affine: Affine
    refusal: Refusal | None = None

    @property
    def nodes(self) -> list[ir.Node]:
        """Every node of it, in order."""
        return [*([self.linear] if self.linear else []), *(one.node for one in self.members)]


def join_branches(graph: ir.Graph, scope: Scope) -> list[Site]:
    """Join every pair of branches of `graph` that can be, once; every other pair has a reason."""
    sites = []
    for node in tuple(graph):
        pair = _pair(node, scope) if node.graph is graph else None
        if pair is None:
            continue
        first, second = pair
        assert first.linear is not None
        names = tuple(str(one.name) for one in (*first.nodes, *second.nodes, node))
        others = [*second.nodes, node]
        rule = f"{kinds(others)} into {first.linear.op_type}"
        edit = _joined(node, first, second, scope)
        if isinstance(edit, Refusal):
            reason = f"kept {shown(first.linear)} and {_shown(second)} apart: {edit.reason}"
            sites.append(Site(rule, names, reason))
        else:
            created = _replace(node, first, second, edit, graph, scope.constants)
            sites.append(Site(rule, names, created=tuple(created)))
    return sites


def _shown(branch: _Branch) -> str:
    return ", ".join(shown(one) for one in branch.nodes) or f"'{branch.source.name}'"


def _pair(node: ir.Node, scope: Scope) -> tuple[_Branch, _Branch] | None:
    """Two branches of one tensor that `node` adds, an operator first."""
    if node.op_type not in ("Add", "Sub") or node.domain != "" or scope.opset < _OLDEST_OPSET:
        return None
    one, two = (tuple(_branches(value, node, scope)) for value in node.inputs)
    pairs = [(a, b) for a in one for b in two if a.source is b.source]
    both = [(a, b) for a, b in pairs if a.linear is not None and b.linear is not None]
    single = [(a, b) if a.linear is not None else (b, a) for a, b in pairs if a.linear or b.linear]
    return next(iter(both + single), None)


def _branches(value: ir.Value | None, reader: ir.Node, scope: Scope) -> Iterator[_Branch]:
    """The ways to read `value` as a branch, the shortest first."""
    members: list[AffineNode] = []
    affine: Affine | None = Affine(np.ones(1), np.zeros(1))
    while value is not None and affine is not None:
        yield _Branch(value, None, tuple(members), affine)
        node, refusal = value.producer(), not_private(value, reader)
        if node is None:
            return
        if node.op_type in _KINDS and node.domain == "":
            data = _data(node, scope)
            if data is not None:
                yield _Branch(data, node, tuple(members), affine, refusal)
            return
        found = affine_node(node, scope)
        if refusal is not None or not isinstance(found, AffineNode):
            return
        affine, value, reader = then(found.affine, affine), found.data, node
        members.insert(0, found)


def _data(node: ir.Node, scope: Scope) -> ir.Value | None:
    linear = describe(node, scope.constants, scope.opset)
    return None if isinstance(linear, Refusal) else node.inputs[linear.data]


def _joined(node: ir.Node, first: _Branch, second: _Branch, scope: Scope) -> Edit | Refusal:
    for branch in (first, second):
        if branch.refusal is not None:
            return branch.refusal
    assert first.linear is not None
    shapes = [one.shape for one in (first.linear.outputs[0], _end(second), node.outputs[0])]
    if any(shape is None or not _known(shape) or shape != shapes[0] for shape in shapes):
        return Refusal("the sizes of their outputs differ, or are not known")
    terms = [_term(node, branch, scope) for branch in (first, second)]
    return added(terms[0], terms[1], scope.opset)


def _end(branch: _Branch) -> ir.Value:
    return branch.nodes[-1].outputs[0] if branch.nodes else branch.source


def _known(shape: ir.Shape) -> bool:
    return all(isinstance(dim, int) or dim.value is not None for dim in shape)


def _term(node: ir.Node, branch: _Branch, scope: Scope) -> Term:
    sign = -1 if node.op_type == "Sub" and node.inputs[1] is _end(branch) else 1
    linear = None
    if branch.linear is not None:
        described = describe(branch.linear, scope.constants, scope.opset)
        assert isinstance(described, Linear)
        linear = described
    return Term(sign, branch.affine, linear)


def _replace(
    node: ir.Node,
    first: _Branch,
    second: _Branch,
    edit: Edit,
    graph: ir.Graph,
    constants: Constants,
) -> list[str]:
    """Let the operator of `first` make the sum; names of the nodes created."""
    assert first.linear is not None
    gone = [*(one.node for one in first.members), *second.nodes, node]
    edits.apply(edit, graph, constants)
    note(edit.node, gone)
    take_over(first.linear.outputs[0], node.outputs[0])
    graph.remove(node, safe=True)
    for branch in (first, second):
        remove(branch.members, constants)
    if second.linear is not None:
        _drop(second.linear, graph, constants)
    return [add_after(edit, graph, constants)] if edit.addend is not None else []


def _drop(linear: ir.Node, graph: ir.Graph, constants: Constants) -> None:
    inputs: Sequence[ir.Value | None] = tuple(linear.inputs)
    graph.remove(linear, safe=True)
    for value in inputs:
        constants.drop_if_unread(value)
