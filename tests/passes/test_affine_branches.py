"""Linear branches of one tensor that meet in a sum: one operator; what has to stay apart does."""

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from net import Net, check_fused, check_kept, fuse

from zkprep.fusing import fuse as fuse_whole

SAME = {"pads": [1, 1, 1, 1]}


def two_convs(
    one: tuple[tuple[int, ...], dict[str, Any]],
    other: tuple[tuple[int, ...], dict[str, Any]],
    size: tuple[int, ...] = (7, 6),
    op: str = "Add",
) -> Net:
    """Two Convs, each given by its kernel and attributes, of 4 channels into 6."""
    net = Net()
    net.input("x", 2, 4, *size)
    for name, (kernel, attrs) in (("a", one), ("b", other)):
        net.conv("x", 4, 6, *kernel, out=name, **attrs)
    net.node(op, "a", "b", out="y")
    return net.output("y")


def window(model: ir.Model) -> dict[str, Any]:
    names = ("kernel_shape", "pads", "strides", "dilations")
    (conv,) = list(model.graph)
    found = {name: list(conv.attributes[name].as_ints()) for name in names}
    return found | {"group": conv.attributes.get_int("group", 1)}


@pytest.mark.parametrize("op", ["Add", "Sub"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_smaller_kernel_lies_within_a_larger(op: str, turned: bool) -> None:
    pair = [((3, 3), SAME), ((1, 1), {})]
    net = two_convs(*(pair[::-1] if turned else pair), op=op)
    result = check_fused(net.model(), ["Conv"])
    assert result.sites[0].nodes == ("n_a", "n_b", "n_y")
    assert window(result.model) == {
        "kernel_shape": [3, 3],
        "pads": [1, 1, 1, 1],
        "strides": [1, 1],
        "dilations": [1, 1],
        "group": 1,
    }


WIDE = {"pads": [2] * 4, "dilations": [2, 2]}


@pytest.mark.parametrize(
    ("one", "other", "kernel", "pads", "dilations"),
    [
        (((3, 3), SAME), ((3, 3), SAME), [3, 3], [1] * 4, 1),
        (((1, 3), {"pads": [0, 1, 0, 1]}), ((3, 1), {"pads": [1, 0, 1, 0]}), [3, 3], [1] * 4, 1),
        (((2, 2), {"pads": [0, 0, 1, 1]}), ((2, 2), {"pads": [1, 1, 0, 0]}), [3, 3], [1] * 4, 1),
        (((3, 3), WIDE), ((1, 1), {}), [3, 3], [2] * 4, 2),
        (((3, 3), WIDE), ((3, 3), SAME), [5, 5], [2] * 4, 1),
        (((3, 3), {"auto_pad": "SAME_UPPER"}), ((1, 1), {}), [3, 3], [1] * 4, 1),
        (((5, 1), {"pads": [2, 0] * 2}), ((3, 1), {"pads": [1, 0] * 2}), [5, 1], [2, 0] * 2, 1),
    ],
)
def test_kernels_on_one_grid(
    one: Any, other: Any, kernel: list[int], pads: list[int], dilations: int
) -> None:
    found = window(check_fused(two_convs(one, other).model(), ["Conv"]).model)
    assert (found["kernel_shape"], found["pads"]) == (kernel, pads)
    assert found["dilations"] == [dilations] * 2


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (8, 5)])
def test_strided_branches_whatever_remains_at_the_end(size: tuple[int, int]) -> None:
    three, one = ((3, 3), SAME | {"strides": [2, 2]}), ((1, 1), {"strides": [2, 2]})
    result = check_fused(two_convs(three, one, size).model(), ["Conv"])
    assert window(result.model)["strides"] == [2, 2]


@pytest.mark.parametrize(("groups", "left"), [((2, 2), 2), ((1, 2), 1), ((2, 1), 1)])
def test_groups_become_their_greatest_common_divisor(groups: tuple[int, int], left: int) -> None:
    one, other = ((3, 3), SAME | {"group": groups[0]}), ((1, 1), {"group": groups[1]})
    assert window(check_fused(two_convs(one, other).model(), ["Conv"]).model)["group"] == left


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("norm", [False, True])
def test_the_tensor_itself_is_a_branch(group: int, norm: bool) -> None:
    net = Net()
    net.input("x", 2, 4, 5, 6)
    net.conv("x", 4, 4, 3, 3, out="c", group=group, **SAME)
    net.node("Add", net.batch_norm("x", 4, out="n") if norm else "x", "c", out="y")
    check_fused(net.output("y").model(), ["Conv"])


