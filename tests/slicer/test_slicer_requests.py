"""What `cut` refuses, and what it says would do."""

import math
from collections.abc import Callable
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from slicer import Floats, Infeasible, Loads, SlicerError, cut


def chain(**weights: object) -> nx.DiGraph:
    """Nodes in a row, of these weights, with a tensor of one element between each two."""
    graph = nx.DiGraph()
    names = list(weights)
    for name in names:
        graph.add_node(name, weights=weights[name])
    for before, after in pairwise(names):
        graph.add_edge(before, after, tensors={f"{before}.out": 1})
    return graph


def heavy(loads: Loads) -> Floats:
    return loads.weights[:, 0]


def refusal_of(request: Callable[[], object]) -> str:
    with pytest.raises(SlicerError) as refusal:
        request()
    return str(refusal.value)


def uneven() -> nx.DiGraph:
    return chain(n0=4, n1=12, n2=4)


def test_a_node_too_large_is_named_with_the_least_limit_that_would_do() -> None:
    assert refusal_of(lambda: cut(uneven(), heavy, limit=10)) == (
        "no cut keeps every block within the limit 10: the block of node 'n1' alone has size 12; "
        "the least limit that would do is 12"
    )
    with pytest.raises(Infeasible) as refusal:
        cut(uneven(), heavy, limit=10)
    assert (refusal.value.node, refusal.value.need, refusal.value.least) == ("n1", 12, 12)


def test_too_few_blocks_for_the_limit_says_which_limit_would_do() -> None:
    assert refusal_of(lambda: cut(uneven(), heavy, limit=15, blocks=2)) == (
        "no cut with blocks=2 keeps every block within the limit 15; "
        "the least limit that would do is 16"
    )


def test_the_node_too_large_is_named_though_the_number_of_blocks_forbids_it_alone() -> None:
    assert refusal_of(lambda: cut(uneven(), heavy, limit=10, blocks=1)) == (
        "no cut with blocks=1 keeps every block within the limit 10: the block of node 'n1' alone "
        "has size 12; the least limit that would do is 20"
    )


REQUESTS = {
    "limit": ({"limit": 0}, "the limit is 0; expected a positive size"),
    "no limit": ({"limit": math.nan}, "the limit is nan; expected a positive size"),
    "blocks": ({"blocks": 0}, "the number of blocks is 0; expected at least 1"),
    "workers": ({"workers": -2}, "the number of workers is -2; expected at least 1"),
    "both": (
        {"blocks": 2, "workers": 2},
        "a number of blocks and one of workers were given; expected one of them",
    ),
    "too many": (
        {"blocks": 4},
        "cannot cut 3 nodes into 4 blocks; expected at most one block per node",
    ),
}


@pytest.mark.parametrize(("request_", "message"), REQUESTS.values(), ids=REQUESTS)
def test_requests_out_of_range_are_refused(request_: dict[str, float], message: str) -> None:
    assert refusal_of(lambda: cut(chain(n0=1, n1=1, n2=1), heavy, **request_)) == message


@pytest.mark.parametrize("answer", [math.nan, -1.0])
def test_an_oracle_answers_with_numbers_that_are_not_negative(answer: float) -> None:
    message = refusal_of(lambda: cut(chain(n0=1), lambda loads: np.full(len(loads), answer)))
    assert message.startswith("the size oracle answers")
    assert message.endswith("expected a number for each, not negative")


WEIGHTS = {
    "negative": ((1, -2), "node 'n1' has weights (1, -2); expected numbers that are finite"),
    "infinite": (math.inf, "node 'n1' has weights inf; expected numbers that are finite"),
    "missing": (None, "node 'n1' has weights None; expected numbers that are finite"),
    "another number": ((1, 2), "node 'n1' has 2 weights and 'n0' has 1; expected as many"),
}


@pytest.mark.parametrize(("weights", "message"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_that_do_not_add_up_are_refused(weights: object, message: str) -> None:
    assert refusal_of(lambda: cut(chain(n0=1, n1=weights), heavy)).startswith(message)
