from collections.abc import Sequence
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicer import Block, Link, Partition, SlicerError, topological_order


def drawn_groups(data: st.DataObject, order: Sequence[str]) -> list[list[str]]:
    """Intervals of `order`, each shuffled."""
    places = sorted(data.draw(st.sets(st.integers(1, len(order) - 1)))) if len(order) > 1 else []
    bounds = [0, *places, len(order)]
    return [data.draw(st.permutations(order[start:stop])) for start, stop in pairwise(bounds)]


def skip_graph() -> nx.DiGraph:
    """x -> a -> b -> c -> d -> y, and a's tensor is read by b, c and d."""
    graph = nx.DiGraph()
    graph.add_node("a", reads={"x": 9})
    for reader in "bcd":
        graph.add_edge("a", reader, tensors={"a.out": 4})
    graph.add_edge("b", "c", tensors={"b.out": 5})
    graph.add_edge("c", "d", tensors={"c.out": 6})
    graph.nodes["d"]["writes"] = {"y": 2}
    return graph


def test_a_skip_link_is_one_link_for_each_reading_block() -> None:
    partition = Partition.from_groups(skip_graph(), [["a"], ["c", "b"], ["d"]])
    assert partition.blocks == (
        Block(("a",), inputs={"x": 9}, outputs={"a.out": 4}),
        Block(("b", "c"), inputs={"a.out": 4}, outputs={"c.out": 6}),
        Block(("d",), inputs={"a.out": 4, "c.out": 6}, outputs={"y": 2}),
    )
    assert partition.links == (
        Link("a.out", 0, 1, 4),
        Link("a.out", 0, 2, 4),
        Link("c.out", 1, 2, 6),
    )


@settings(deadline=None, max_examples=60)
@given(graph=st.from_type(nx.DiGraph), data=st.data())
def test_borders_and_links_are_those_of_the_edges_that_cross(
    graph: nx.DiGraph, data: st.DataObject
) -> None:
    groups = drawn_groups(data, topological_order(graph))
    partition = Partition.from_groups(graph, groups)
    assert [set(block.nodes) for block in partition.blocks] == [set(group) for group in groups]
    home = {node: index for index, group in enumerate(groups) for node in group}
    inputs: list[dict[str, int]] = [{} for _ in groups]
    outputs: list[dict[str, int]] = [{} for _ in groups]
    links = set()
    for source, target, tensors in graph.edges(data="tensors", default={}):
        if home[source] != home[target]:
            inputs[home[target]].update(tensors)
            outputs[home[source]].update(tensors)
            links |= {Link(t, home[source], home[target], e) for t, e in tensors.items()}
    for node, attributes in graph.nodes(data=True):
        inputs[home[node]].update(attributes.get("reads", {}))
        outputs[home[node]].update(attributes.get("writes", {}))
    assert [block.inputs for block in partition.blocks] == inputs
    assert [block.outputs for block in partition.blocks] == outputs
    assert set(partition.links) == links
    assert len(partition.links) == len(links)
    assert all(link.source < link.target for link in partition.links)


@settings(deadline=None, max_examples=60)
@given(graph=st.from_type(nx.DiGraph), data=st.data())
def test_everything_in_a_partition_is_ordered(graph: nx.DiGraph, data: st.DataObject) -> None:
    order = topological_order(graph)
    partition = Partition.from_groups(graph, drawn_groups(data, order))
    assert [node for block in partition.blocks for node in block.nodes] == order
    for block in partition.blocks:
        assert list(block.inputs) == sorted(block.inputs)
        assert list(block.outputs) == sorted(block.outputs)
    ends = [(link.source, link.target, link.tensor) for link in partition.links]
    assert ends == sorted(ends)


@settings(deadline=None, max_examples=60)
@given(graph=st.from_type(nx.DiGraph), data=st.data())
def test_merging_is_the_partition_of_the_merged_groups(
    graph: nx.DiGraph, data: st.DataObject
) -> None:
    groups = drawn_groups(data, topological_order(graph))
    partition = Partition.from_groups(graph, groups)
    if len(groups) == 1:
        return
    first = data.draw(st.integers(0, len(groups) - 2))
    last = data.draw(st.integers(first + 1, len(groups) - 1))
    fused = [node for group in groups[first : last + 1] for node in group]
    expected = Partition.from_groups(graph, [*groups[:first], fused, *groups[last + 1 :]])
    assert partition.merged(graph, first, last) == expected


