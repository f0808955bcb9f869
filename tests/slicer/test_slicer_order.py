import os
import random
import subprocess
import sys
from pathlib import Path

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

import slicer
from slicer import topological_order


def wired(*edges: tuple[str, str, int]) -> nx.DiGraph:
    """Every node produces one tensor, as large as its edges say."""
    graph = nx.DiGraph()
    for source, target, elements in edges:
        graph.add_edge(source, target, tensors={f"{source}.out": elements})
    return graph


@settings(deadline=None, max_examples=60)
@given(graph=st.from_type(nx.DiGraph))
def test_the_order_is_executable(graph: nx.DiGraph) -> None:
    order = topological_order(graph)
    assert sorted(order) == sorted(graph)
    position = {node: index for index, node in enumerate(order)}
    assert all(position[source] < position[target] for source, target in graph.edges)


@settings(deadline=None, max_examples=60)
@given(graph=st.from_type(nx.DiGraph), randomness=st.randoms(use_true_random=False))
def test_insertion_order_does_not_matter(graph: nx.DiGraph, randomness: random.Random) -> None:
    nodes, edges = list(graph.nodes(data=True)), list(graph.edges(data=True))
    randomness.shuffle(nodes)
    randomness.shuffle(edges)
    shuffled = nx.DiGraph()
    shuffled.add_nodes_from(nodes)
    shuffled.add_edges_from(edges)
    assert topological_order(shuffled) == topological_order(graph)
    one, other = (slicer.cut(any_order, _cost, limit=9e9) for any_order in (shuffled, graph))
    assert one == other
    assert slicer.narrow_places(shuffled) == slicer.narrow_places(graph)


def _cost(loads: slicer.Loads) -> slicer.Floats:
    return loads.weights.sum(axis=1) + loads.inputs


SCRIPT = """
import networkx as nx, random, slicer
randomness = random.Random(5)
graph = nx.DiGraph()
for node in range(40):
    for reader in randomness.sample(range(node + 1, 48), 3):
        graph.add_edge(f"n{node}", f"n{reader}", tensors={f"t{node}": 4})
print(slicer.cut(graph, lambda loads: loads.weights[:, 0] ** 2 + loads.inputs, blocks=6))
print(slicer.narrow_places(graph))
print(slicer.min_cut(graph, "n0", "n47"))
"""


def test_hash_seeds_do_not_matter() -> None:
    root = str(Path(slicer.__file__).parent.parent)
    answers = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(answers) == 1
    assert "Partition(blocks=" in answers.pop()


def test_a_branch_is_finished_before_another_is_begun() -> None:
    """Names alternate between the branches; sizes are all the same, so only depth decides."""
    graph = wired(
        *[("root", "n1", 8), ("n1", "n4", 8), ("n4", "n5", 8), ("n5", "sum", 8)],
        *[("root", "n2", 8), ("n2", "n3", 8), ("n3", "n6", 8), ("n6", "sum", 8)],
    )
    assert topological_order(graph) == ["root", "n1", "n4", "n5", "n2", "n3", "n6", "sum"]


def test_among_equals_names_decide() -> None:
    assert topological_order(wired(("b", "d", 1), ("a", "d", 1), ("c", "d", 1))) == list("abcd")


def test_the_branch_with_the_narrowest_end_runs_first() -> None:
    """Its end is held while the others run: better two elements than fifty, whatever the names."""
    graph = wired(
        *[("root", "a1", 1), ("a1", "a2", 9), ("a2", "sum", 50)],
        *[("root", "b1", 1), ("b1", "b2", 9), ("b2", "sum", 2)],
        *[("root", "c1", 1), ("c1", "c2", 9), ("c2", "sum", 50)],
    )
    assert topological_order(graph)[:3] == ["root", "b1", "b2"]


def test_a_small_source_runs_just_before_its_reader() -> None:
    """Forward greed would run it first and hold it along the whole branch."""
    graph = wired(("a", "b", 15), ("b", "c", 12), ("c", "d", 9), ("aside", "d", 4))
    assert topological_order(graph) == ["a", "b", "c", "aside", "d"]


def test_a_head_runs_as_soon_as_it_frees_its_tensor() -> None:
    graph = wired(
        *[("a", "b", 9), ("b", "wide", 9), ("wide", "z", 9), ("z", "end", 9)],
        ("b", "neck", 9),
        ("neck", "head", 1),
    )
    order = topological_order(graph)
    assert order[2:4] == ["neck", "head"]


def test_model_inputs_are_at_hand_everywhere() -> None:
    """Reading a huge model input early saves nothing: what nodes produce decides alone."""
    graph = wired(("a", "c", 1), ("b", "c", 2))
    graph.nodes["b"]["reads"] = {"x": 1000}
    graph.nodes["c"]["reads"] = {"x": 1000}
    assert topological_order(graph) == ["a", "b", "c"]
