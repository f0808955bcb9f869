"""BatchNormalization into the linear operator before it: every operator, form, opset and type."""

import onnx_ir as ir
import pytest
from net import Net, check_fused


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 17, 21])
@pytest.mark.parametrize("bias", [True, False])
def test_conv(opset: int, bias: bool) -> None:
    net = Net(opset)
    net.input("x", 2, 3, 6, 5)
    net.batch_norm(net.conv("x", 3, 4, 3, 3, bias=bias), 4)
    result = check_fused(net.output("y").model(), ["Conv"])
    (site,) = result.sites
    assert site.rule == "BatchNormalization into Conv"
    assert site.nodes == ("n_c", "n_y")
    (conv,) = result.model.graph
    assert conv.name == "n_c"
    assert conv.metadata_props["zkprep.fused"] == '["n_y"]'
    assert [v.name for v in conv.inputs[1:]] == [
        "c_w_fused",
        "c_b_fused" if bias else "c_w_bias_fused",
    ]


CONVS = {
    "1-d": ((2, 4, 9), (3,), {}),
    "2-d": ((2, 4, 5, 6), (3, 2), {"pads": [1, 0, 1, 1], "strides": [2, 1]}),
    "3-d": ((1, 4, 4, 5, 3), (2, 2, 2), {"dilations": [1, 2, 1]}),
    "same": ((2, 4, 5, 6), (3, 3), {"auto_pad": "SAME_UPPER"}),
    "1x1": ((2, 4, 5, 6), (1, 1), {}),
    "all equal": ((4, 4, 4, 4), (1, 1), {}),
}


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("form", CONVS)
def test_conv_of_any_rank_and_group(form: str, group: int) -> None:
    shape, kernel, attrs = CONVS[form]
    outputs = 4 if form == "all equal" else 8
    net = Net()
    net.input("x", *shape)
    net.batch_norm(net.conv("x", 4, outputs, *kernel, group=group, **attrs), outputs)
    check_fused(net.output("y").model(), ["Conv"])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("group", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "kernel", "attrs"),
    [
        ((2, 6, 4, 5), (3, 2), {"strides": [2, 2], "pads": [1, 0, 1, 0], "output_padding": [1, 0]}),
        ((1, 6, 7), (3,), {}),
        ((6, 6, 6, 6), (2, 2), {}),
    ],
)
def test_conv_transpose(
    bias: bool, group: int, shape: tuple[int, ...], kernel: tuple[int, ...], attrs: dict
) -> None:
    net = Net()
    net.input("x", *shape)
    net.batch_norm(net.conv_transpose("x", 6, 12, *kernel, bias=bias, group=group, **attrs), 12)
    check_fused(net.output("y").model(), ["ConvTranspose"])


GEMM_BIASES = {
    "none": None,
    "()": (),
    "(1,)": (1,),
    "(1,1)": (1, 1),
    "(N,)": (4,),
    "(1,N)": (1, 4),
    "(M,1)": (3, 1),
    "(M,N)": (3, 4),
}


@pytest.mark.parametrize("form", GEMM_BIASES)
@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_gemm(form: str, trans_a: int, trans_b: int) -> None:
    net = Net()
    net.input("x", *((5, 3) if trans_a else (3, 5)))
    net.normal("w", *((4, 5) if trans_b else (5, 4)))
    shape = GEMM_BIASES[form]
    extra = [] if shape is None else [net.normal("b", *shape)]
    net.node(
        "Gemm", "x", "w", *extra, out="g", alpha=0.5, beta=-2.0, transA=trans_a, transB=trans_b
    )
    net.batch_norm("g", 4)
    result = check_fused(net.output("y").model(), ["Gemm"])
    (gemm,) = result.model.graph
    assert gemm.attributes.get_float("alpha") == 0.5
    assert gemm.attributes.get_float("beta") == 1.0


@pytest.mark.parametrize("opset", [7, 9, 11, 13])
def test_gemm_opsets(opset: int) -> None:
    net = Net(opset)
    net.input("x", 4, 4)
    net.node("Gemm", "x", net.normal("w", 4, 4), net.normal("b", 4), out="g")
    net.batch_norm("g", 4)
    check_fused(net.output("y").model(), ["Gemm"])


def test_matmul_becomes_gemm() -> None:
    net = Net()
    net.input("x", 3, 5)
    net.batch_norm(net.node("MatMul", "x", net.normal("w", 5, 4), out="m"), 4)
    result = check_fused(net.output("y").model(), ["Gemm"])
    assert result.model.graph[0].name == "n_m"


def test_matmul_add() -> None:
    net = Net()
    net.input("x", 3, 5)
    net.node(
        "Add", net.node("MatMul", "x", net.normal("w", 5, 4), out="m"), net.normal("b", 4), out="a"
    )
    net.batch_norm("a", 4)
    result = check_fused(net.output("y").model(), ["Gemm"])
    assert result.sites[0].nodes == ("n_m", "n_a", "n_y")


@pytest.mark.parametrize("opset", [9, 13, 17])
@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_other_types(dtype: str, opset: int) -> None:
    net = Net(opset, dtype)
    net.input("x", 2, 3, 6, 5)
    net.batch_norm(net.conv("x", 3, 4, 3, 3), 4)
    result = check_fused(net.output("y").model(), ["Conv"])
    assert {v.dtype for v in result.model.graph.initializers.values()} == {net.dtype}


def test_mixed_types() -> None:
    net = Net(17, "float16")
    net.input("x", 2, 3, 6, 5)
    net.batch_norm(
        net.conv("x", 3, 4, 3, 3), 4, dtype=ir.DataType.FLOAT16, stats_dtype=ir.DataType.FLOAT
    )
    result = check_fused(net.output("y").model(), ["Conv"])
    assert {v.dtype for v in result.model.graph.initializers.values()} == {ir.DataType.FLOAT16}


def test_the_algebra_in_float64() -> None:
    """The folded constants, before the cast, give the original to double precision."""
    net = Net(17, "float64")
    net.input("x", 2, 6, 4)
    net.batch_norm(net.conv("x", 6, 9, 3, group=3, pads=[1, 1]), 9)
    check_fused(net.output("y").model(), ["Conv"])
