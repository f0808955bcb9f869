"""Nodes and initializers that nothing reads go, in subgraphs too.

onnx-ir's RemoveUnusedNodesPass leaves the initializers of subgraphs and rewrites nodes it keeps;
here a node goes or stays as it is.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.graphs import bodies


@dataclass(frozen=True, slots=True)
class RemoveUnread:
    """Everything left serves an output."""

    name: ClassVar[str] = "remove-unread"

    def __call__(self, model: ir.Model) -> PassResult:
        """Remove what no output depends on; inputs stay."""
        result = model.clone()
        sites = _remove_nodes(result.graph)
        for graph in result.graphs():
            sites += _remove_initializers(graph)
        return PassResult(result, tuple(sites))


def _remove_nodes(graph: ir.Graph) -> list[Site]:
    """Remove unread nodes of `graph` and of the subgraphs of its nodes, readers first."""
    sites = []
    for node in reversed(graph):
        if any(_is_read(output) for output in node.outputs):
            for inner in bodies(node):
                sites += _remove_nodes(inner)
            continue
        inside = [one for inner in bodies(node) for one in inner.all_nodes()]
        graph.remove(node, safe=True)
        for one in inside:
            # A body that is gone reads nothing any more of the graphs around it.
            for index in range(len(one.inputs)):
                one.replace_input_with(index, None)
        sites.append(Site("unread node removed", tuple(str(n.name) for n in (node, *inside))))
    return sites


def _remove_initializers(graph: ir.Graph) -> list[Site]:
    sites = []
    for name, value in list(graph.initializers.items()):
        if not (_is_read(value) or value.is_graph_input()):
            del graph.initializers[name]
            sites.append(Site(f"unread initializer '{name}' removed", ()))
    return sites


def _is_read(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()
