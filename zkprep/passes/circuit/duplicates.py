"""Nodes that compute the same are one: equal operators on equal inputs, again and again.

Equal are operator, attributes, the tensors that are read, and constants by value; so a subgraph
that occurs twice goes node by node. Constants themselves are left apart: EZKL brings a bias that
two Convs share to the scale of one of them. The first of equal nodes stays, and an output of the
model keeps its own node. Source: common subexpression elimination, as in any compiler.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.graphs import bodies
from zkprep.passes.repair.draft import known

TITLE = "duplicate removed"

_RANDOM = frozenset(
    (
        "Bernoulli",
        "Dropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    )
)

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RemoveDuplicates:
    """No two nodes compute the same from the same; those `apart` by name may."""

    apart: frozenset[str] = frozenset()
    name: ClassVar[str] = "remove-duplicates"

    def __call__(self, model: ir.Model) -> PassResult:
        """Let every reader of a duplicate read the first of its kind."""
        result = model.clone()
        sites = tuple(_merged(result.graph, self.apart))
        return PassResult(result, sites)


def _merged(graph: ir.Graph, apart: frozenset[str]) -> Iterator[Site]:
    first: dict[Key, ir.Node] = {}
    for node in tuple(graph):
        if any(bodies(node)) or node.op_type in _RANDOM or node.name in apart:
            continue
        same = first.setdefault(_key(node), node)
        if same is node or any(value.is_graph_output() for value in node.outputs):
            continue
        for mine, other in zip(node.outputs, same.outputs, strict=True):
            mine.replace_all_uses_with(other)
        graph.remove(node, safe=True)
        yield Site(TITLE, (str(same.name), str(node.name)))


def _key(node: ir.Node) -> Key:
    """What equal nodes have in common; computed inputs are tensors, which are merged before."""
    attributes = tuple(sorted((name, str(one)) for name, one in node.attributes.items()))
    operator = (node.domain, node.op_type, node.overload, len(node.outputs))
    return (*operator, attributes, *(_input(value) for value in node.inputs))


def _input(value: ir.Value | None) -> Key:
    values = known(value)
    if values is None:
        return (value,)
    return (str(values.dtype), values.shape, values.tobytes())
