"""Operators larger than a slice: which are split and how, alike in both models; what is refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from net import Net

from zkprep.circuit import CircuitSpec
from zkprep.claims.claim import Split
from zkprep.cost.loads import Prices
from zkprep.errors import InputError, TooLarge
from zkprep.models.model import output_specs, save, seeded_inputs
from zkprep.options import Options
from zkprep.passes.circuit.winograd import TITLE
from zkprep.prepare import Prepared, prepare
from zkprep.proving import cutting
from zkprep.slicing.slices import Limits, apply_cut, check_chain, choose_cut
from zkprep.slicing.splitting import LEFT, fitted, split
from zkprep.slicing.weights import Weights, loads, node_weights

SPEC = CircuitSpec(checks_boundary=False)
MB = 10**6


def prepared(folder: Path, net: Net, *outputs: str) -> Prepared:
    path = folder / "model.onnx"
    save(net.output(*(outputs or ("y",))).model(), path)
    return prepare(path, {})


def network() -> Net:
    """Convs of every kind, with what is fused into them before and after, a pool and a Gemm."""
    net = Net()
    net.input("x", 1, 3, 16, 16)
    net.batch_norm(net.conv("x", 3, 8, 3, 3, out="c1", pads=[1, 1, 1, 1]), 8, out="b1")
    net.node("Relu", "b1", out="r1")
    net.batch_norm(net.conv("r1", 8, 8, 3, 3, out="c2", group=8, strides=[2, 2]), 8, out="b2")
    net.node("Relu", "b2", out="r2")
    net.batch_norm(net.conv("r2", 8, 16, 1, 1, out="c3"), 16, out="b3")
    net.node("Relu", "b3", out="r3")
    net.node("AveragePool", "r3", out="p", kernel_shape=[7, 7], strides=[1, 1])
    net.node("Flatten", "p", out="f")
    net.normal("w", 16, 10)
    net.node("MatMul", "f", "w", out="y")
    return net


@pytest.mark.parametrize("memory", [300, 160, 110])
def test_slices_of_split_models_chain_to_the_whole_in_both_variants(
    made: Prepared, memory: int
) -> None:
    slicing = cutting.cut(made, Options(memory=memory * MB))
    assert slicing.prepared.splits
    for variant in ("plain", "prepared"):
        check_chain(slicing, variant, seeded_inputs(made.normalised, 1))
    for piece in slicing.slices:
        for read in (input_names, output_names):
            assert read(piece.plain) == read(piece.prepared)


def test_parts_are_rewritten_as_whole_operators_are(tmp_path: Path) -> None:
    """A Conv of kernel 3 by minimal filtering, which one of kernel 1 has none of."""
    net = Net()
    net.input("x", 1, 16, 8, 8)
    net.conv("x", 16, 16, 3, 3, out="c1", pads=[1, 1, 1, 1])
    net.node("Relu", "c1", out="r1")
    net.conv("r1", 16, 16, 1, 1, out="y")
    made = prepared(tmp_path, net)
    slicing = cutting.cut(made, Options(memory=200 * MB))
    filtered = [
        one
        for one in slicing.prepared.sites
        if one.rule == TITLE and not one.reason and ".part" in one.nodes[0]
    ]
    assert filtered
    assert all(one.nodes[0].startswith("n_c1") for one in filtered)
    for variant in ("plain", "prepared"):
        check_chain(slicing, variant, seeded_inputs(made.normalised, 1))
    plain, parts = (
        sum(one.cells for one in node_weights(model, SPEC).values())
        for model in (slicing.prepared.fused, slicing.prepared.model)
    )
    assert parts < plain


def input_names(model: object) -> list[str]:
    return [value.name for value in model.graph.inputs]


def output_names(model: object) -> list[str]:
    return [spec.name for spec in output_specs(model)]


def test_nothing_is_split_where_everything_fits(made: Prepared) -> None:
    assert fitted(made, Prices(SPEC, 10**9)).splits == ()


def test_every_part_has_a_price_and_they_cost_little_more(made: Prepared) -> None:
    prices = Prices(SPEC, 200 * MB)
    limits = Limits(memory=200 * MB)
    parts = fitted(made, prices)
    assert {one.tensor for one in parts.splits} & {"b1", "r1"}
    assert choose_cut(parts, limits, SPEC)
    with pytest.raises(TooLarge, match="operator 'n_c1' alone takes"):
        choose_cut(made, limits, SPEC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The network, prepared once for all that only read it."""
    return prepared(tmp_path_factory.mktemp("network"), network())


def inner_product(size: int) -> Net:
    net = Net()
    net.input("x", 1, size)
    net.normal("w", size, 1)
    net.node("MatMul", "x", "w", out="y")
    return net


