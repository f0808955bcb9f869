"""Linear operators in a row, and a Pad before a Conv, as one; dearer ones stay."""

import numpy as np
import onnx_ir as ir
import pytest
from net import Net, check_hygiene, check_interface, check_numbers, ops

from zkprep.models.model import serialize
from zkprep.passes.affine import MergeLinear, MergePads, MergeTransposes
from zkprep.passes.base import Pass, PassResult, run_passes


def merge(net: Net, one: Pass) -> PassResult:
    model = net.output("y").model()
    result = run_passes(model, [one])
    check_interface(model, result.model)
    check_hygiene(model, result)
    check_numbers(model, result.model)
    again = one(result.model)
    assert serialize(again.model) == serialize(result.model)
    return result


def linear(net: Net) -> list[str]:
    return ops(merge(net, MergeLinear()).model)


def kept(net: Net, message: str, one: Pass | None = None) -> None:
    model = net.output("y").model()
    result = (one or MergeLinear())(model)
    assert serialize(result.model) == serialize(model)
    assert [site.reason for site in result.sites] == [message]


@pytest.mark.parametrize("bias", [None, (), (4,), (1, 4), (3, 1), (3, 4)])
@pytest.mark.parametrize("trans_b", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("trans_a", [0, 1])
def test_gemm_gemm(bias: tuple[int, ...] | None, trans_b: tuple[int, int], trans_a: int) -> None:
    net = Net()
    net.input("x", *((5, 3) if trans_a else (3, 5)))
    extra = [] if bias is None else [net.normal("b", *bias)]
    first = {"transA": trans_a, "transB": trans_b[0], "alpha": 0.5, "beta": -2.0}
    second = {"transB": trans_b[1], "alpha": 3.0, "beta": 0.25}
    net.node(
        "Gemm", "x", net.normal("w", *((4, 5) if trans_b[0] else (5, 4))), *extra, out="g", **first
    )
    net.normal("v", *((6, 4) if trans_b[1] else (4, 6)))
    net.node("Gemm", "g", "v", net.normal("c", 6), out="y", **second)
    result = merge(net, MergeLinear())
    assert ops(result.model) == ["Gemm"]
    assert result.sites[0].nodes == ("n_g", "n_y")
    assert result.model.graph[0].metadata_props["zkprep.fused"] == '["n_g"]'


@pytest.mark.parametrize("rank", [2, 3])
def test_matmul_matmul(rank: int) -> None:
    net = Net()
    net.input("x", *(2, 3, 5)[3 - rank :])
    net.node(
        "MatMul",
        net.node("MatMul", "x", net.normal("w", 5, 4), out="m"),
        net.normal("v", 4, 6),
        out="y",
    )
    assert linear(net) == ["MatMul"]


def test_gemm_then_matmul_gets_a_bias() -> None:
    net = Net()
    net.input("x", 3, 5)
    net.node("Gemm", "x", net.normal("w", 5, 4), net.normal("b", 4), out="g")
    net.node("MatMul", "g", net.normal("v", 4, 6), out="y")
    assert linear(net) == ["Gemm"]


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_conv_then_pointwise(group: int, bias: bool) -> None:
    net = Net()
    net.input("x", 1, 4, 9, 8)
    net.conv(
        "x", 4, 6, 3, 2, bias=bias, group=group, pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2]
    )
    net.conv("c", 6, 5, 1, 1, out="y", bias=bias, strides=[1, 2])
    assert linear(net) == ["Conv"]


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_pointwise_then_conv(pads: list[int]) -> None:
    net = Net()
    net.input("x", 1, 4, 7, 8)
    net.conv("x", 4, 6, 1, 1, bias=not any(pads))
    net.conv("c", 6, 5, 3, 3, out="y", pads=pads, strides=[2, 1])
    assert linear(net) == ["Conv"]


def test_three_in_a_row() -> None:
    net = Net()
    net.input("x", 3, 5)
    net.node("Gemm", "x", net.normal("w", 5, 4), out="g")
    net.node("Gemm", "g", net.normal("v", 4, 6), out="h")
    net.node("Gemm", "h", net.normal("u", 6, 2), net.normal("b", 2), out="y")
    assert linear(net) == ["Gemm"]


