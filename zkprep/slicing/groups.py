"""Rewrite groups: which nodes the passes turn into one operator, and the graph that cuts respect.

A group is the union of applied sites that share a node. Groups that would wait for each other are
one group, so that the graph of groups stays acyclic.
"""

from collections.abc import Iterable, Mapping
from math import prod

import networkx as nx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.models.model import input_specs, output_specs
from zkprep.passes.base import Site


def rewrite_groups(normalised: ir.Model, sites: Iterable[Site]) -> dict[str, str]:
    """Node name -> name of its group, which is that of the group's first node."""
    joined = nx.utils.UnionFind(node.name for node in normalised.graph)
    for site in sites:
        if site.applied:
            joined.union(*site.nodes, *site.created)
    order = {node.name: position for position, node in enumerate(normalised.graph)}
    last = len(order)
    groups: dict[str, str] = {}
    for members in joined.to_sets():
        ordered = sorted(members, key=lambda name: (order.get(name, last), name))
        groups.update(dict.fromkeys(ordered, ordered[0]))
    return _convex(normalised, groups)


def _convex(normalised: ir.Model, groups: dict[str, str]) -> dict[str, str]:
    """Groups that would wait for each other (a cycle once contracted) become one."""
    contracted = nx.DiGraph()
    contracted.add_nodes_from(groups.values())
    for source, target in node_graph(normalised).edges:
        if groups[source] != groups[target]:
            contracted.add_edge(groups[source], groups[target])
    position = {name: index for index, name in enumerate(groups)}
    representative = {}
    for component in nx.strongly_connected_components(contracted):
        first = min(component, key=position.__getitem__)
        representative.update(dict.fromkeys(component, first))
    return {name: representative[group] for name, group in groups.items()}


def node_graph(model: ir.Model) -> "nx.DiGraph[str]":
    """Nodes by name; edges carry the tensors that flow; nodes carry the model's own tensors."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    fed = {spec.name for spec in input_specs(model)}
    wanted = {spec.name for spec in output_specs(model)}
    for node in model.graph:
        reads = {v.name: elements(v) for v in node.inputs if v is not None and v.name in fed}
        writes = {value.name: elements(value) for value in node.outputs if value.name in wanted}
        graph.add_node(node.name, reads=reads, writes=writes)
    for node in model.graph:
        for value in node.inputs:
            producer = value.producer() if value is not None else None
            if value is None or producer is None:
                continue
            if not graph.has_edge(producer.name, node.name):
                graph.add_edge(producer.name, node.name, tensors={})
            graph.edges[producer.name, node.name]["tensors"][value.name] = elements(value)
    return graph


def weighted_graph(model: ir.Model, groups: Mapping[str, str]) -> "nx.DiGraph[str]":
    """`node_graph` with every group contracted to one node."""
    nodes = node_graph(model)
    graph: nx.DiGraph[str] = nx.DiGraph()
    for name, data in nodes.nodes(data=True):
        if groups[name] not in graph:
            graph.add_node(groups[name], reads={}, writes={})
        graph.nodes[groups[name]]["reads"].update(data["reads"])
        graph.nodes[groups[name]]["writes"].update(data["writes"])
    for source, target, data in nodes.edges(data=True):
        ends = groups[source], groups[target]
        if ends[0] == ends[1]:
            continue
        if not graph.has_edge(*ends):
            graph.add_edge(*ends, tensors={})
        graph.edges[ends]["tensors"].update(data["tensors"])
    return graph


def members(normalised: ir.Model, groups: Mapping[str, str]) -> dict[str, list[str]]:
    """The nodes of every group, in the model's order."""
    members: dict[str, list[str]] = {}
    for node in normalised.graph:
        members.setdefault(groups[str(node.name)], []).append(str(node.name))
    return members


def border(graph: "nx.DiGraph[str]", group: str) -> tuple[dict[str, int], dict[str, int]]:
    """Elements of every tensor that a group reads, and of every tensor that leaves it, by name."""
    inputs, outputs = (dict(graph.nodes[group][side]) for side in ("reads", "writes"))
    for _, _, tensors in graph.in_edges(group, data="tensors"):
        inputs.update(tensors)
    for _, _, tensors in graph.out_edges(group, data="tensors"):
        outputs.update(tensors)
    return inputs, outputs


def elements(value: ir.Value) -> int:
    """Number of elements of a tensor.

    Raises:
        InputError: its shape is not fixed.
    """
    if value.shape is None or not all(isinstance(dim, int) for dim in value.shape):
        raise InputError(f"tensor '{value.name}' has no fixed shape; slicing needs one")
    return prod(int(dim) for dim in value.shape if isinstance(dim, int))