def test_a_block_of_repvgg_and_the_norm_behind_it_are_one_conv() -> None:
    net = Net()
    net.input("x", 2, 4, 6, 5)
    net.batch_norm(net.conv("x", 4, 4, 3, 3, out="c3", bias=False, **SAME), 4, out="n3")
    net.batch_norm(net.conv("x", 4, 4, 1, 1, out="c1", bias=False), 4, out="n1")
    net.node("Add", "n3", "n1", out="s")
    net.node("Add", "s", net.batch_norm("x", 4, out="n0"), out="t")
    net.batch_norm("t", 4, out="y")
    check_fused(net.output("y").model(), ["Conv"])


def test_branches_in_one_dimension_and_in_three() -> None:
    for size, kernel, pads in (((9,), (3,), [1, 1]), ((4, 3, 5), (3, 3, 1), [1, 1, 0, 1, 1, 0])):
        net = Net()
        net.input("x", 1, 3, *size)
        net.conv("x", 3, 3, *kernel, out="c", pads=pads)
        net.node("Add", "c", "x", out="y")
        check_fused(net.output("y").model(), ["Conv"])


@pytest.mark.parametrize("trans", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_two_gemms(trans: tuple[int, int], op: str) -> None:
    net = Net()
    net.input("x", 3, 5)
    for name, turned, alpha in (("a", trans[0], 0.5), ("b", trans[1], -3.0)):
        net.normal(f"{name}_w", *((4, 5) if turned else (5, 4)))
        net.normal(f"{name}_c", 4)
        net.node(
            "Gemm", "x", f"{name}_w", f"{name}_c", out=name, transB=turned, alpha=alpha, beta=2.0
        )
    net.node(op, "a", "b", out="y")
    check_fused(net.output("y").model(), ["Gemm"])


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5)])
def test_a_product_and_the_tensor_itself(shape: tuple[int, ...]) -> None:
    net = Net()
    net.input("x", *shape)
    net.node("Add", "x", net.node("MatMul", "x", net.normal("w", 5, 5), out="m"), out="y")
    check_fused(net.output("y").model(), ["MatMul"])


def test_linear_layers_of_rank_3_keep_one_bias() -> None:
    net = Net()
    net.input("x", 2, 3, 5)
    for name in "ab":
        net.node("MatMul", "x", net.normal(f"{name}_w", 5, 4), out=f"{name}_m")
        net.node("Add", f"{name}_m", net.normal(f"{name}_b", 4), out=name)
    net.node("Add", "a", "b", out="y")
    check_fused(net.output("y").model(), ["MatMul", "Add"])


def test_a_graph_with_its_own_nodes() -> None:
    """The matrix on the left, as that of a graph's edges: A x + x."""
    net = Net()
    net.input("x", 5, 3)
    net.node("MatMul", net.normal("edges", 5, 5), "x", out="m")
    net.node("Add", "m", "x", out="y")
    check_fused(net.output("y").model(), ["MatMul"])


def test_a_pad_that_both_read_goes_into_the_one() -> None:
    net = Net()
    net.input("x", 1, 3, 5, 6)
    net.node("Pad", "x", net.constant("p", np.array([0, 0, 1, 1, 0, 0, 1, 1])), out="p1")
    branches = [net.conv("p1", 3, 4, 3, 3, out=name) for name in "ab"]
    net.node("Add", *branches, out="y")
    check_fused(net.output("y").model(), ["Conv"])


def test_types_and_shared_weights() -> None:
    net = Net(dtype="float16")
    net.input("x", 1, 3, 5, 6)
    net.conv("x", 3, 3, 3, 3, out="a", **SAME)
    net.node("Conv", "x", "a_w", "a_b", out="b", **SAME)
    net.node("Add", "a", "b", out="s")
    net.node("Conv", "s", "a_w", "a_b", out="y", **SAME)
    result = check_fused(net.output("y").model(), ["Conv", "Conv"])
    assert result.model.graph.initializers["a_w"].dtype is ir.DataType.FLOAT16


