"""Every node has a name of its own: reports, rewrite groups and cuts speak of nodes by name.

Given names stay where they are unique; of several equal ones the first stays. A node without a name
becomes `<OpType>_<first output>`.
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
        sites = []
        for graph in every_graph(named):
            for node in graph:
                if not node.name or node.name in seen:
                    first = next((o.name for o in node.outputs if o.name), "")
                    node.name = names.fresh(node.name or f"{node.op_type}_{first}")
                    sites.append(Site("node named", (), created=(node.name,)))
                seen.add(node.name)
        return PassResult(named, tuple(sites))
