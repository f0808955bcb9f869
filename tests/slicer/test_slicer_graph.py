import networkx as nx
import pytest

import slicer
from slicer.graph import Tensor, read_tensors


def edges(*triples: tuple[str, str, dict[str, object]]) -> nx.DiGraph:
    graph = nx.DiGraph()
    for source, target, tensors in triples:
        graph.add_edge(source, target, tensors=tensors)
    return graph


def with_node(graph: nx.DiGraph, node: object, **attributes: dict[str, int]) -> nx.DiGraph:
    graph.add_node(node, **attributes)
    return graph


def test_a_tensor_on_two_edges_is_one_tensor_with_two_readers() -> None:
    graph = edges(("a", "b", {"t": 4}), ("a", "c", {"t": 4}))
    with_node(graph, "a", reads={"x": 7}, writes={"t": 4})
    assert read_tensors(graph) == (
        Tensor("t", 4, "a", frozenset("bc"), leaves=True),
        Tensor("x", 7, None, frozenset("a")),
    )


def test_elements_may_be_any_integer_type() -> None:
    class Four:
        def __index__(self) -> int:
            return 4

    (tensor,) = read_tensors(edges(("a", "b", {"t": Four()})))
    assert type(tensor.elements) is int
    assert tensor.elements == 4


REFUSED = {
    "empty": (nx.DiGraph(), "the graph has no nodes; expected at least one"),
    "undirected": (
        nx.Graph([("a", "b")]),
        "the graph is a Graph; expected a networkx.DiGraph",
    ),
    "multigraph": (
        nx.MultiDiGraph([("a", "b")]),
        "the graph is a MultiDiGraph; expected a networkx.DiGraph",
    ),
    "names": (with_node(nx.DiGraph(), 3), "node 3 is of type int; expected a str"),
    "cycle": (
        edges(("a", "b", {}), ("b", "c", {}), ("c", "a", {})),
        "the graph has a cycle 'a' -> 'b' -> 'c' -> 'a'; expected a directed acyclic graph",
    ),
    "self loop": (
        edges(("a", "a", {})),
        "the graph has a cycle 'a' -> 'a'; expected a directed acyclic graph",
    ),
    "negative": (
        edges(("a", "b", {"t": -1})),
        "tensor 't' has -1 elements; expected an integer that is not negative",
    ),
    "fraction": (
        edges(("a", "b", {"t": 2.0})),
        "tensor 't' has 2.0 elements; expected an integer that is not negative",
    ),
    "two producers": (
        edges(("b", "c", {"t": 1}), ("a", "c", {"t": 1})),
        "tensor 't' comes from node 'a' and from node 'b'; a tensor has one producer: "
        "rename one of the two",
    ),
    "input and produced": (
        with_node(edges(("a", "b", {"t": 1})), "b", reads={"t": 1}),
        "tensor 't' comes from node 'a' and from the model's inputs; a tensor has one producer: "
        "rename one of the two",
    ),
    "two sizes": (
        with_node(edges(("a", "b", {"t": 8})), "a", writes={"t": 4}),
        "tensor 't' from node 'a' has 4 elements in one place and 8 in another; "
        "a tensor has one size",
    ),
}


@pytest.mark.parametrize(("graph", "message"), REFUSED.values(), ids=REFUSED)
def test_a_graph_that_breaks_a_rule_is_refused(graph: nx.DiGraph, message: str) -> None:
    with pytest.raises(slicer.SlicerError) as refusal:
        slicer.cut(graph, lambda loads: loads.inputs)
    assert str(refusal.value) == message


def test_slicer_errors_are_value_errors_of_the_package_that_is_ours() -> None:
    assert issubclass(slicer.SlicerError, ValueError)
    assert slicer.__zkprep__ is True
