"""`cut` against every partition there is, on small graphs; and on a large one."""

import math
import random
from collections.abc import Callable, Iterator
from itertools import combinations, islice, pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicer import (
    Floats,
    Infeasible,
    Loads,
    Optimum,
    Oracle,
    Partition,
    SlicerError,
    cut,
    loads_of,
    optimum,
    topological_order,
)

SHAPES: list[Callable[[Floats], Floats]] = [
    lambda load: load,
    lambda load: 3 + np.ceil(load / 4),
    lambda load: load * load,
    lambda load: np.maximum(load - 6, 0) + 2,
    lambda load: 1 + np.sqrt(load),
]


@st.composite
def oracles(draw: st.DrawFn) -> Oracle:
    """An oracle that never falls: a shape of some multiple of everything a load holds."""
    shape = draw(st.sampled_from(SHAPES))
    rates = [draw(st.integers(0, 3)) for _ in range(4)]

    def oracle(loads: Loads) -> Floats:
        held = loads.weights @ np.array(rates[:2])
        return shape(held + rates[2] * loads.inputs + rates[3] * loads.outputs)

    return oracle


def chain(*elements: int, weights: dict[str, float] | None = None) -> nx.DiGraph:
    """n0 -> n1 -> ... with a tensor of so many elements on each edge; weights are 1."""
    graph = nx.DiGraph()
    graph.add_node("n0", reads={"x": 1})
    for index, count in enumerate(elements):
        graph.add_edge(f"n{index}", f"n{index + 1}", tensors={f"t{index}": count})
    for node in graph:
        graph.nodes[node]["weights"] = (weights or {}).get(node, 1)
    return graph


def nodes_of(found: Optimum) -> list[tuple[str, ...]]:
    return [block.nodes for block in found.partition.blocks]


def partitions(graph: nx.DiGraph) -> Iterator[Partition]:
    """Every partition into blocks that can run one after the other: each takes what is ready."""

    def grow(done: frozenset[str], groups: list[tuple[str, ...]]) -> Iterator[Partition]:
        if len(done) == len(graph):
            yield Partition.from_groups(graph, groups)
            return
        left = sorted(set(graph) - done)
        for size in range(1, len(left) + 1):
            for group in combinations(left, size):
                after = done | set(group)
                if all(set(graph.predecessors(node)) <= after for node in group):
                    yield from grow(after, [*groups, group])

    for one in grow(frozenset(), []):
        weights = loads_of(graph, one.blocks).weights
        if weights.any(axis=1).all() or not weights.any():
            yield one


@settings(deadline=None, max_examples=100)
@given(
    graph=st.from_type(nx.DiGraph),
    cost=oracles(),
    size=oracles(),
    limit=st.sampled_from([math.inf, 3, 10, 30]),
    request_=st.sampled_from(["free", "blocks", "workers"]),
    number=st.integers(1, 4),
)
def test_cut_is_the_best_of_all_partitions(
    graph: nx.DiGraph, cost: Oracle, size: Oracle, limit: float, request_: str, number: int
) -> None:
    asked = {} if request_ == "free" else {request_: min(number, len(graph))}
    every = [p for p in partitions(graph) if len(p.blocks) == asked.get("blocks", len(p.blocks))]
    loads = [loads_of(graph, one.blocks) for one in every]
    fitting = [one for one in loads if size(one).max() <= limit]
    if not fitting:
        with pytest.raises(SlicerError) as refusal:
            cut(graph, cost, size=size, limit=limit, **asked)
        if every:
            assert isinstance(refusal.value, Infeasible)
            assert refusal.value.least == min(size(one).max() for one in loads)
        return
    found = cut(graph, cost, size=size, limit=limit, **asked)
    assert found.partition in every
    assert found.exact
    costs = np.array(found.costs)
    assert size(loads_of(graph, found.partition.blocks)).max() <= limit
    if request_ == "free":
        assert costs.sum() == pytest.approx(min(cost(one).sum() for one in fitting))
    elif request_ == "blocks":
        least = min(cost(one).max() for one in fitting)
        assert costs.max() == least
        sums = [cost(one).sum() for one in fitting if cost(one).max() == least]
        assert costs.sum() == pytest.approx(min(sums))
    else:
        workers = asked["workers"]
        least = min(max(cost(one).max(), cost(one).sum() / workers) for one in fitting)
        assert max(costs.max(), costs.sum() / workers) <= least * (1 + 2e-3)


@settings(deadline=None, max_examples=60)
@given(graph=st.from_type(nx.DiGraph), cost=oracles(), limit=st.sampled_from([8.0, 20.0, 60.0]))
def test_cut_is_never_worse_than_a_single_pass(
    graph: nx.DiGraph, cost: Oracle, limit: float
) -> None:
    """Greed over any order: a node joins the block while the block keeps the limit."""
    best = math.inf
    for order in islice(nx.all_topological_sorts(graph), 12):
        groups = [[order[0]]]
        for place, node in enumerate(order[1:], 2):
            last = [*groups[-1], node]
            left = [order[place:]] if place < len(order) else []
            joined = Partition.from_groups(graph, [*groups[:-1], last, *left])
            fits = cost(loads_of(graph, joined.blocks[len(groups) - 1 : len(groups)]))[0] <= limit
            groups = [*groups[:-1], last] if fits else [*groups, [node]]
        loads = loads_of(graph, Partition.from_groups(graph, groups).blocks)
        if cost(loads).max() <= limit and loads.weights.any(axis=1).all():
            best = min(best, cost(loads).sum())
    if best < math.inf:
        assert sum(cut(graph, cost, limit=limit).costs) <= best * (1 + 1e-9)


