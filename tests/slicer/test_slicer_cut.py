import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicer import Block, Partition, SlicerError, cut, topological_order


def chain(*elements: int) -> nx.DiGraph:
    """n0 -> n1 -> ... with a tensor of so many elements on each edge."""
    graph = nx.DiGraph()
    graph.add_node("n0", reads={"x": 1})
    for index, count in enumerate(elements):
        graph.add_edge(f"n{index}", f"n{index + 1}", tensors={f"t{index}": count})
    return graph


def nodes_of(partition: Partition) -> list[tuple[str, ...]]:
    return [block.nodes for block in partition.blocks]


def arbitrary(seed: int, values: int) -> Callable[[Block], int]:
    """An oracle that knows no reason: any whole block gets any of few values, so ties abound."""
    return lambda block: zlib.crc32(repr((seed, block)).encode()) % values


def interval_partitions(graph: nx.DiGraph) -> Iterator[Partition]:
    order = topological_order(graph)
    for count in range(len(order)):
        for places in combinations(range(1, len(order)), count):
            bounds = [0, *places, len(order)]
            groups = [order[i:j] for i, j in pairwise(bounds)]
            yield Partition.from_groups(graph, groups)


def rank(costs: Sequence[float], blocks: int | None) -> tuple[float, ...]:
    if blocks is None:
        return (sum(costs), max(costs), len(costs))
    return (max(costs), sum(costs))


@settings(deadline=None, max_examples=150)
@given(
    graph=st.from_type(nx.DiGraph),
    seed=st.integers(0, 1000),
    values=st.integers(1, 5),
    limit=st.sampled_from([None, 1, 2, math.inf]),
    blocks=st.one_of(st.none(), st.integers(1, 6)),
)
def test_cut_is_the_best_of_all_interval_partitions(
    graph: nx.DiGraph, seed: int, values: int, limit: int | None, blocks: int | None
) -> None:
    if limit is None and blocks is None:
        blocks = 1
    cost, size = arbitrary(seed, values), arbitrary(seed + 1, 4)
    allowed = [
        partition
        for partition in interval_partitions(graph)
        if blocks is None or len(partition.blocks) == blocks
    ]
    needs = [max(map(size, partition.blocks)) for partition in allowed]
    fitting = [p for p, need in zip(allowed, needs, strict=True) if limit is None or need <= limit]
    if not fitting:
        with pytest.raises(SlicerError) as refusal:
            cut(graph, cost, size=size, limit=limit, blocks=blocks)
        if allowed:
            assert str(refusal.value).endswith(f"the least limit that would do is {min(needs)}")
        return
    best = cut(graph, cost, size=size, limit=limit, blocks=blocks)
    assert best in fitting
    ranks = [rank([cost(block) for block in p.blocks], blocks) for p in fitting]
    assert rank([cost(block) for block in best.blocks], blocks) == min(ranks)


@settings(deadline=None)
@given(graph=st.from_type(nx.DiGraph), data=st.data())
def test_oracles_see_each_usable_interval_once_as_the_block_it_would_be(
    graph: nx.DiGraph, data: st.DataObject
) -> None:
    blocks = data.draw(st.one_of(st.none(), st.integers(1, len(graph))))
    seen: list[Block] = []

    def cost(block: Block) -> float:
        seen.append(block)
        return 1.0

    cut(graph, cost, size=lambda block: 1.0, limit=1.0, blocks=blocks)
    usable = {
        block
        for partition in interval_partitions(graph)
        for block in partition.blocks
        if blocks in (None, len(partition.blocks))
    }
    assert sorted(map(repr, seen)) == sorted(map(repr, usable))


