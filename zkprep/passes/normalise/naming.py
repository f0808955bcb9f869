"""Every node has a name of its own: reports, rewrite groups and cuts speak of nodes by name.

Given names stay where they are unique; of several equal ones the first stays. A node without a name
becomes `<OpType>_<first output>`. A node that is called like an input or a constant is renamed,
because EZKL's importer gives both to nodes of its own.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.graphs import every_graph
from zkprep.passes.names import Names


@dataclass(frozen=True, slots=True)
class NameNodes:
    """Every node of every graph and function has a unique, non-empty name."""

    name: ClassVar[str] = "name-nodes"

    def __call__(self, model: ir.Model) -> PassResult:
        """Name the nodes that need it; tensor names stay."""
        named = model.clone()
        names, seen = Names(named), set[str]()
        sources = {
            value.name for value in (*named.graph.inputs, *named.graph.initializers.values())
        }
        sites = []
        for graph in every_graph(named):
            for node in graph:
                old = node.name
                if not old or old in seen or old in sources:
                    first = next((o.name for o in node.outputs if o.name), "")
                    node.name = names.fresh(old or f"{node.op_type}_{first}")
                    gone = (old,) if old and old not in seen else ()
                    sites.append(Site("node named", gone, created=(node.name,)))
                seen.add(str(node.name))
        return PassResult(named, tuple(sites))