def test_an_output_of_one_element_is_split_by_what_it_sums(tmp_path: Path) -> None:
    made = prepared(tmp_path, inner_product(4080))
    room = int(Prices(SPEC).peaks(loads(Weights(2200), 4081, 1, SPEC))[0])
    (one,) = fitted(made, Prices(SPEC, room)).splits
    assert one.summed == (2040,) and not one.cuts
    slicing = cutting.cut(made, Options(memory=room))
    assert [wire.tensor for wire in slicing.wires] == ["y.sum0"]
    check_chain(slicing, "prepared", seeded_inputs(made.normalised, 1))


def test_what_reads_too_much_stays_whole(tmp_path: Path) -> None:
    room = int(Prices(SPEC).peaks(loads(Weights(), 6000, 1, SPEC))[0]) - 1
    made = fitted(prepared(tmp_path, inner_product(6000)), Prices(SPEC, room))
    assert made.sites[-1].reason == "kept 'n_y' whole: what a part reads does not fit"


def test_what_cannot_be_split_says_why(tmp_path: Path) -> None:
    net = Net()
    net.input("x", 1, 4000)
    net.node("Softmax", "x", out="y", axis=1)
    made = prepared(tmp_path, net)
    (left,) = (one for one in fitted(made, Prices(SPEC, 80 * MB)).sites if one.rule == LEFT)
    assert left.reason == "kept 'n_y' whole: 'n_y' takes all of axis 1 together"
    with pytest.raises(TooLarge, match="alone takes .*; kept 'n_y' whole: 'n_y' takes all of"):
        cutting.cut(made, Options(memory=80 * MB))


def test_a_group_that_two_tensors_leave_stays_whole(tmp_path: Path) -> None:
    net = Net()
    net.input("x", 1, 3, 32, 32)
    net.node("Split", "x", out=("a", "b"), axis=3)
    for name, made in (("a", "y"), ("b", "z")):
        net.conv(name, 3, 8, 3, 3, out=f"{made}c")
        net.node("Relu", f"{made}c", out=made)
    made = prepared(tmp_path, net, "y", "z")
    parts = fitted(made, Prices(SPEC, 75 * MB))
    assert not [one for one in parts.splits if one.tensor in "ab"]


def test_the_same_splits_make_the_same_model(made: Prepared) -> None:
    chosen = fitted(made, Prices(SPEC, 160 * MB))
    again = split(made, chosen.splits)
    assert names(again) == names(chosen)
    assert apply_cut(again, choose_cut(chosen, Limits(memory=160 * MB), SPEC)).slices


def names(one: Prepared) -> list[list[str]]:
    return [[str(node.name) for node in model.graph] for model in (one.normalised, one.model)]


CLAIMS: dict[str, tuple[Sequence[Split], str]] = {
    "unknown": ([Split(tensor="t", cuts=((1, (2,)),))], "cannot split what makes 't': no node"),
    "neither": ([Split(tensor="b1")], "the split of 'b1' is neither one into tiles nor into sums"),
    "both": ([Split(tensor="b1", cuts=((1, (2,)),), summed=(1,))], "is neither one into tiles"),
    "twice": ([Split(tensor="b1", cuts=((1, (2,)),))] * 2, "an operator is split twice"),
    "inside": ([Split(tensor="c1", cuts=((1, (2,)),))], "cannot split what makes 'c1'"),
    "places": ([Split(tensor="b1", cuts=((1, (8,)),))], "at [8] of axis 1"),
}


@pytest.mark.parametrize(("splits", "reason"), CLAIMS.values(), ids=CLAIMS)
def test_splits_that_do_not_fit_the_model_are_refused(
    made: Prepared, splits: Sequence[Split], reason: str
) -> None:
    with pytest.raises(InputError) as why:
        split(made, splits)
    assert reason in str(why.value)


def test_parts_that_would_read_other_regions_before_the_rewrites_are_refused(
    tmp_path: Path,
) -> None:
    """Two Convs merged into one reach beyond the border in another way than one by one."""
    net = Net()
    net.input("x", 1, 2, 12, 12)
    net.conv("x", 2, 2, 3, 3, out="a")
    net.conv("a", 2, 3, 1, 1, out="y")
    made = prepared(tmp_path, net)
    parts = split(made, [Split(tensor="y", cuts=((2, (5,)),))])
    feeds = seeded_inputs(made.normalised, 0)
    slicing = apply_cut(parts, [[str(node.name) for node in parts.normalised.graph]])
    outputs = [
        check_chain(slicing, variant, feeds)[-1][1]["y"] for variant in ("plain", "prepared")
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-5)