def test_oracles_are_asked_no_more_than_documented() -> None:
    asked = Counter[str]()

    def size(block: Block) -> float:
        asked["size"] += 1
        return len(block.nodes)

    def cost(block: Block) -> float:
        asked["cost"] += 1
        return 1.0

    cut(chain(*[1] * 19), cost, size=size, limit=2)
    assert asked == {"size": 20 * 21 // 2, "cost": 20 + 19}


def test_without_a_limit_or_a_number_there_is_one_block() -> None:
    assert nodes_of(cut(chain(1, 1), lambda block: 2.0)) == [("n0", "n1", "n2")]


def test_a_limit_cuts_where_tensors_are_small() -> None:
    partition = cut(
        chain(9, 2, 9, 9, 3),
        lambda block: sum(block.inputs.values()) + sum(block.outputs.values()),
        size=lambda block: len(block.nodes),
        limit=3,
    )
    assert nodes_of(partition) == [("n0", "n1"), ("n2", "n3", "n4"), ("n5",)]


def test_an_infinite_limit_leaves_the_number_of_blocks_to_the_costs() -> None:
    partition = cut(chain(1, 1, 1, 1), lambda block: 5 + len(block.nodes) ** 2, limit=math.inf)
    assert [len(block.nodes) for block in partition.blocks] == [2, 3]


def test_of_equal_sums_the_least_largest_cost_wins() -> None:
    """Costs that merely add up are all equal in sum; `n1` alone is the least largest."""
    partition = cut(chain(1, 1, 1, 1), heavy, limit=math.inf)
    assert nodes_of(partition) == [("n0",), ("n1",), ("n2", "n3", "n4")]


def test_of_equal_sums_and_largest_costs_the_fewest_blocks_win() -> None:
    costs = {"n0 n1 n2": 3, "n3": 3, "n0": 1, "n1": 2, "n2 n3": 3}
    partition = cut(
        chain(1, 1, 1), lambda block: costs.get(" ".join(block.nodes), 9), limit=math.inf
    )
    assert nodes_of(partition) == [("n0", "n1", "n2"), ("n3",)]


def test_of_equal_largest_costs_the_least_sum_wins() -> None:
    def cost(block: Block) -> float:
        return 9 if "n0" in block.nodes else len(block.nodes) ** 2

    assert nodes_of(cut(chain(1, 1, 1, 1), cost, blocks=3)) == [
        ("n0", "n1", "n2"),
        ("n3",),
        ("n4",),
    ]


def test_a_number_of_blocks_balances_the_costs() -> None:
    partition = cut(chain(1, 1, 1, 1, 1), lambda block: len(block.nodes) ** 2, blocks=3)
    assert nodes_of(partition) == [("n0", "n1"), ("n2", "n3"), ("n4", "n5")]


def test_the_size_is_the_cost_unless_said_otherwise() -> None:
    partition = cut(chain(1, 1, 1), lambda block: 5 + len(block.nodes), limit=7)
    assert [len(block.nodes) for block in partition.blocks] == [2, 2]


def test_a_block_may_fit_though_a_part_of_it_does_not() -> None:
    """A wide tensor inside costs nothing: a search that stops at the limit would miss this."""
    partition = cut(
        chain(99, 1), lambda block: 1.0, size=lambda block: sum(block.outputs.values()), limit=1
    )
    assert nodes_of(partition) == [("n0", "n1", "n2")]


def refusal_of(request: Callable[[], object]) -> str:
    with pytest.raises(SlicerError) as refusal:
        request()
    return str(refusal.value)


def heavy(block: Block) -> float:
    return sum({"n1": 12}.get(node, 4) for node in block.nodes)


def test_a_node_too_large_is_named_with_the_least_limit_that_would_do() -> None:
    assert refusal_of(lambda: cut(chain(1, 1), heavy, limit=10)) == (
        "no cut keeps every block within the limit 10: the block of node 'n1' alone has size 12; "
        "the least limit that would do is 12"
    )


def test_too_few_blocks_for_the_limit_says_which_limit_would_do() -> None:
    assert refusal_of(lambda: cut(chain(1, 1), heavy, limit=15, blocks=2)) == (
        "no cut with blocks=2 keeps every block within the limit 15; "
        "the least limit that would do is 16"
    )


def test_the_node_too_large_is_named_though_the_number_of_blocks_forbids_it_alone() -> None:
    assert refusal_of(lambda: cut(chain(1, 1), heavy, limit=10, blocks=1)) == (
        "no cut with blocks=1 keeps every block within the limit 10: the block of node 'n1' alone "
        "has size 12; the least limit that would do is 20"
    )


def test_more_blocks_than_nodes_are_refused() -> None:
    assert refusal_of(lambda: cut(chain(1, 1), heavy, blocks=4)) == (
        "cannot cut 3 nodes into 4 blocks; expected at most one block per node"
    )


@pytest.mark.parametrize("limit", [0, -1.5, math.nan])
def test_a_limit_is_positive(limit: float) -> None:
    message = f"the limit is {limit}; expected a positive size"
    assert refusal_of(lambda: cut(chain(1), heavy, limit=limit)) == message


@pytest.mark.parametrize("blocks", [0, -2])
def test_a_number_of_blocks_is_positive(blocks: int) -> None:
    message = f"the number of blocks is {blocks}; expected at least 1"
    assert refusal_of(lambda: cut(chain(1), heavy, blocks=blocks)) == message


@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf])
def test_a_cost_is_finite(answer: float) -> None:
    assert refusal_of(lambda: cut(chain(1), lambda block: answer, blocks=1)) == (
        f"the cost of the block of 2 nodes from 'n0' to 'n1' is {answer}; expected a finite number"
    )


def test_a_size_is_a_number() -> None:
    request = lambda: cut(chain(1), heavy, size=lambda block: math.nan, limit=3)  # noqa: E731
    assert refusal_of(request) == "the size of the block of node 'n0' is nan; expected a number"


def test_an_infinite_size_fits_no_finite_limit() -> None:
    def size(block: Block) -> float:
        return math.inf if len(block.nodes) > 1 else 1.0

    assert len(cut(chain(1, 1), lambda block: 1.0, size=size, limit=math.inf).blocks) == 1
    assert len(cut(chain(1, 1), lambda block: 1.0, size=size, limit=1e300).blocks) == 3