def test_a_bottleneck_stays() -> None:
    net = Net()
    net.input("x", 1, 200)
    net.node("Gemm", "x", net.normal("w", 200, 2), out="g")
    net.node("Gemm", "g", net.normal("v", 2, 200), out="y")
    kept(net, "kept 'n_g' apart from 'n_y': merging would cost 24700 rows instead of 5147")


def test_padding_misses_a_bias() -> None:
    net = Net()
    net.input("x", 1, 4, 7, 8)
    net.conv(net.conv("x", 4, 6, 1, 1), 6, 5, 3, 3, out="y", pads=[1, 1, 1, 1])
    kept(net, "kept 'n_c' apart from 'n_y': the padding of the second misses the bias of the first")


def test_two_wide_convolutions_stay() -> None:
    net = Net()
    net.input("x", 1, 4, 9, 9)
    net.conv(net.conv("x", 4, 6, 3, 3), 6, 5, 3, 3, out="y")
    kept(
        net,
        "kept 'n_c' apart from 'n_y': neither of them is a 1x1 convolution that can take the other",
    )


@pytest.mark.parametrize("attrs", [{"pads": [1, 1, 1, 1]}, {"group": 2}])
def test_a_pointwise_convolution_with_pads_or_groups_takes_nothing(attrs: dict) -> None:
    net = Net()
    net.input("x", 1, 4, 9, 9)
    net.conv(net.conv("x", 4, 6, 3, 3), 6, 4, 1, 1, out="y", **attrs)
    kept(
        net,
        "kept 'n_c' apart from 'n_y': neither of them is a 1x1 convolution that can take the other",
    )


def test_what_another_node_reads_stays() -> None:
    net = Net()
    net.input("x", 3, 5)
    net.node("Gemm", "x", net.normal("w", 5, 4), out="g")
    net.node("Gemm", "g", net.normal("v", 4, 6), out="y")
    net.node("Relu", "g", out="r")
    kept(net.output("r"), "kept 'n_g' apart from 'n_y': 'g' is also read by 'n_r'")


def test_unknown_sizes_stay() -> None:
    net = Net()
    net.input("x", "N", 5)
    net.node("Gemm", "x", net.normal("w", 5, 4), out="g")
    net.node("Gemm", "g", net.normal("v", 4, 6), out="y")
    kept(
        net,
        "kept 'n_g' apart from 'n_y': the sizes of their outputs are not known, so neither is what "
        "is cheaper",
    )


def test_transposition_between_products_stays() -> None:
    net = Net()
    net.input("x", 3, 3)
    net.node("Gemm", "x", net.normal("w", 3, 3), out="g")
    net.node("Gemm", "g", net.normal("v", 3, 3), out="y", transA=1)
    kept(net, "kept 'n_g' apart from 'n_y': a transposition lies between them")


@pytest.mark.parametrize("opset", [10, 13, 18])
def test_pad_into_conv(opset: int) -> None:
    net = Net(opset)
    net.input("x", 1, 3, 6, 6)
    amounts = [0, 0, 1, 2, 0, 0, 0, 1]
    if opset == 10:
        net.node("Pad", "x", out="p", pads=amounts)
    elif opset == 13:
        net.node("Pad", "x", net.constant("amounts", np.array(amounts)), out="p")
    else:
        axes = net.constant("axes", np.array([-1, 2]))
        net.node("Pad", "x", net.constant("amounts", np.array([2, 1, 1, 0])), "", axes, out="p")
    net.conv("p", 3, 4, 3, 3, out="y", pads=[1, 1, 1, 1])
    result = merge(net, MergePads())
    (conv,) = result.model.graph
    assert tuple(conv.attributes["pads"].as_ints()) == (2, 3, 1, 2)


@pytest.mark.parametrize(
    ("amounts", "extra", "attrs", "reason"),
    [
        ([0, 1, 1, 1, 0, 0, 1, 1], [], {}, "it does more than pad the spatial axes"),
        ([0, 0, -1, 1, 0, 0, 1, 1], [], {}, "it does more than pad the spatial axes"),
        ([0, 0, 1, 1, 0, 0, 1, 1], ["one"], {}, "it pads with other values than 0"),
        ([0, 0, 1, 1, 0, 0, 1, 1], [], {"mode": "edge"}, "it pads with other values than 0"),
    ],
)
def test_pads_that_stay(amounts: list[int], extra: list[str], attrs: dict, reason: str) -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.constant("one", 1.0)
    net.node("Pad", "x", net.constant("amounts", np.array(amounts)), *extra, out="p", **attrs)
    net.conv("p", 3 + amounts[1], 4, 3, 3, out="y")
    kept(net, f"kept 'n_p' apart from 'n_y': {reason}", MergePads())


