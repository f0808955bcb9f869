"""Which operators to split, and how: those that no slice could hold, at the least work in parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

import onnx_ir as ir

from zkprep.claims.claim import Split
from zkprep.cost.loads import Prices
from zkprep.passes.base import Site
from zkprep.passes.split.regions import Region
from zkprep.passes.split.targets import Found, leaks
from zkprep.prepare import Prepared
from zkprep.slicing.groups import border, rewrite_groups, weighted_graph
from zkprep.slicing.splitting.apply import group_nodes, split
from zkprep.slicing.splitting.candidates import Candidate, Operator
from zkprep.slicing.weights import group_weights, loads, weigh

LEFT = "operator larger than a slice"
"""The rule of sites that say why a large operator stays whole."""


def fitted(prepared: Prepared, prices: Prices) -> Prepared:
    """The prepared model with every operator split that has no price alone and that can be split.

    An operator is too large where it is so both as fused and in the form it is proved in; of
    several that are proved as one and too large only together, the dearest is. Of one that cannot
    be split a site says why.
    """
    known: dict[str, Sequence[Region]] = {}
    splits: list[Split] = []
    settled: dict[str, Site | None] = {}
    made = prepared
    while more := list(_more(prepared, made, prices, known, settled)):
        splits += more
        made = split(prepared, splits)
    left = [site for site in settled.values() if site is not None]
    return replace(made, sites=(*made.sites, *left))


def _more(
    prepared: Prepared,
    made: Prepared,
    prices: Prices,
    known: dict[str, Sequence[Region]],
    settled: dict[str, Site | None],
) -> Iterator[Split]:
    """Splits of what is too large in `made`, as split so far.

    `settled`: groups that were split, and those that stay whole with the site that says why.
    """
    groups = rewrite_groups(prepared.normalised, prepared.fusions)
    graph = weighted_graph(prepared.normalised, groups)
    large = _large(made, prices)
    for group in dict.fromkeys(groups[str(node.name)] for node in prepared.fused.graph):
        names = [group_nodes(one, groups, group) for one in (prepared.normalised, prepared.fused)]
        if large.isdisjoint(names[0]) or group in settled:
            continue
        best = _best(prepared, names, list(border(graph, group)[1]), prices, known)
        if isinstance(best, str):
            settled[group] = Site(LEFT, names[0], f"kept '{group}' whole: {best}")
            continue
        settled[group] = None
        yield best.split
        if best.tiles:
            known[best.split.tensor] = best.tiles


def _large(prepared: Prepared, prices: Prices) -> set[str]:
    """The normalised nodes of the groups to split, as they are fused."""
    alone = _dearness(prepared, prepared.fused, prepared.fusions, prices)
    large: set[str] = set()
    for nodes, dearness in _dearness(prepared, prepared.model, prepared.sites, prices).items():
        if dearness[0] == inf:
            parts = {one: own for one, own in alone.items() if not set(nodes).isdisjoint(one)}
            most = max(parts.values())
            chosen = [one for one, own in parts.items() if own[0] == inf or own == most]
            large.update(name for one in chosen for name in one)
    return large


def _dearness(
    prepared: Prepared, model: ir.Model, sites: Sequence[Site], prices: Prices
) -> dict[tuple[str, ...], tuple[float, float]]:
    """Price alone and cells of every group as it is in `model`, by its normalised nodes."""
    groups = rewrite_groups(prepared.normalised, sites)
    graph = weighted_graph(prepared.normalised, groups)
    weigh(graph, group_weights(model, groups, prices.spec))
    found = {}
    for group in graph:
        inputs, outputs = (sum(side.values()) for side in border(graph, group))
        load = loads(graph.nodes[group]["weights"], inputs, outputs, prices.spec)
        names = group_nodes(prepared.normalised, groups, group)
        found[names] = (float(prices.seconds(load)[0]), float(prices.cells(load)[0]))
    return found


def _best(
    prepared: Prepared,
    names: Sequence[Sequence[str]],
    outputs: Sequence[str],
    prices: Prices,
    known: Mapping[str, Sequence[Region]],
) -> Candidate | str:
    """The cheapest split of a group, or why there is none."""
    if len(outputs) != 1:
        return f"{len(outputs)} tensors leave it"
    before, after = (
        _found(model, own, outputs[0])
        for model, own in zip((prepared.normalised, prepared.fused), names, strict=True)
    )
    if reason := leaks(before.nodes, before.tensor) or leaks(after.nodes, after.tensor):
        return reason
    operator = Operator.of(prepared.fused, before, after, prices, known)
    candidates = [*operator.tilings(), *operator.summings()]
    if not candidates:
        return operator.reason or "no even parts of it fit"
    return min(candidates, key=lambda one: one.seconds)


def _found(model: ir.Model, names: Sequence[str], tensor: str) -> Found:
    nodes = tuple(node for node in model.graph if node.name in set(names))
    value = next(v for node in nodes for v in node.outputs if v.name == tensor)
    return Found(nodes, value)
