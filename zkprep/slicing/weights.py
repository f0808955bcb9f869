"""What rewrite groups take, in numbers that add up: the weights by which cuts are chosen.

A group may hand its tensors on at the scale they have grown to, for a later slice to divide, in
front of a static table too (zkprep.tune.landings).
"""

from collections import Counter
from collections.abc import Mapping
from operator import add
from typing import NamedTuple

import networkx as nx
import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray

from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import boundary_input, boundary_output, decomposition, division
from zkprep.cost.loads import Loads
from zkprep.cost.lowerings import SORTING, TABLES
from zkprep.cost.walk import walk
from zkprep.slicing.groups import elements


class Weights(NamedTuple):
    """What a group takes; the fields of `zkprep.cost.loads.Loads` of its name, without a boundary.

    The depth of several groups is about the sum of theirs.
    """

    cells: int = 0
    divided: int = 0
    depth: float = 0
    handed_on: int = 0
    checked: int = 0
    sorted: int = 0
    looked_up: int = 0


def node_weights(model: ir.Model, spec: CircuitSpec) -> dict[str, Weights]:
    """What each node takes in a circuit of its own, by name; a node the loader drops, nothing."""
    laid = {one.name: one for one in walk(model, spec, apart=True).nodes}
    weights = {}
    for node in model.graph:
        if (one := laid.get(str(node.name))) is None:
            weights[str(node.name)] = Weights()
            continue
        arithmetic = one.divided * division(spec) + one.checked * decomposition(spec)
        made = elements(node.outputs[0])
        weights[one.name] = Weights(
            cells=one.cells - arithmetic,
            divided=one.divided,
            depth=int(one.divided > 0),
            handed_on=made * (one.divided > 0),
            checked=one.checked,
            sorted=made * (node.op_type in SORTING),
            looked_up=made * (node.op_type in TABLES),
        )
    return weights


def model_weights(model: ir.Model, spec: CircuitSpec) -> Weights:
    """What a whole model takes in one circuit."""
    groups = {str(node.name): "" for node in model.graph}
    return group_weights(model, groups, spec).get("", Weights())


def group_weights(
    model: ir.Model, groups: Mapping[str, str], spec: CircuitSpec
) -> dict[str, Weights]:
    """What each group takes in a slice of its own, by the nodes of `model` that belong to it."""
    nodes = node_weights(model, spec)
    weights: dict[str, Weights] = {}
    depths: dict[ir.Node, float] = {}
    for node in model.graph:
        name = str(node.name)
        group = groups[name]
        before = [one for one in node.predecessors() if groups[str(one.name)] == group]
        depths[node] = nodes[name].depth + max((depths[one] for one in before), default=0)
        known = weights.get(group, Weights())
        leaves = any(
            value.is_graph_output() or any(groups[str(one.name)] != group for one in readers)
            for value in node.outputs
            for readers in [value.consumers()]
        )
        handed = elements(node.outputs[0]) if leaves and depths[node] else 0
        together = Weights(*map(add, known, nodes[name]))
        weights[group] = together._replace(
            depth=max(known.depth, depths[node]), handed_on=known.handed_on + handed
        )
    return weights


def weigh(graph: "nx.DiGraph[str]", weights: Mapping[str, Weights]) -> None:
    """Give each node of a graph of groups its weights."""
    beside = _beside(graph, weights)
    for group in graph:
        own = weights.get(group, Weights())
        graph.nodes[group]["weights"] = own._replace(depth=own.depth / beside[group])


def whole_load(model: ir.Model, spec: CircuitSpec) -> Loads:
    """The load of a model in one slice."""
    read, made = (sum(map(elements, side)) for side in (model.graph.inputs, model.graph.outputs))
    return loads(model_weights(model, spec), read, made, spec)


def _beside(graph: "nx.DiGraph[str]", weights: Mapping[str, Weights]) -> dict[str, int]:
    """How many groups divide after as many others as each: of branches only one is on a path."""
    after: dict[str, float] = {}
    for group in nx.topological_sort(graph):
        before = max((after[one] for one in graph.predecessors(group)), default=0)
        after[group] = before + weights.get(group, Weights()).depth
    levels = Counter(after[group] for group in graph if weights.get(group, Weights()).depth)
    return {group: max(1, levels[level]) for group, level in after.items()}


def loads(weights: ArrayLike, inputs: ArrayLike, outputs: ArrayLike, spec: CircuitSpec) -> Loads:
    """Loads of slices of these weights, shape (slices, fields), that read and make so much."""
    columns: NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
    fields = dict(zip(Weights._fields, np.atleast_2d(columns).T, strict=True))
    read, made = (np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (inputs, outputs))
    border = read * boundary_input(spec) + made * boundary_output(spec)
    return Loads(**{**fields, "cells": fields["cells"] + border}, values=read + made)
