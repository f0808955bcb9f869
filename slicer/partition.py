"""Blocks in executable order and the links between them, right by construction.

Links are not given but derived: one for each tensor and each later block that reads it. So they
count tensors, not edges, and a partition whose links point backwards cannot be built.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import networkx as nx

from slicer.graph import SlicerError, read_tensors
from slicer.order import topological_order


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes that are run together, and the tensors that cross their border, by name.

    Attributes:
        nodes: in topological order.
        inputs: elements of each tensor read from outside: other blocks or the model's inputs.
        outputs: elements of each tensor that other blocks read or that is an output of the model.
    """

    nodes: tuple[str, ...]
    inputs: Mapping[str, int] = field(hash=False)
    outputs: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Link:
    """One tensor of `elements` numbers from block `source` to block `target`; source < target."""

    tensor: str
    source: int
    target: int
    elements: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Blocks in executable order, and the links between them.

    Construction checks what blocks alone can show: there is one at least, none is empty, no node
    and no output is in two, a tensor has one size, and none reads what it or a later one produces.
    `from_groups` checks the rest against the graph.

    Attributes:
        blocks: each reads from earlier ones and the model's inputs only.
        links: derived from the blocks; by source, target and tensor.

    Raises:
        SlicerError: one of the checks fails.
    """

    blocks: tuple[Block, ...]
    links: tuple[Link, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Check the blocks and derive the links."""
        if not self.blocks:
            raise SlicerError("a partition has no blocks; expected at least one")
        _homes(block.nodes for block in self.blocks)
        object.__setattr__(self, "links", _links(self.blocks))

    @classmethod
    def from_groups(cls, graph: nx.DiGraph, groups: Sequence[Collection[str]]) -> Self:
        """The partition of `graph` into `groups` of node names, given in executable order.

        Within a group the order of names does not matter: blocks hold theirs in the order of
        `topological_order`.

        Raises:
            SlicerError: a group is empty, the groups are not disjoint, miss a node of the graph or
                name another, or an edge points to an earlier group.
        """
        home = _homes(groups)
        _check_covers(graph, home)
        nodes: list[list[str]] = [[] for _ in groups]
        for node in topological_order(graph):
            nodes[home[node]].append(node)
        inputs: list[dict[str, int]] = [{} for _ in groups]
        outputs: list[dict[str, int]] = [{} for _ in groups]
        for tensor in read_tensors(graph):
            source = None if tensor.producer is None else home[tensor.producer]
            targets = {home[reader] for reader in tensor.readers} - {source}
            for target in targets:
                inputs[target][tensor.name] = tensor.elements
            if source is not None and (targets or tensor.leaves):
                outputs[source][tensor.name] = tensor.elements
        return cls(tuple(map(Block, map(tuple, nodes), inputs, outputs)))

    def merged(self, graph: nx.DiGraph, first: int, last: int) -> Self:
        """This partition of `graph` with blocks `first` to `last` (inclusive) fused into one.

        Those in between go along, because a path from `first` to `last` may lead through them.

        Raises:
            SlicerError: there are no such two blocks, or this is not a partition of `graph`.
        """
        if not 0 <= first < last < len(self.blocks):
            raise SlicerError(
                f"cannot merge blocks {first} to {last} of {len(self.blocks)}; expected "
                f"0 <= first < last <= {len(self.blocks) - 1}"
            )
        groups = [block.nodes for block in self.blocks]
        groups[first : last + 1] = [sum(groups[first : last + 1], ())]
        return self.from_groups(graph, groups)


def _homes(groups: Iterable[Collection[str]]) -> dict[str, int]:
    """The index of each node's group."""
    home: dict[str, int] = {}
    for index, group in enumerate(groups):
        if not group:
            raise SlicerError(f"block {index} has no nodes; expected at least one")
        for node in group:
            if node in home:
                raise SlicerError(
                    f"node {node!r} is in block {home[node]} and again in block {index}; "
                    "expected every node once"
                )
            home[node] = index
    return home


def _check_covers(graph: nx.DiGraph, home: Mapping[str, int]) -> None:
    if missing := sorted(set(graph) - set(home)):
        raise SlicerError(
            f"node {missing[0]!r} is in no block ({len(missing)} of {len(graph)} nodes are in none)"
        )
    if unknown := sorted(set(home) - set(graph)):
        raise SlicerError(
            f"node {unknown[0]!r} of block {home[unknown[0]]} is not in the graph; expected "
            "names of its nodes"
        )
    for source, target in sorted(graph.edges):
        if home[source] > home[target]:
            raise SlicerError(
                f"edge {source!r} -> {target!r} points back from block {home[source]} to block "
                f"{home[target]}; expected blocks in executable order"
            )


def _links(blocks: Sequence[Block]) -> tuple[Link, ...]:
    producer: dict[str, int] = {}
    for index, block in enumerate(blocks):
        for tensor in block.outputs:
            if tensor in producer:
                raise SlicerError(
                    f"tensor {tensor!r} is an output of block {producer[tensor]} and of block "
                    f"{index}; expected one producer"
                )
            producer[tensor] = index
    links = [
        _link(tensor, producer[tensor], target, blocks)
        for target, block in enumerate(blocks)
        for tensor in block.inputs
        if tensor in producer
    ]
    return tuple(sorted(links, key=lambda link: (link.source, link.target, link.tensor)))


def _link(tensor: str, source: int, target: int, blocks: Sequence[Block]) -> Link:
    if source >= target:
        raise SlicerError(
            f"tensor {tensor!r} links block {source} to block {target}; expected links to later "
            "blocks only"
        )
    sent, received = blocks[source].outputs[tensor], blocks[target].inputs[tensor]
    if sent != received:
        raise SlicerError(
            f"tensor {tensor!r} has {sent} elements in block {source} and {received} in block "
            f"{target}; a tensor has one size"
        )
    return Link(tensor, source, target, sent)
