"""Fold constant scales and shifts into the linear operators around them, exactly or not at all.

Chains of affine nodes are composed, then placed as one: backward into the operators that make their
input; when no chain goes backward any more, forward into the operator that reads their output; then
the scale alone, where only the shift has to stay; what goes nowhere is made as short as it can be.
Then branches of one tensor that meet in a sum become one operator, which may absorb what follows.
Nodes are visited in topological order until nothing moves; every step removes affine nodes or
lowers the rows, so it ends.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.branches import join_branches
from zkprep.passes.affine.chains import Chain, affine_node, collect, kinds, shown_all
from zkprep.passes.affine.compact import Arithmetic, arithmetic, compact, replace_by
from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.cost import dearer
from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.affine.padding import merge_pads
from zkprep.passes.affine.plan import (
    Plan,
    Scope,
    linear_after,
    linear_before,
    plan_backward,
    plan_forward,
)
from zkprep.passes.affine.rewiring import absorb_backward, absorb_forward, absorb_scale
from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import shown
from zkprep.passes.opset import standard_opset

_Planner = Callable[[Chain, Scope], Plan | Refusal]
_Absorber = Callable[[Chain, Plan, ir.Graph, Constants], list[str]]


@dataclass(frozen=True, slots=True)
class FuseAffine:
    """No scale and shift by constants is left next to a linear operator that can absorb it."""

    name: ClassVar[str] = "fuse-affine"
    keeps_shifts: bool = False

    def __call__(self, model: ir.Model) -> PassResult:
        """Fold everything that folds; every candidate left has a reason."""
        result = model.clone()
        scope = Scope(Constants(result), standard_opset(result), self.keeps_shifts)
        sites = [site for g in list(result.graphs()) for site in _to_fixed_point(g, scope)]
        for function in result.functions.values():
            sites += _in_function(function)
        return PassResult(result, tuple(sites))


def _to_fixed_point(graph: ir.Graph, scope: Scope) -> list[Site]:
    """Everything that goes backward, then what goes forward, until nothing does; then the rest."""
    applied: list[Site] = []
    while new := (
        _sweep(graph, scope, _backward, absorb_backward)
        or _sweep(graph, scope, _forward, absorb_forward)
        or _sweep(graph, scope, _scale_alone, _absorb_scale)
        or _compacted(graph, scope)
        or _joined(graph, scope)
    ):
        applied += new
    return applied + _left(graph, scope) + join_branches(graph, scope)


def _joined(graph: ir.Graph, scope: Scope) -> list[Site]:
    """Branches that meet become one; and a Pad that several Convs read may have one reader left."""
    applied = [site for site in join_branches(graph, scope) if site.applied]
    pads = merge_pads(graph, scope.constants) if applied else []
    return applied + [site for site in pads if site.applied]


def _sweep(graph: ir.Graph, scope: Scope, planner: _Planner, absorb: _Absorber) -> list[Site]:
    """Place every chain that `planner` has a plan for."""
    sites = []
    for chain in _chains(graph, scope):
        plan = planner(chain, scope) if isinstance(chain, Chain) else None
        if not isinstance(chain, Chain) or not isinstance(plan, Plan):
            continue
        linears = [edit.node for edit in plan.edits]
        members = {*linears, *plan.crossed, *chain.nodes}
        names = tuple(str(node.name) for node in graph if node in members)
        rule = f"{kinds(chain.nodes)} into {kinds(linears or plan.crossed)}"
        created = absorb(chain, plan, graph, scope.constants)
        sites.append(Site(rule, names, created=tuple(created)))
    return sites


def _compacted(graph: ir.Graph, scope: Scope) -> list[Site]:
    """Shorten every chain that goes nowhere."""
    sites = []
    for chain in _chains(graph, scope):
        if isinstance(chain, Chain):
            names = tuple(str(node.name) for node in chain.nodes)
            rule = f"{kinds(chain.nodes)} into one"
            if compact(chain, graph, scope.constants):
                sites.append(Site(rule, names))
    return sites


def _chains(graph: ir.Graph, scope: Scope) -> Iterator[Chain | Site]:
    """Every chain of `graph`, or the site of a node that only looks affine; safe while editing."""
    seen: set[ir.Node] = set()
    for node in tuple(graph):
        if node.graph is not graph or node in seen:
            continue
        found = affine_node(node, scope)
        if isinstance(found, Refusal):
            yield from _not_affine(node, found)
        elif found is not None:
            chain = collect(found, scope)
            seen.update(chain.nodes)
            yield chain


def _backward(chain: Chain, scope: Scope) -> Plan | Refusal:
    plan = plan_backward(chain.data, chain.nodes[0], chain.affine, scope)
    return plan if isinstance(plan, Refusal) else dearer(chain, plan) or plan


def _forward(chain: Chain, scope: Scope) -> Plan | Refusal:
    plan = plan_forward(chain.output, chain.affine, scope)
    return plan if isinstance(plan, Refusal) else dearer(chain, plan) or plan


def _scale_alone(chain: Chain, scope: Scope) -> Plan | Refusal:
    """Where the scale can go when the shift cannot, for instance across a Relu."""
    affine = chain.affine
    if not (affine.scales and affine.shifts) or not _shift_alone(chain):
        return Refusal("there is nothing to part")
    scale = replace(affine, shift=np.zeros_like(affine.shift))
    return plan_backward(chain.data, chain.nodes[0], scale, scope)


def _absorb_scale(chain: Chain, plan: Plan, graph: ir.Graph, constants: Constants) -> list[str]:
    shift = _shift_alone(chain)
    assert shift is not None
    created = absorb_scale(chain, plan, graph, constants)
    name = constants.fresh(f"{chain.nodes[-1].name}_shift")
    replace_by(chain, shift, [name], graph, constants)
    return [*created, name]


def _shift_alone(chain: Chain) -> Arithmetic | None:
    ones = np.ones_like(chain.affine.scale)
    return arithmetic(replace(chain.affine, scale=ones), chain.data)


def _left(graph: ir.Graph, scope: Scope) -> list[Site]:
    """What is left of `graph`, with a reason for each linear neighbour."""
    sites: list[Site] = []
    for chain in _chains(graph, scope):
        if isinstance(chain, Site):
            sites.append(chain)
            continue
        neighbours = (
            (linear_before(chain.data), _backward),
            (linear_after(chain.output), _forward),
        )
        reasons = [(linear, plan(chain, scope)) for linear, plan in neighbours if linear]
        sites += [
            _kept(chain.nodes, linear, refusal.reason)
            for linear, refusal in reasons
            if isinstance(refusal, Refusal)
        ]
        if not reasons:
            sites.append(_alone(chain.nodes, "no linear operator is next to it"))
    return sites


def _kept(nodes: Sequence[ir.Node], linear: ir.Node, reason: str) -> Site:
    names = (str(linear.name), *(str(node.name) for node in nodes))
    text = f"kept {shown_all(nodes)} apart from {shown(linear)}: {reason}"
    return Site(f"{kinds(nodes)} into {linear.op_type}", names, text)


def _alone(nodes: Sequence[ir.Node], reason: str) -> Site:
    names = tuple(str(node.name) for node in nodes)
    return Site(kinds(nodes), names, f"kept {shown_all(nodes)}: {reason}")


def _not_affine(node: ir.Node, refusal: Refusal) -> Iterator[Site]:
    """The site of a node that looks affine; arithmetic is only a candidate next to something."""
    computed = (v for v in node.inputs if v is not None and v.producer() is not None)
    linear = next((one for v in computed if (one := linear_before(v))), None)
    linear = linear or linear_after(node.outputs[0])
    if linear is not None:
        yield _kept([node], linear, refusal.reason)
    elif node.op_type == "BatchNormalization":
        yield _alone([node], refusal.reason)


def _in_function(function: ir.Function) -> list[Site]:
    reason = f"it is inside function '{function.name}'; inline functions first"
    return [_alone([n], reason) for n in function.all_nodes() if n.op_type == "BatchNormalization"]
