"""What rewrite groups weigh, and the cuts that follow from it."""

from pathlib import Path

import pytest
from net import Net

from zkprep.cost.cells import assignments, decomposition, division
from zkprep.models.model import save
from zkprep.prepare import Prepared, prepare
from zkprep.slicing.groups import elements, rewrite_groups, weighted_graph
from zkprep.slicing.slices import Limits, choose_cut, planned
from zkprep.slicing.weights import Weights, group_weights, model_weights, weigh

SPEC = planned()
ANY = Limits()


def convs(side: int, channels: int, activation: str) -> Net:
    """Two Convs, each with an activation behind."""
    net = Net()
    net.input("x", 1, channels, side, side)
    for name, after in (("x", "a"), ("a", "b")):
        net.conv(name, channels, channels, 3, 3, out=f"{after}c", pads=[1, 1, 1, 1])
        net.node(activation, f"{after}c", out=after)
    return net.output("b")


def prepared(folder: Path, net: Net) -> Prepared:
    path = folder / "model.onnx"
    save(net.model(), path)
    return prepare(path, {})


def cut(made: Prepared, limits: Limits = ANY) -> list[set[str]]:
    """Operators of the slices of the cheapest cut, in order."""
    kinds = {str(node.name): node.op_type for node in made.normalised.graph}
    return [{kinds[name] for name in names} for names in choose_cut(made, limits, SPEC)]


def test_products_and_range_checks_part_where_both_are_many(tmp_path: Path) -> None:
    assert cut(prepared(tmp_path, convs(10, 16, "Relu"))) == [{"Conv"}, {"Relu"}] * 2


@pytest.mark.parametrize("limits", [Limits(memory=600 * 10**6), Limits(workers=2)])
def test_they_part_under_a_limit_and_for_workers_too(tmp_path: Path, limits: Limits) -> None:
    found = cut(prepared(tmp_path, convs(10, 16, "Relu")), limits)
    assert found[:2] == [{"Conv"}, {"Relu"}]


def test_small_ones_stay_together(tmp_path: Path) -> None:
    assert cut(prepared(tmp_path, convs(6, 2, "Relu"))) == [{"Conv", "Relu"}]


def weighed(made: Prepared) -> dict[str, Weights]:
    groups = rewrite_groups(made.normalised, made.sites)
    graph = weighted_graph(made.normalised, groups)
    weigh(graph, group_weights(made.model, groups, SPEC))
    return {name: graph.nodes[name]["weights"] for name in graph}


def branches(activation: str) -> Net:
    """Two products side by side, their sum, one more product, an activation."""
    net = Net()
    net.input("x", 1, 6)
    net.input("z", 1, 6)
    for name in "uvw":
        net.normal(f"k{name}", 6, 6)
    net.node("MatMul", "x", "ku", out="u")
    net.node("MatMul", "z", "kv", out="v")
    net.node("Add", "u", "v", out="s")
    net.node("MatMul", "s", "kw", out="w")
    net.node(activation, "w", out="y")
    return net.output("y")


def test_of_branches_one_counts_as_deep(tmp_path: Path) -> None:
    weights = weighed(prepared(tmp_path, branches("Relu")))
    assert [weights[f"n_{name}"].depth for name in "uvswy"] == [0.5, 0.5, 0, 1, 0]


def test_weights_add_up_to_the_circuit(tmp_path: Path) -> None:
    """Divided at once, with the boundary, they are what EZKL would count."""
    net = branches("Relu")
    made = prepared(tmp_path, net)
    own = model_weights(made.model, SPEC)
    border = sum(elements(value) for value in (*made.model.graph.inputs, *made.model.graph.outputs))
    arithmetic = own.divided * division(SPEC) + own.checked * decomposition(SPEC)
    assert own.cells + arithmetic + border == assignments(made.model, SPEC)
    assert (own.checked, own.depth, own.handed_on) == (6, 2, 6)
