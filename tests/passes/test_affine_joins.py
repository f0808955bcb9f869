"""Affine maps across joins: Concat, Add and Sub of two tensors; and inside a branch of an If."""

import numpy as np
import onnx_ir as ir
import pytest
from net import Net, check_fused


def test_a_shift_leaves_the_other_side_of_a_join_alone() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.input("z", 1, 4, 4, 4)
    net.node("Add", "z", net.conv("x", 3, 4, 3, 3, out="b"), out="j")
    net.node("Add", "j", net.normal("k", 4, 1, 1), out="y")
    check_fused(net.output("y").model(), ["Conv", "Add"])


def test_a_join_that_broadcasts_over_positions() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node("GlobalAveragePool", net.conv("x", 3, 4, 3, 3, out="a"), out="g")
    net.node("Squeeze", "g", net.constant("first", np.array([0])), out="s")
    net.node("Add", net.conv("x", 3, 4, 3, 3, out="b"), "s", out="j")
    net.batch_norm("j", 4)
    check_fused(net.output("y").model(), ["Conv", "GlobalAveragePool", "Squeeze", "Conv", "Add"])


def test_concat_on_channels_cuts_the_map() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.conv("x", 3, 2, 3, 3, out="a")
    net.conv("x", 3, 5, 3, 3, out="b", bias=False)
    net.node("Concat", "a", "b", out="j", axis=1)
    net.batch_norm("j", 7)
    result = check_fused(net.output("y").model(), ["Conv", "Conv", "Concat"])
    assert result.applied[0].nodes == ("n_a", "n_b", "n_j", "n_y")


def test_concat_on_rows_copies_the_map() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node(
        "Concat",
        net.conv("x", 3, 4, 3, 3, out="a"),
        net.conv("x", 3, 4, 2, 3, out="b"),
        out="j",
        axis=-2,
    )
    net.batch_norm("j", 4)
    check_fused(net.output("y").model(), ["Conv", "Conv", "Concat"])


def test_forward_into_the_conv_behind_a_concat() -> None:
    net = Net()
    net.input("x", 1, 3, 5, 5)
    net.input("z", 1, 2, 5, 5)
    net.node("Concat", "z", net.batch_norm("x", 3, out="u"), out="j", axis=1)
    net.conv("j", 5, 4, 3, 3, out="y")
    check_fused(net.output("y").model(), ["Concat", "Conv"])


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_skip_join_scales_both_and_shifts_one(op: str) -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.input("z", 1, 3, 6, 6)
    net.node(op, net.conv("x", 3, 4, 3, 3, out="a"), net.conv("z", 3, 4, 3, 3, out="b"), out="j")
    net.batch_norm("j", 4)
    check_fused(net.output("y").model(), ["Conv", "Conv", op])


def test_skip_join_gives_the_shift_to_the_side_that_takes_it() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node("Relu", net.conv("x", 3, 4, 3, 3, out="a"), out="r")
    net.node("Sub", "r", net.conv("x", 3, 4, 3, 3, out="b"), out="j")
    net.positive_norm("j", 4)
    check_fused(net.output("y").model(), ["Conv", "Relu", "Conv", "Sub"])


def test_a_shift_goes_to_one_side_of_a_join_alone() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node("Relu", net.conv("x", 3, 4, 3, 3, out="a"), out="r")
    net.node("Add", "r", net.conv("x", 3, 4, 3, 3, out="b"), out="j")
    net.node("Add", "j", net.normal("k", 4, 1, 1), out="y")
    check_fused(net.output("y").model(), ["Conv", "Relu", "Conv", "Add"])


def test_inside_a_branch_with_outer_weights() -> None:
    outer = Net()
    outer.input("x", 1, 3, 6, 6)
    outer.input("which", dtype=int(ir.DataType.BOOL))
    inner = Net(seed=9)
    inner.batch_norm(inner.conv("x", 3, 4, 3, 3, out="ci"), 4, out="yi")
    other = Net()
    other.node("Conv", "x", "ci_w", out="yo")
    for name in ("ci_w", "yi_gamma"):
        weight = next(w for w in inner.weights if w.name == name)
        inner.weights.remove(weight)
        outer.weights.append(weight)
    outer.node(
        "If",
        "which",
        out="y",
        then_branch=inner.output("yi").graph("then"),
        else_branch=other.output("yo").graph("else"),
    )
    result = check_fused(outer.output("y").model(), ["If"])
    branches = {g.name: [n.op_type for n in g] for g in result.model.graph.subgraphs()}
    assert branches == {"then": ["Conv"], "else": ["Conv"]}
    assert "ci_w" in result.model.graph.initializers
    assert "yi_gamma" not in result.model.graph.initializers
