"""An If whose condition is constant is the branch that is taken.

Its nodes and constants move to where the If was; every result goes through an Identity, because it
may be an input, a constant or an outer tensor, and RemoveIdentities clears away what need not stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.graphs import bodies
from zkprep.passes.inference import infer_shapes
from zkprep.passes.names import Names


@dataclass(frozen=True, slots=True)
class TakeBranches:
    """No If with a constant condition is left."""

    name: ClassVar[str] = "take-branches"
    narrows: ClassVar[str] = "symbolic dimensions of the outputs that a branch makes known"

    def __call__(self, model: ir.Model) -> PassResult:
        """Inline the branches that are taken, outer ones first."""
        result = model.clone()
        names = Names(result)
        sites: list[Site] = []
        while (found := next(_settled(result), None)) is not None:
            sites.append(_take(*found, names))
        if sites:
            infer_shapes(result)
        return PassResult(result, tuple(sites))


def _settled(model: ir.Model) -> Iterator[tuple[ir.Node, ir.Graph]]:
    """The Ifs with a constant condition, each with the branch it takes."""
    for graph in model.graphs():
        for node in graph:
            if node.op_type != "If" or node.domain != "":
                continue
            condition = node.inputs[0]
            if condition is None or condition.const_value is None or condition.is_graph_input():
                continue
            taken = bool(np.all(condition.const_value.numpy()))
            name = "then_branch" if taken else "else_branch"
            yield node, node.attributes[name].as_graph()


def _take(node: ir.Node, branch: ir.Graph, names: Names) -> Site:
    """Put the nodes of `branch` in the place of `node`, in whose graph names are unique."""
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    moved = list(branch)
    kept = {id(one) for one in branch.all_nodes()}
    gone = [one for body in bodies(node) for one in body.all_nodes() if id(one) not in kept]
    outputs = list(branch.outputs)
    branch.outputs.clear()
    branch.remove(moved)
    for value in list(branch.initializers.values()):
        del branch.initializers[str(value.name)]
        if value.name in graph.initializers:  # which ONNX forbids and its checker lets through
            value.name = names.fresh(str(value.name))
        graph.register_initializer(value)
    copies = [ir.node("Identity", [value], num_outputs=1) for value in outputs]
    graph.insert_before(node, [*moved, *copies])
    created = []
    for copy, old, value in zip(copies, node.outputs, outputs, strict=True):
        new = copy.outputs[0]
        new.shape, new.type, new.doc_string = value.shape, old.type or value.type, old.doc_string
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        copy.name = names.fresh(f"{node.name}_{old.name}")
        created.append(copy.name)
    names_of_outputs = [old.name for old in node.outputs]
    for one in gone:
        for index in range(len(one.inputs)):
            one.replace_input_with(index, None)
    graph.remove(node, safe=True)
    for copy, name in zip(copies, names_of_outputs, strict=True):
        copy.outputs[0].name = name
    removed = (node, *gone)
    return Site("branch taken", tuple(str(one.name) for one in removed), created=tuple(created))
