"""A rewrite is made where the whole circuit gets cheaper by the cost model, and says by how much.

Nodes that are alike are decided together, because what they cost is shared: a static table, the
degree of the circuit, the rebase multiplier that suits it. The measure is the least work of the
whole model under the settings that suit it best (zkprep.cost.price), and cells where work is equal.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import onnx_ir as ir

from zkprep.cost.price import Price, price
from zkprep.passes.base import Pass, PassResult, Site
from zkprep.passes.opset import standard_opset
from zkprep.passes.repair.draft import Answer, Draft, Rule, repair

Alike = Callable[[ir.Node], Hashable]
"""What nodes that are decided together have in common."""


def of_one_kind(node: ir.Node) -> Hashable:
    """Operator and attributes."""
    return node.op_type, str(sorted(node.attributes.items(), key=lambda item: item[0]))


def of_one_size(node: ir.Node) -> Hashable:
    """Operator, attributes and the shapes of what is read."""
    return of_one_kind(node), tuple(str(v.shape) if v is not None else "" for v in node.inputs)


def where_cheaper(
    model: ir.Model,
    title: str,
    rule: Rule,
    alike: Alike = of_one_kind,
    finish: Sequence[Pass] = (),
    *,
    finer: bool = False,
    spare: int = 0,
) -> PassResult:
    """Apply `rule` to those nodes whose rewriting makes the circuit cheaper, kind by kind.

    Args:
        model: what is rewritten, left as it is.
        title: what the rewrite is called.
        rule: writes the rewrite of one node.
        alike: tells which nodes are decided together.
        finish: passes that tidy up behind a rewrite, before it is priced.
        finer: whether the rewrite is more precise, and worth making where it costs the same.
        spare: bits by which the values of a rewritten node are larger on the way.
    """
    current, sites = model.clone(), _refused(model, title, rule)
    kinds = _kinds(model, rule, alike)
    before = price(current) if kinds else None
    for names in kinds:
        assert before is not None
        made = repair(current, title, _among(names, rule))
        tidied, tidying = _tidied(made.model, finish)
        after = price(tidied, spare)
        if cheaper(after, before, finer=finer):
            gain = saving(before, after)
            sites += [replace(site, saving=gain) for site in made.applied]
            sites += tidying
            current, before = tidied, after
        else:
            sites += [Site(title, site.nodes, dearer(before, after)) for site in made.applied]
    return PassResult(current, tuple(sites))


def _tidied(model: ir.Model, finish: Sequence[Pass]) -> tuple[ir.Model, list[Site]]:
    """The model behind the passes, and what they did."""
    sites: list[Site] = []
    for one in finish:
        result = one(model)
        model, sites = result.model, [*sites, *result.applied]
    return model, sites


def cheaper(after: Price, before: Price, *, finer: bool = False) -> bool:
    """Whether `after` takes less work, or as much and fewer cells; or, if it is finer, as many."""
    one, other = (after.seconds, after.cells), (before.seconds, before.cells)
    return one < other or (finer and one == other)


def saving(before: Price, after: Price) -> str:
    """What a rewrite saves, in words; a finer one may save nothing."""
    if (before.seconds, before.cells) == (after.seconds, after.cells):
        return "as cheap, more precise"
    work, cells = _change(before.seconds, after.seconds), _change(before.cells, after.cells)
    degree = f", degree {before.degree} to {after.degree}" * (before.degree != after.degree)
    return f"prove CPU {work}, cells {cells}{degree}"


def dearer(before: Price, after: Price) -> str:
    """Why a rewrite is left, in words."""
    return (
        f"kept: rewritten, the circuit would take {after.seconds:.2f} instead of "
        f"{before.seconds:.2f} CPU s to prove, {after.cells:,} instead of {before.cells:,} cells"
    )


def _kinds(model: ir.Model, rule: Rule, alike: Alike) -> list[set[str]]:
    """Names of the nodes that `rule` would rewrite, those that are alike together, in order."""
    kinds: dict[Hashable, set[str]] = {}
    for node, found in _answers(model, rule):
        if found is not None and not isinstance(found, str):
            kinds.setdefault(alike(node), set()).add(str(node.name))
    return list(kinds.values())


def _refused(model: ir.Model, title: str, rule: Rule) -> list[Site]:
    answers = _answers(model, rule)
    return [Site(title, (str(n.name),), found) for n, found in answers if isinstance(found, str)]


def _answers(model: ir.Model, rule: Rule) -> list[tuple[ir.Node, Answer]]:
    """What `rule` says to every standard node; drafting leaves traces, so on a copy."""
    copy = model.clone()
    opset = standard_opset(copy)
    nodes = [node for graph in copy.graphs() for node in graph if node.domain == ""]
    return [(node, rule(node, Draft(node, opset))) for node in nodes]


def _among(names: set[str], rule: Rule) -> Rule:
    """`rule` for the nodes called `names` alone."""
    return lambda node, draft: rule(node, draft) if node.name in names else None


def _change(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %"
