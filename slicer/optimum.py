"""The cheapest partition into intervals of one topological order, exact for any oracles.

A partition into intervals is a path over them (`slicer.paths`). A least sum, or a least largest
cost, is made of least parts; a least pair of the two is not. So they are made least one after the
other: the second over those intervals alone that keep the first.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from operator import itemgetter

import networkx as nx

from slicer.graph import SlicerError, read_tensors
from slicer.intervals import intervals
from slicer.order import topological_order
from slicer.partition import Block, Partition
from slicer.paths import Arcs, Path, least_largest, least_sum, within

Oracle = Callable[[Block], float]


def cut(
    graph: nx.DiGraph,
    cost: Oracle,
    *,
    size: Oracle | None = None,
    limit: float | None = None,
    blocks: int | None = None,
) -> Partition:
    """The best partition of `graph` into intervals of `topological_order(graph)`.

    Without `blocks`: the least sum of costs; of those the least largest cost; of those the fewest
    blocks. With `blocks`: the least largest cost; of those the least sum. Exact over all partitions
    into such intervals (costs are added from the first block to the last, in the oracle's type).
    With neither `limit` nor `blocks`: one block.

    Args:
        graph: attributes as in the package's docstring.
        cost: a finite number for a block; asked for every interval within the limit.
        size: a number for a block, `math.inf` for one that fits no finite limit; by default the
            cost. It may shrink as nodes join, because a border may narrow, so no interval is ruled
            out unasked: with n nodes and a limit there are up to n (n + 1) / 2 questions.
        limit: the largest size of a block, in the units of `size`; `math.inf` leaves the number of
            blocks to the costs alone.
        blocks: the exact number of blocks.

    Raises:
        SlicerError: the graph breaks a rule, `limit` or `blocks` is not positive, there are fewer
            nodes than `blocks`, an oracle's answer is not such a number, or nothing fits the limit.
    """
    order = topological_order(graph)
    _check_request(len(order), limit, blocks)
    size = size or cost
    if limit is None:
        limit, size, blocks = math.inf, _nothing, blocks or 1
    costs: list[list[tuple[int, float]]] = [[] for _ in range(len(order) + 1)]
    sizes: list[list[tuple[int, float]]] = [[] for _ in range(len(order) + 1)]
    for start, stop, block in intervals(order, read_tensors(graph), blocks):
        extent = _size_of(block, size)
        sizes[stop].append((start, extent))
        if extent <= limit:
            costs[stop].append((start, _cost_of(block, cost)))
    path = _least_sum_first(costs) if blocks is None else _least_largest_first(costs, blocks)
    if path is None:
        raise SlicerError(_too_tight(graph, size, limit, sizes, blocks))
    return Partition.from_groups(graph, [order[i:j] for i, j in pairwise(path.places)])


def _check_request(nodes: int, limit: float | None, blocks: int | None) -> None:
    if limit is not None and not limit > 0:
        raise SlicerError(f"the limit is {limit}; expected a positive size")
    if blocks is not None and blocks < 1:
        raise SlicerError(f"the number of blocks is {blocks}; expected at least 1")
    if blocks is not None and blocks > nodes:
        raise SlicerError(
            f"cannot cut {nodes} nodes into {blocks} blocks; expected at most one block per node"
        )


def _nothing(_: Block) -> float:
    return 0


def _cost_of(block: Block, cost: Oracle) -> float:
    answer = cost(block)
    if not math.isfinite(answer):
        raise SlicerError(f"the cost of {_named(block)} is {answer}; expected a finite number")
    return answer


def _size_of(block: Block, size: Oracle) -> float:
    answer = size(block)
    if math.isnan(answer):
        raise SlicerError(f"the size of {_named(block)} is {answer}; expected a number")
    return answer


def _named(block: Block) -> str:
    if len(block.nodes) == 1:
        return f"the block of node {block.nodes[0]!r}"
    return f"the block of {len(block.nodes)} nodes from {block.nodes[0]!r} to {block.nodes[-1]!r}"


def _least_sum_first(costs: Arcs) -> Path | None:
    best = least_sum(costs)
    if best is None:
        return None

    def keeps_sum(bound: float) -> bool:
        path = least_sum(within(costs, bound))
        return path is not None and path.weight == best.weight

    bounds = sorted({cost for ending in costs for _, cost in ending})
    return least_sum(within(costs, bounds[bisect_left(bounds, True, key=keeps_sum)]))


def _least_largest_first(costs: Arcs, blocks: int) -> Path | None:
    best = least_largest(costs, blocks)
    return None if best is None else least_sum(within(costs, best.weight), blocks)


def _too_tight(
    graph: nx.DiGraph, size: Oracle, limit: float, sizes: Arcs, blocks: int | None
) -> str:
    """Why nothing fits `limit`, and what would; `sizes` are of all usable intervals."""
    request = "" if blocks is None else f" with blocks={blocks}"
    message = f"no cut{request} keeps every block within the limit {limit}"
    singles = Partition.from_groups(graph, [[node] for node in topological_order(graph)]).blocks
    largest, single = max(((_size_of(block, size), block) for block in singles), key=itemgetter(0))
    if largest > limit:
        message += f": {_named(single)} alone has size {largest}"
    least = least_largest(sizes, blocks)
    assert least is not None, "without a limit there is always a partition"
    return f"{message}; the least limit that would do is {least.weight}"