def test_other_readers_and_outputs_keep_branches_apart() -> None:
    net = two_convs(((3, 3), SAME), ((1, 1), {}))
    net.node("Relu", "b", out="r")
    check_kept(net.output("r").model(), "kept 'n_a' and 'n_b' apart: 'b' is also read by 'n_r'")
    net = two_convs(((3, 3), SAME), ((1, 1), {}))
    model = net.output("a").model()
    check_kept(model, "kept 'n_a' and 'n_b' apart: 'a' is an output of the model")


def test_other_strides_keep_branches_apart() -> None:
    net = two_convs(((3, 3), SAME | {"strides": [1, 2]}), ((1, 1), {"strides": [2, 1]}), (1, 1))
    check_kept(net.model(), "kept 'n_a' and 'n_b' apart: their strides differ")


def test_what_broadcasts_is_no_branch() -> None:
    net = two_convs(((3, 3), SAME), ((7, 6), {}))
    check_kept(
        net.model(),
        "kept 'n_a' and 'n_b' apart: the sizes of their outputs differ, or are not known",
    )


def test_a_sum_that_would_cost_more_is_kept() -> None:
    net = Net()
    net.input("x", 1, 32, 9, 9)
    net.conv("x", 32, 32, 7, 7, out="a", group=32, pads=[3] * 4)
    net.conv("x", 32, 32, 1, 1, out="b")
    net.node("Add", "a", "b", out="y")
    check_kept(
        net.output("y").model(),
        "kept 'n_a' and 'n_b' apart: merging would cost 808 rows per element instead of 89.5",
    )


def test_a_stack_of_matrices_and_a_turned_tensor() -> None:
    net = Net()
    net.input("x", 2, 4, 4)
    net.node("Add", net.node("MatMul", "x", net.normal("w", 2, 4, 4), out="m"), "x", out="y")
    reason = "kept 'n_m' and 'x' apart: it multiplies with a stack of matrices"
    check_kept(net.output("y").model(), reason)
    net = Net()
    net.input("x", 4, 4)
    net.node("Gemm", "x", net.normal("w", 4, 4), out="g", transA=1)
    net.node("Add", "g", "x", out="y")
    reason = "kept 'n_g' and 'x' apart: its output channels are not its input channels"
    check_kept(net.output("y").model(), reason)


def test_two_sides_of_a_square_product() -> None:
    net = Net()
    net.input("x", 4, 4)
    net.node("MatMul", "x", net.normal("w", 4, 4), out="a")
    net.node("MatMul", net.normal("v", 4, 4), "x", out="b")
    net.node("Add", "a", "b", out="y")
    reason = "kept 'n_a' and 'n_b' apart: they do not sum over the same axis"
    check_kept(net.output("y").model(), reason)


def test_a_scale_along_another_axis_than_the_channels() -> None:
    net = Net()
    net.input("x", 1, 4, 5, 5)
    net.conv("x", 4, 4, 3, 3, out="c", **SAME)
    net.node("Add", net.node("Mul", "x", net.normal("k", 5), out="m"), "c", out="y")
    result = fuse(net.output("y").model())
    assert [node.op_type for node in result.model.graph] == ["Conv", "Mul", "Add"]
    along = "'k' with shape [5] broadcasts along the last axis, not along the channels"
    assert f"kept 'n_c' and 'n_m' apart: {along}" in [site.reason for site in result.sites]


def test_another_tensor_is_no_branch() -> None:
    net = Net()
    net.input("x", 1, 4, 5, 5)
    net.conv(net.node("Relu", "x", out="r"), 4, 4, 3, 3, out="c", **SAME)
    net.node("Add", "c", "x", out="y")
    result = fuse_whole(net.output("y").model())
    assert not [site for site in result.sites if site.applied]


def test_opset_6_broadcasts_by_attribute() -> None:
    net = Net(opset=6)
    net.input("x", 1, 4, 5, 5)
    net.node("Add", net.conv("x", 4, 4, 3, 3, out="c", **SAME), "x", out="y")
    assert not fuse(net.output("y").model()).applied
