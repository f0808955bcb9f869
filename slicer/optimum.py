"""The cheapest partition of a graph, for any oracles that do not fall as blocks grow.

Up to `EXACT_STATES` states (`slicer.states`) it is the best of all partitions of the graph into
blocks that can run one after the other; beyond, the best of those into intervals of
`topological_order`, which are all there are if the graph is a chain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np

from slicer.graph import SlicerError, read_tensors
from slicer.loads import Floats, Loads, Oracle, loads_of, node_weights
from slicer.order import topological_order
from slicer.partition import Partition
from slicer.paths import Arcs, Path, least_largest, least_sum
from slicer.states import States, lattice, line

EXACT_STATES = 2048
"""Most states of a graph over all of which the best partition is looked for."""

_PRECISION = 1e-3
_GROWTH = 1.25


class Infeasible(SlicerError):
    """No partition keeps the limit.

    Attributes:
        node: the node that is largest alone.
        need: the size of the block of that node.
        least: the least limit that would do.
    """

    def __init__(self, message: str, node: str, need: float, least: float) -> None:
        super().__init__(message)
        self.node, self.need, self.least = node, need, least


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best partition, what its blocks cost, and whether it is the best of all."""

    partition: Partition
    costs: tuple[float, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class _Aim:
    """Which partition is the best; see `cut`."""

    blocks: int | None
    workers: int | None
    slack: float

    def check(self, nodes: int) -> None:
        """Refuse numbers out of their range for a graph of so many nodes."""
        for what, number in (("blocks", self.blocks), ("workers", self.workers)):
            if number is not None and number < 1:
                raise SlicerError(f"the number of {what} is {number}; expected at least 1")
        if self.blocks is not None and self.workers is not None:
            raise SlicerError(
                "a number of blocks and one of workers were given; expected one of them"
            )
        if self.blocks is not None and self.blocks > nodes:
            raise SlicerError(
                f"cannot cut {nodes} nodes into {self.blocks} blocks; "
                "expected at most one block per node"
            )

    def path(self, arcs: Arcs, scale: float) -> Path | None:
        """The best path; all blocks together cost about `scale`."""
        if self.workers is not None:
            return _for_workers(arcs, scale, self.workers)
        if self.blocks is not None:
            return _balanced(arcs, scale, self.blocks, self.slack)
        return least_sum(arcs)

    def rank(self, found: Optimum) -> tuple[float, float]:
        """What is least of the best partition, first things first."""
        total, largest = sum(found.costs), max(found.costs)
        if self.workers is not None:
            return max(largest, total / self.workers), total
        return (total, len(found.costs)) if self.blocks is None else (largest, total)


def cut(
    graph: nx.DiGraph,
    cost: Oracle,
    *,
    size: Oracle | None = None,
    limit: float = math.inf,
    blocks: int | None = None,
    workers: int | None = None,
    slack: float = 0.0,
) -> Optimum:
    """The best partition of `graph` whose blocks keep the limit.

    By default that of the least sum of costs; of those, one of the fewest blocks. With `blocks`:
    that of the least sum among those of so many blocks whose largest cost is within `slack` of the
    least possible. With `workers`: that of the least max(largest cost, sum / workers), to within a
    thousandth; workers that always take the largest block left finish by less than the sum of the
    two (Graham, 1969).

    No block consists of nodes without weights alone, unless no node of the graph has any.

    Args:
        graph: attributes as in the package's docstring.
        cost: what blocks cost; infinite for one that cannot be.
        size: what has to keep the limit; by default the cost.
        limit: the largest size of a block.
        blocks: the exact number of blocks.
        workers: how many work side by side.
        slack: by what share of the least possible the largest of `blocks` blocks may exceed it.

    Raises:
        SlicerError: the graph breaks a rule, a request is out of its range, an oracle's answer is
            negative or no number, or there are no such blocks.
        Infeasible: nothing keeps the limit.
    """
    aim, size = _Aim(blocks, workers, slack), size or cost
    if not limit > 0:
        raise SlicerError(f"the limit is {limit}; expected a positive size")
    aim.check(len(graph))

    def limited(loads: Loads) -> Floats:
        fits = _checked(size, loads, "size") <= limit
        return np.where(fits, _checked(cost, loads, "cost"), math.inf)

    searched, exact = _searched(graph)
    idle = _may_idle(graph)
    scale = 0.0 if blocks is None and workers is None else _scale(graph, limited)
    paths = [(states, aim.path(Arcs(states, limited, idle), scale)) for states in searched]
    found = [
        _optimum(graph, states, path, cost, exact) for states, path in paths if path is not None
    ]
    if not found:
        raise _refusal(graph, searched, size, limit, blocks)
    return min(found, key=aim.rank)


def _optimum(graph: nx.DiGraph, states: States, path: Path, cost: Oracle, exact: bool) -> Optimum:
    """The partition along a path, with what its blocks cost."""
    groups = [states.nodes(before, after) for before, after in path.arcs]
    partition = Partition.from_groups(graph, groups)
    costs = _checked(cost, loads_of(graph, partition.blocks), "cost")
    return Optimum(partition, tuple(float(one) for one in costs), exact)


def _searched(graph: nx.DiGraph) -> tuple[list[States], bool]:
    """The collections of states to search, and whether they are all states there are.

    Along one order, nodes without weights run where few elements are alive, and in another search
    just before what reads them: where every block is full they have to go with their readers.
    """
    order, tensors = topological_order(graph), read_tensors(graph)
    every = lattice(graph, order, tensors, EXACT_STATES)
    if every is not None:
        return [every], True
    orders = [order]
    if (late := _late(graph, order)) != order:
        orders.append(late)
    chain = all(graph.has_edge(*pair) for pair in pairwise(order))
    return [line(graph, one, tensors) for one in orders], chain


def _late(graph: nx.DiGraph, order: Sequence[str]) -> list[str]:
    """`order` with every node without weights just before the first of its readers."""
    weighs = {
        node: bool(weights.any())
        for node, weights in zip(order, node_weights(graph, order), strict=True)
    }
    done: dict[str, None] = {}
    for node in order:
        if weighs[node] or not graph.out_degree(node):
            waiting = [node]
            while waiting:
                needs = [one for one in graph.predecessors(waiting[-1]) if one not in done]
                if needs:
                    waiting.append(min(needs))
                else:
                    done[waiting.pop()] = None
    return list(done)


def _checked(oracle: Oracle, loads: Loads, what: str) -> Floats:
    answers = np.asarray(oracle(loads), dtype=np.float64)
    if answers.shape != (len(loads),) or not np.all(answers >= 0):
        raise SlicerError(
            f"the {what} oracle answers {answers.tolist()[:3]}... for {len(loads)} blocks; "
            "expected a number for each, not negative"
        )
    return answers


def _may_idle(graph: nx.DiGraph) -> bool:
    """Whether blocks need not be asked for weights: every node has some, or none has any."""
    computing = node_weights(graph, list(graph)).any(axis=1)
    return bool(computing.all() or not computing.any())


def _scale(graph: nx.DiGraph, cost: Oracle) -> float:
    """About what all blocks cost together; 0 where that is not known."""
    for groups in ([list(graph)], [[node] for node in topological_order(graph)]):
        blocks = Partition.from_groups(graph, groups).blocks
        total = float(_checked(cost, loads_of(graph, blocks), "cost").sum())
        if total < math.inf:
            return total
    return 0.0


def _balanced(arcs: Arcs, scale: float, blocks: int, slack: float) -> Path | None:
    """The least sum of `blocks` costs of which none exceeds the least possible by more than that.

    Arcs much larger than their share are looked at only where there is no path without them.
    """
    bound, best = scale / blocks, None
    while best is None and bound < scale:
        bound *= _GROWTH
        best = least_largest(arcs.within(bound), blocks)
    best = best or least_largest(arcs, blocks)
    return None if best is None else least_sum(arcs.within(best.weight * (1 + slack)), blocks)


def _for_workers(arcs: Arcs, scale: float, workers: int) -> Path | None:
    """The least time T that keeps every cost within T and the sum within T for each worker.

    The more time there is, the larger blocks may be and the smaller is their sum: bisection. A path
    whose costs keep T but whose sum S does not is one for the time S / workers.
    """
    low, high, best = 0.0, scale / workers, None
    while best is None and high < scale:
        best = least_sum(arcs.within(high))
        low, high = (low, high) if best else (high, high * _GROWTH)
    if best is None:
        best, high = least_sum(arcs), scale
        if best is None:
            return None
    if best.weight > high * workers:
        low, high = high, best.weight / workers
    arcs = arcs.within(high)
    best = least_sum(arcs) or best
    low = max(low, best.weight / workers)
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        path = least_sum(arcs.within(middle))
        if path is None or path.weight > middle * workers:
            low = middle
        else:
            best, high = path, middle
    return best


def _refusal(
    graph: nx.DiGraph, searched: Sequence[States], size: Oracle, limit: float, blocks: int | None
) -> SlicerError:
    """Why there is no such partition, and what limit would do."""
    request = "" if blocks is None else f" with blocks={blocks}"
    idle = _may_idle(graph)
    paths = [
        least_largest(Arcs(states, lambda loads: _checked(size, loads, "size"), idle), blocks)
        for states in searched
    ]
    least = min((path.weight for path in paths if path is not None), default=None)
    if least is None:
        return SlicerError(f"there is no cut{request} in which every block computes something")
    message = f"no cut{request} keeps every block within the limit {limit:g}"
    singles = Partition.from_groups(graph, [[node] for node in topological_order(graph)]).blocks
    alone = _checked(size, loads_of(graph, singles), "size")
    largest = int(np.argmax(alone))
    node, need = singles[largest].nodes[0], float(alone[largest])
    if need > limit:
        message += f": the block of node {node!r} alone has size {need:g}"
    message += f"; the least limit that would do is {least:g}"
    return Infeasible(message, node, need, least)
