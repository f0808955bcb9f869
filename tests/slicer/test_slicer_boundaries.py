from itertools import combinations

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slicer import Boundary, Partition, SlicerError, min_cut, narrow_places, topological_order


def hourglass() -> nx.DiGraph:
    """a's tensor has three readers; they meet in one narrow tensor before `z`."""
    graph = nx.DiGraph()
    for middle in ("m1", "m2", "m3"):
        graph.add_edge("a", middle, tensors={"a.out": 10})
        graph.add_edge(middle, "n", tensors={f"{middle}.out": 4})
    graph.add_edge("n", "z", tensors={"n.out": 11})
    return graph


def test_a_tensor_with_several_readers_counts_once() -> None:
    assert min_cut(hourglass(), "a", "z") == Boundary(("a",), {"a.out": 10})
    assert min_cut(hourglass(), "m1", "z").elements == 11


def test_narrow_places_come_narrowest_first_then_in_order() -> None:
    places = narrow_places(hourglass())
    assert [(len(place.before), place.elements) for place in places] == [
        (1, 10),
        (5, 11),
        (4, 12),
        (2, 14),
        (3, 18),
    ]


def test_a_single_node_has_no_places() -> None:
    graph = nx.DiGraph()
    graph.add_node("only", reads={"x": 3})
    assert narrow_places(graph) == ()


@settings(deadline=None)
@given(graph=st.from_type(nx.DiGraph))
def test_narrow_places_are_the_links_of_a_cut_there(graph: nx.DiGraph) -> None:
    order = topological_order(graph)
    places = narrow_places(graph)
    assert {place.before for place in places} == {tuple(order[:i]) for i in range(1, len(order))}
    assert [place.elements for place in places] == sorted(place.elements for place in places)
    for place in places:
        links = Partition.from_groups(graph, [place.before, order[len(place.before) :]]).links
        assert list(place.tensors.items()) == [(link.tensor, link.elements) for link in links]


def brute_force(graph: nx.DiGraph, source: str, target: str) -> list[tuple[int, int]]:
    """(elements, nodes before) of every boundary between the two."""
    free = sorted(set(graph) - {source, target})
    found = []
    for count in range(len(free) + 1):
        for chosen in combinations(free, count):
            near = {source, *chosen}
            if any(after in near and before not in near for before, after in graph.edges):
                continue
            crossing: dict[str, int] = {}
            for before, after, tensors in graph.edges(data="tensors", default={}):
                if before in near and after not in near:
                    crossing.update(tensors)
            found.append((sum(crossing.values()), len(near)))
    return found


@settings(deadline=None)
@given(graph=st.from_type(nx.DiGraph), data=st.data())
def test_min_cut_is_the_least_of_all_boundaries(graph: nx.DiGraph, data: st.DataObject) -> None:
    assume(len(graph) > 1)
    source, target = data.draw(st.permutations(sorted(graph)))[:2]
    assume(not nx.has_path(graph, target, source))
    boundary = min_cut(graph, source, target)
    assert source in boundary.before
    assert target not in boundary.before
    every = brute_force(graph, source, target)
    least = min(elements for elements, _ in every)
    assert boundary.elements == least
    assert len(boundary.before) == max(count for elements, count in every if elements == least)
    after = [node for node in topological_order(graph) if node not in boundary.before]
    links = Partition.from_groups(graph, [boundary.before, after]).links
    assert list(boundary.tensors.items()) == [(link.tensor, link.elements) for link in links]


def test_a_cut_never_runs_a_node_before_what_it_reads() -> None:
    """Without that rule the cheapest cut would keep `wide` and put its reader `b` before it."""
    graph = nx.DiGraph()
    graph.add_edge("s", "b", tensors={"s.out": 100})
    graph.add_edge("wide", "b", tensors={"wide.out": 50})
    graph.add_edge("s", "wide", tensors={"s.out": 100})
    graph.add_edge("b", "t", tensors={"b.out": 70})
    graph.add_edge("wide", "t", tensors={"wide.out": 50})
    boundary = min_cut(graph, "s", "t")
    assert boundary == Boundary(("s",), {"s.out": 100})


@pytest.mark.parametrize(("source", "target"), [("z", "a"), ("n", "n"), ("n", "m2")])
def test_a_boundary_needs_an_order_with_source_first(source: str, target: str) -> None:
    with pytest.raises(SlicerError) as refusal:
        min_cut(hourglass(), source, target)
    assert str(refusal.value) == (
        f"no boundary has {source!r} before and {target!r} after it: every order runs {target!r} "
        f"no later than {source!r}"
    )


@pytest.mark.parametrize(("source", "target"), [("q", "a"), ("a", "q")])
def test_unknown_nodes_are_refused(source: str, target: str) -> None:
    with pytest.raises(SlicerError) as refusal:
        min_cut(hourglass(), source, target)
    assert str(refusal.value) == "node 'q' is not in the graph; expected one of its nodes"
