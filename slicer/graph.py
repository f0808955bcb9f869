"""The graph tensor by tensor: who produces it, who reads it, how large it is.

Rules: the graph is a non-empty DAG with str nodes; a tensor has one size and one producer, which is
a node or the model's inputs; it may have any number of readers. Everything else in this package
reads the graph through `read_tensors`, so these rules are checked before any answer.
"""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx


class SlicerError(ValueError):
    """The graph or the request has no answer: says where, what was expected, what would do."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the graph.

    Attributes:
        name: unique in the graph.
        elements: how many numbers it holds.
        producer: the node it comes from; None for an input of the model.
        readers: the nodes that read it.
        leaves: whether it is an output of the model.
    """

    name: str
    elements: int
    producer: str | None
    readers: frozenset[str]
    leaves: bool = False


def read_tensors(graph: nx.DiGraph) -> tuple[Tensor, ...]:
    """Every tensor of `graph`, by name.

    Raises:
        SlicerError: the graph or one of its tensors breaks a rule of this module.
    """
    _check_shape(graph)
    tensors: dict[str, Tensor] = {}
    for sighting in _sightings(graph):
        known = tensors.get(sighting.name)
        tensors[sighting.name] = sighting if known is None else _joined(known, sighting)
    return tuple(tensors[name] for name in sorted(tensors))


def _check_shape(graph: nx.DiGraph) -> None:
    if not graph.is_directed() or graph.is_multigraph():
        raise SlicerError(f"the graph is a {type(graph).__name__}; expected a networkx.DiGraph")
    if not graph:
        raise SlicerError("the graph has no nodes; expected at least one")
    for node in graph:
        if not isinstance(node, str):
            raise SlicerError(f"node {node!r} is of type {type(node).__name__}; expected a str")
    if not nx.is_directed_acyclic_graph(graph):
        cycle = [source for source, _ in nx.find_cycle(graph)]
        path = " -> ".join(repr(node) for node in [*cycle, cycle[0]])
        raise SlicerError(f"the graph has a cycle {path}; expected a directed acyclic graph")


def _sightings(graph: nx.DiGraph) -> Iterator[Tensor]:
    """Each mention of a tensor in the graph's attributes, as if it were the only one."""
    for node, attributes in graph.nodes(data=True):
        for name, elements in attributes.get("reads", {}).items():
            yield Tensor(name, _counted(name, elements), None, frozenset({node}))
        for name, elements in attributes.get("writes", {}).items():
            yield Tensor(name, _counted(name, elements), node, frozenset(), leaves=True)
    for source, target, tensors in graph.edges(data="tensors", default={}):
        for name, elements in tensors.items():
            yield Tensor(name, _counted(name, elements), source, frozenset({target}))


def _counted(name: str, elements: Any) -> int:
    try:
        count = operator.index(elements)
    except TypeError:
        count = -1
    if count < 0:
        raise SlicerError(
            f"tensor {name!r} has {elements!r} elements; expected an integer that is not negative"
        )
    return count


def _joined(one: Tensor, other: Tensor) -> Tensor:
    if one.producer != other.producer:
        first, second = sorted([_origin(one), _origin(other)])
        raise SlicerError(
            f"tensor {one.name!r} comes from {first} and from {second}; a tensor has one producer: "
            "rename one of the two"
        )
    if one.elements != other.elements:
        small, large = sorted([one.elements, other.elements])
        raise SlicerError(
            f"tensor {one.name!r} from {_origin(one)} has {small} elements in one place and "
            f"{large} in another; a tensor has one size"
        )
    readers = one.readers | other.readers
    return Tensor(one.name, one.elements, one.producer, readers, one.leaves or other.leaves)


def _origin(tensor: Tensor) -> str:
    return "the model's inputs" if tensor.producer is None else f"node {tensor.producer!r}"
