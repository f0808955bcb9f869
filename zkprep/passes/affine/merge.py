"""Linear operators in a row become one where that costs fewer rows.

One reader, no output of the model in between, as everywhere. A bottleneck (wide, narrow, wide)
would get dearer and stays. The second operator keeps its name and absorbs the first.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.affine import edits
from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.edits import Edit
from zkprep.passes.affine.linear import LINEAR, describe
from zkprep.passes.affine.links import not_private
from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.affine.pairs import merged
from zkprep.passes.affine.plan import Scope
from zkprep.passes.affine.rewiring import note, remove_before
from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import shown
from zkprep.passes.opset import standard_opset


@dataclass(frozen=True, slots=True)
class MergeLinear:
    """No two linear operators are left in a row that are cheaper as one."""

    name: ClassVar[str] = "merge-linear"

    def __call__(self, model: ir.Model) -> PassResult:
        """Merge pairs until none is left that pays; every other pair has a reason."""
        result = model.clone()
        scope = Scope(Constants(result), standard_opset(result))
        sites: list[Site] = []
        for graph in list(result.graphs()):
            while applied := [site for site in _pairs(graph, scope) if site.applied]:
                sites += applied
            sites += _pairs(graph, scope)
        return PassResult(result, tuple(sites))


def _pairs(graph: ir.Graph, scope: Scope) -> list[Site]:
    """Merge every adjacent pair once that can be merged."""
    sites = []
    for node in tuple(graph):
        first = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        if node.op_type not in LINEAR or first is None or first.op_type not in LINEAR:
            continue
        edit = _plan(first, node, scope)
        if edit is None:
            continue
        rule, names = f"{first.op_type} into {node.op_type}", (str(first.name), str(node.name))
        if isinstance(edit, Refusal):
            reason = f"kept {shown(first)} apart from {shown(node)}: {edit.reason}"
            sites.append(Site(rule, names, reason))
        else:
            _absorb(first, edit, graph, scope.constants)
            sites.append(Site(rule, names))
    return sites


def _plan(first: ir.Node, second: ir.Node, scope: Scope) -> Edit | Refusal | None:
    refusal = not_private(first.outputs[0], second)
    if refusal is not None:
        return refusal
    one = describe(first, scope.constants, scope.opset)
    other = describe(second, scope.constants, scope.opset)
    if isinstance(one, Refusal):
        return one
    return other if isinstance(other, Refusal) else merged(one, other, scope.opset)


def _absorb(first: ir.Node, edit: Edit, graph: ir.Graph, constants: Constants) -> None:
    """Let the edited operator read what `first` reads, and remove `first`."""
    edits.apply(edit, graph, constants)
    note(edit.node, [first])
    remove_before(first, edit.node, graph, constants)