@settings(deadline=None, max_examples=60)
@given(graph=st.from_type(nx.DiGraph), cost=oracles(), size=oracles())
def test_beyond_the_bound_it_is_the_best_of_the_intervals_of_the_order(
    graph: nx.DiGraph, cost: Oracle, size: Oracle
) -> None:
    order = topological_order(graph)
    least = math.inf
    for count in range(len(order)):
        for places in combinations(range(1, len(order)), count):
            bounds = [0, *places, len(order)]
            groups = [order[i:j] for i, j in pairwise(bounds)]
            loads = loads_of(graph, Partition.from_groups(graph, groups).blocks)
            computes = loads.weights.any(axis=1).all() or not loads.weights.any()
            if size(loads).max() <= 20 and computes:
                least = min(least, cost(loads).sum())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimum, "EXACT_STATES", 0)
        if least == math.inf:
            with pytest.raises(SlicerError):
                cut(graph, cost, size=size, limit=20)
            return
        found = cut(graph, cost, size=size, limit=20)
    assert sum(found.costs) == pytest.approx(least)
    assert found.exact == (len(list(nx.all_topological_sorts(graph))) == 1)


def test_a_branch_may_be_cut_where_no_interval_of_the_order_could() -> None:
    """Two branches: each block takes the cheap half of one and the dear half of the other."""
    graph = nx.DiGraph()
    for branch, weights in (("a", (1, 3)), ("b", (3, 1)), ("c", (2, 2))):
        graph.add_edge(f"{branch}0", f"{branch}1", tensors={branch: 1})
        for index, weight in enumerate(weights):
            graph.nodes[f"{branch}{index}"]["weights"] = weight
    found = cut(graph, heavy, limit=6)
    assert found.costs == (6, 6)
    assert found.exact


def heavy(loads: Loads) -> Floats:
    return loads.weights[:, 0]


def test_without_a_limit_or_a_number_there_is_one_block() -> None:
    assert nodes_of(cut(chain(1, 1), heavy)) == [("n0", "n1", "n2")]


def test_a_limit_cuts_where_tensors_are_small() -> None:
    found = cut(
        chain(9, 2, 9, 9, 3), lambda loads: loads.inputs + loads.outputs, size=heavy, limit=3
    )
    assert nodes_of(found) == [("n0", "n1"), ("n2", "n3", "n4"), ("n5",)]


def test_a_tensor_counts_once_on_each_side_of_a_border() -> None:
    """Read by two later blocks, it is put out once and read twice; its edges do not count."""
    graph = chain(7, 1, 1)
    graph.add_edge("n0", "n2", tensors={"t0": 7})
    graph.add_edge("n0", "n3", tensors={"t0": 7})
    found = cut(graph, lambda loads: loads.inputs + loads.outputs, size=heavy, limit=2)
    assert nodes_of(found) == [("n0", "n1"), ("n2", "n3")]
    assert found.costs == (1 + 7 + 1, 7 + 1)


def test_slack_buys_a_cheaper_sum_with_a_larger_block() -> None:
    graph = chain(1, 9, 1, 1)
    cost = lambda loads: 10 * loads.weights[:, 0] + loads.outputs  # noqa: E731
    assert nodes_of(cut(graph, cost, blocks=2)) == [("n0", "n1"), ("n2", "n3", "n4")]
    assert cut(graph, cost, blocks=2).costs == (29, 30)
    assert cut(graph, cost, blocks=2, slack=0.05).costs == (31, 20)


def test_more_workers_get_smaller_blocks() -> None:
    cost = lambda loads: 1 + loads.weights[:, 0]  # noqa: E731
    sizes = [len(cut(chain(*[1] * 59), cost, workers=n).costs) for n in (1, 2, 4, 16)]
    assert sizes[0] == 1
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[-2] >= 4


def test_no_block_holds_idle_nodes_alone() -> None:
    graph = chain(1, 1, 1, weights={"n0": 0, "n3": 0})
    found = cut(graph, lambda loads: loads.weights[:, 0] ** 2, limit=100)
    assert nodes_of(found) == [("n0", "n1"), ("n2", "n3")]
    with pytest.raises(SlicerError, match="with blocks=3 in which every block computes something"):
        cut(graph, heavy, blocks=3)
    idle = chain(1, weights={"n0": 0, "n1": 0})
    assert nodes_of(cut(idle, heavy)) == [("n0", "n1")]


def large(nodes: int, seed: int) -> nx.DiGraph:
    """Nodes that read up to three of the eight before them; weights and tensors of any size."""
    draw = random.Random(seed)
    graph = nx.DiGraph()
    for node in range(nodes):
        graph.add_node(f"n{node}", weights=draw.randint(1, 1000))
    for node in range(1, nodes):
        for source in {max(0, node - draw.randint(1, 8)) for _ in range(draw.choice([1, 1, 2, 3]))}:
            graph.add_edge(f"n{source}", f"n{node}", tensors={f"t{source}": 1 + source % 500})
    return graph


def test_a_limit_holds_on_a_large_graph() -> None:
    graph, limit = large(1_000, seed=1), 20_000.0
    cost = lambda loads: 500 + loads.weights[:, 0] + loads.inputs + loads.outputs  # noqa: E731
    found = cut(graph, cost, limit=limit)
    assert not found.exact
    assert max(found.costs) <= limit
    least = sum(nx.get_node_attributes(graph, "weights").values())
    assert least / limit <= len(found.costs) <= 2 * least / limit
    shared = cut(graph, cost, workers=8)
    assert max(*shared.costs, sum(shared.costs) / 8) <= 1.05 * least / 8