@pytest.mark.parametrize(
    ("mode", "pads"),
    [("SAME_UPPER", [1, 1, 2, 2]), ("SAME_LOWER", [2, 2, 1, 1]), ("VALID", [1] * 4)],
)
def test_pad_before_a_conv_with_auto_pad(mode: str, pads: list[int]) -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    amounts = net.constant("amounts", np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    net.conv(net.node("Pad", "x", amounts, out="p"), 3, 4, 2, 2, out="y", auto_pad=mode)
    result = run_passes(net.output("y").model(), [MergePads()]).model
    assert ops(result) == ["Conv"]
    assert list(result.graph[0].attributes.get_ints("pads")) == pads
    assert "auto_pad" not in result.graph[0].attributes


def test_pad_before_a_conv_with_auto_pad_of_unknown_size_stays() -> None:
    net = Net()
    net.input("x", 1, 3, "H", 6)
    amounts = net.constant("amounts", np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    net.conv(net.node("Pad", "x", amounts, out="p"), 3, 4, 3, 3, out="y", auto_pad="SAME_UPPER")
    reason = "auto_pad SAME_UPPER needs the size of its input, which is not fixed"
    kept(net, f"kept 'n_p' apart from 'n_y': {reason}", MergePads())


def test_a_pad_that_is_the_weight_is_no_candidate() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.input("w", 4, 3, 2, 2)
    amounts = net.constant("amounts", np.array([0, 0, 0, 0, 0, 0, 1, 1]))
    net.node("Conv", "x", net.node("Pad", "w", amounts, out="p"), out="y")
    model = net.output("y").model()
    assert MergePads()(model).sites == ()
    assert isinstance(model, ir.Model)


def transposes(net: Net) -> PassResult:
    return merge(net, MergeTransposes())


def test_transposes_that_undo_each_other_go() -> None:
    net = Net()
    net.input("x", 2, 3, 4)
    net.node("Transpose", net.node("Relu", "x", out="r"), out="s", perm=[1, 2, 0])
    net.node("Relu", net.node("Transpose", "s", out="t", perm=[2, 0, 1]), out="y")
    result = transposes(net)
    assert ops(result.model) == ["Relu", "Relu"]
    assert result.sites[0].nodes == ("n_s", "n_t")


def test_the_name_of_an_output_behind_transposes_stays() -> None:
    net = Net()
    net.input("x", 2, 3)
    net.node("Transpose", net.node("Relu", "x", out="r"), out="s")
    net.node("Transpose", "s", out="y")
    result = transposes(net)
    assert ops(result.model) == ["Relu"]
    assert result.model.graph[0].outputs[0].name == "y"


def test_transposes_of_a_model_input_stay_when_they_make_an_output() -> None:
    net = Net()
    net.input("x", 2, 3)
    net.node("Transpose", net.node("Transpose", "x", out="s"), out="y")
    kept(
        net,
        "kept 'n_s' apart from 'n_y': 'x' and 'y' are both names that others rely on",
        MergeTransposes(),
    )


@pytest.mark.parametrize(
    "perms", [([1, 2, 0], [1, 2, 0]), ([0, 2, 1], [2, 0, 1]), (None, [0, 2, 1])]
)
def test_two_transposes_become_one(perms: tuple[list[int] | None, list[int]]) -> None:
    net = Net()
    net.input("x", 2, 3, 4)
    attrs = [{} if perm is None else {"perm": perm} for perm in perms]
    net.node("Transpose", net.node("Transpose", "x", out="s", **attrs[0]), out="y", **attrs[1])
    assert ops(transposes(net).model) == ["Transpose"]


def test_a_transpose_that_is_read_twice_stays() -> None:
    net = Net()
    net.input("x", 2, 3, 4)
    net.node("Transpose", net.node("Relu", "x", out="r"), out="s", perm=[1, 2, 0])
    net.node("Relu", net.node("Transpose", "s", out="t", perm=[2, 0, 1]), out="y")
    net.node("Neg", "s", out="z")
    assert ops(transposes(net.output("z")).model) == ["Relu", "Transpose", "Relu", "Neg"]
