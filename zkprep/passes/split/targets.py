"""What is to be split: the nodes of one rewrite group, the tensor they make, and where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from zkprep.claims.claim import Split
from zkprep.errors import InputError
from zkprep.passes.base import Site

REGIONS = "regions of tensors"
"""The rule of sites that take regions and join parts: alike before and after the rewrites."""


@dataclass(frozen=True, slots=True)
class Target:
    """One split, and the names of the nodes that make its tensor in a model."""

    split: Split
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A target in a graph: its nodes in order, and the one tensor that leaves them."""

    nodes: tuple[ir.Node, ...]
    tensor: ir.Value

    @property
    def last(self) -> ir.Node:
        """The node that makes the tensor; all that the target reads is made before it."""
        node = self.tensor.producer()
        assert node is not None
        return node


def find(graph: ir.Graph, target: Target) -> Found:
    """The target's nodes in `graph`.

    Raises:
        InputError: there are no such nodes, or more than the one tensor leaves them.
    """
    named = set(target.nodes)
    nodes = tuple(node for node in graph if node.name in named)
    made = {value.name: value for node in nodes for value in node.outputs}
    if len(nodes) != len(named) or target.split.tensor not in made:
        raise InputError(f"cannot split what makes '{target.split.tensor}': no nodes make it")
    found = Found(nodes, made[target.split.tensor])
    if reason := leaks(found.nodes, found.tensor):
        raise InputError(f"cannot split what makes '{target.split.tensor}': {reason}")
    return found


def leaks(nodes: Sequence[ir.Node], tensor: ir.Value) -> str:
    """Why more than `tensor` leaves `nodes`, or ""."""
    inside = set(nodes)
    for value in (value for node in nodes for value in node.outputs):
        outside = value.is_graph_output() or any(one not in inside for one in value.consumers())
        if value is not tensor and outside:
            return f"'{value.name}' is read elsewhere too"
    return ""


def existing(graph: ir.Graph, sites: Iterable[Site]) -> tuple[Site, ...]:
    """The sites, those left out of which no created node is there any more."""
    names = {node.name for node in graph}
    return tuple(site for site in sites if names.issuperset(site.created))


def remove(graph: ir.Graph, nodes: Sequence[ir.Node]) -> None:
    """Remove nodes that nothing reads any more, and the constants that they alone read."""
    read = [value for node in nodes for value in node.inputs if value is not None]
    graph.remove(nodes, safe=True)
    for value in read:
        known = graph.initializers.get(str(value.name)) is value
        if known and not value.uses() and not value.is_graph_output():
            del graph.initializers[str(value.name)]