def test_merging_drops_inner_links_and_renumbers_the_rest() -> None:
    graph = skip_graph()
    partition = Partition.from_groups(graph, ["a", "b", "c", "d"]).merged(graph, 1, 2)
    assert [block.nodes for block in partition.blocks] == [("a",), ("b", "c"), ("d",)]
    assert Link("c.out", 1, 2, 6) in partition.links
    assert "b.out" not in {link.tensor for link in partition.links}


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 0), (-1, 1), (3, 4)])
def test_only_blocks_that_exist_and_differ_can_be_merged(first: int, last: int) -> None:
    graph = skip_graph()
    partition = Partition.from_groups(graph, ["a", "b", "c", "d"])
    with pytest.raises(SlicerError) as refusal:
        partition.merged(graph, first, last)
    assert str(refusal.value) == (
        f"cannot merge blocks {first} to {last} of 4; expected 0 <= first < last <= 3"
    )


REFUSED_GROUPS = {
    "none": ([], "node 'a' is in no block (4 of 4 nodes are in none)"),
    "missing": (["a", "b", "c"], "node 'd' is in no block (1 of 4 nodes are in none)"),
    "empty": (["ab", "", "cd"], "block 1 has no nodes; expected at least one"),
    "twice": (
        ["ab", "bcd"],
        "node 'b' is in block 0 and again in block 1; expected every node once",
    ),
    "twice in one": (
        ["ab", "cdc"],
        "node 'c' is in block 1 and again in block 1; expected every node once",
    ),
    "unknown": (
        ["ab", "cdz"],
        "node 'z' of block 1 is not in the graph; expected names of its nodes",
    ),
    "backwards": (
        ["b", "acd"],
        "edge 'a' -> 'b' points back from block 1 to block 0; expected blocks in executable order",
    ),
}


@pytest.mark.parametrize(("groups", "message"), REFUSED_GROUPS.values(), ids=REFUSED_GROUPS)
def test_groups_that_are_no_partition_are_refused(groups: list[str], message: str) -> None:
    with pytest.raises(SlicerError) as refusal:
        Partition.from_groups(skip_graph(), groups)
    assert str(refusal.value) == message


def test_an_edge_without_tensors_still_orders_the_blocks() -> None:
    graph = nx.DiGraph([("a", "b")])
    assert Partition.from_groups(graph, ["a", "b"]).links == ()
    with pytest.raises(SlicerError, match="edge 'a' -> 'b' points back from block 1 to block 0"):
        Partition.from_groups(graph, ["b", "a"])


REFUSED_BLOCKS = {
    "none": ((), "a partition has no blocks; expected at least one"),
    "empty": ((Block((), {}, {}),), "block 0 has no nodes; expected at least one"),
    "twice": (
        (Block(("a",), {}, {}), Block(("a",), {}, {})),
        "node 'a' is in block 0 and again in block 1; expected every node once",
    ),
    "two producers": (
        (Block(("a",), {}, {"t": 1}), Block(("b",), {}, {"t": 1})),
        "tensor 't' is an output of block 0 and of block 1; expected one producer",
    ),
    "backwards": (
        (Block(("a",), {"t": 1}, {}), Block(("b",), {}, {"t": 1})),
        "tensor 't' links block 1 to block 0; expected links to later blocks only",
    ),
    "itself": (
        (Block(("a",), {"t": 1}, {"t": 1}),),
        "tensor 't' links block 0 to block 0; expected links to later blocks only",
    ),
    "two sizes": (
        (Block(("a",), {}, {"t": 4}), Block(("b",), {"t": 8}, {})),
        "tensor 't' has 4 elements in block 0 and 8 in block 1; a tensor has one size",
    ),
}


@pytest.mark.parametrize(("blocks", "message"), REFUSED_BLOCKS.values(), ids=REFUSED_BLOCKS)
def test_blocks_that_are_no_partition_are_refused(blocks: tuple[Block, ...], message: str) -> None:
    with pytest.raises(SlicerError) as refusal:
        Partition(blocks)
    assert str(refusal.value) == message


def test_a_block_can_key_an_oracles_cache() -> None:
    one = Partition.from_groups(skip_graph(), ["ab", "cd"]).blocks
    other = Partition.from_groups(skip_graph(), ["ab", "cd"]).blocks
    assert len({*one, *other}) == 2
