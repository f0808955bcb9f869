"""Chains of affine nodes, arithmetic of every kind, and the operators an affine map crosses."""

import numpy as np
import pytest
from net import Net, check_fused

ARITHMETIC = {
    "mul": ("Mul", "xk"),
    "mul, constant first": ("Mul", "kx"),
    "add": ("Add", "xk"),
    "add, constant first": ("Add", "kx"),
    "sub": ("Sub", "xk"),
    "sub from constant": ("Sub", "kx"),
    "div": ("Div", "xk"),
    "neg": ("Neg", "x"),
    "sum": ("Sum", "kxl"),
    "identity": ("Identity", "x"),
    "dropout": ("Dropout", "x"),
}
CONSTANTS = {
    "per channel": (4, 1, 1),
    "full rank": (1, 4, 1, 1),
    "scalar": (),
    "one element": (1, 1, 1),
}


@pytest.mark.parametrize("form", CONSTANTS)
@pytest.mark.parametrize("kind", ARITHMETIC)
@pytest.mark.parametrize("linear", ["Conv", "ConvTranspose"])
def test_arithmetic_after(linear: str, kind: str, form: str) -> None:
    op, operands = ARITHMETIC[kind]
    net = Net(13)
    net.input("x", 2, 3, 5, 6)
    make = net.conv if linear == "Conv" else net.conv_transpose
    make("x", 3, 4, 2, 3, pads=[1, 0, 0, 1])
    names = {"x": "c", "k": "k", "l": "l"}
    for name in operands.replace("x", ""):
        net.normal(name, *CONSTANTS[form])
    net.node(op, *(names[o] for o in operands), out="y")
    check_fused(net.output("y").model(), [linear])


@pytest.mark.parametrize("kind", ["mul", "add", "sub from constant", "div", "neg", "sum"])
@pytest.mark.parametrize("rank", [2, 3])
def test_arithmetic_after_matmul(kind: str, rank: int) -> None:
    op, operands = ARITHMETIC[kind]
    net = Net(13)
    net.input("x", *(2, 3, 5)[3 - rank :])
    net.node("MatMul", "x", net.normal("w", 5, 4), out="x0")
    for name in operands.replace("x", ""):
        net.normal(name, 4)
    net.node(op, *({"x": "x0"}.get(o, o) for o in operands), out="y")
    left = {2: ["Gemm"], 3: ["MatMul", "Add"]}[rank]
    if op in ("Mul", "Div", "Neg"):
        left = ["MatMul"]
    if rank == 3 and op in ("Add", "Sum"):
        left = ["MatMul", op]
        from net import fuse, ops

        assert ops(fuse(net.output("y").model()).model) == left
        return
    check_fused(net.output("y").model(), left)


def test_chain_of_four_rounds_once() -> None:
    net = Net()
    net.input("x", 1, 3, 5, 6)
    net.conv("x", 3, 4, 3, 3)
    net.node("Mul", "c", net.normal("k", 4, 1, 1), out="a")
    net.node("Add", "a", net.normal("l", 4, 1, 1), out="b")
    net.node("Div", "b", net.constant("m", 3.0), out="d")
    net.node("Sub", net.constant("o", 1.5), "d", out="y")
    result = check_fused(net.output("y").model(), ["Conv"])
    assert result.applied[0].rule == "Mul, Add, Div, Sub into Conv"
    weights = {
        v.name: v.const_value.numpy().astype(np.float64)
        for v in net.model().graph.initializers.values()
    }
    exact = -weights["c_w"] * weights["k"].reshape(4, 1, 1, 1) / 3.0
    folded = result.model.graph.initializers["c_w_fused"].const_value.numpy()
    assert np.array_equal(folded, exact.astype(np.float32))


def test_weights_are_rounded_once_over_two_steps() -> None:
    net = Net()
    net.input("x", 1, 3, 7, 7)
    net.batch_norm(net.conv("x", 3, 4, 2, 2), 4, out="b")
    net.node("AveragePool", "b", out="p", kernel_shape=[2, 2])
    net.batch_norm("p", 4)
    result = check_fused(net.output("y").model(), ["Conv", "AveragePool"])
    assert len(result.applied) == 2
    w = {
        v.name: v.const_value.numpy().astype(np.float64)
        for v in net.model().graph.initializers.values()
    }
    scale = 1.0
    for bn in "by":
        scale = scale * w[f"{bn}_gamma"] / np.sqrt(w[f"{bn}_var"] + float(np.float32(1e-5)))
    exact = w["c_w"] * scale[:, None, None, None]
    assert np.array_equal(
        result.model.graph.initializers["c_w_fused"].const_value.numpy(), exact.astype(np.float32)
    )


def test_two_batch_norms_become_one() -> None:
    net = Net()
    net.input("x", 2, 4, 5)
    net.batch_norm(net.batch_norm("x", 4, out="u"), 4)
    result = check_fused(net.output("y").model(), ["BatchNormalization"])
    assert result.applied[0].rule == "BatchNormalization, BatchNormalization into one"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_arithmetic_around_a_batch_norm_joins_it(place: int) -> None:
    net = Net()
    value = net.input("x", 2, 4, 5)
    for position in range(3):
        out = "y" if position == 2 else f"v{position}"
        if position == place:
            value = net.batch_norm(value, 4, out=out)
        else:
            value = net.node(
                "Mul" if position else "Sub", value, net.normal(f"k{position}", 4, 1), out=out
            )
    check_fused(net.output("y").model(), ["BatchNormalization"])


def test_long_arithmetic_becomes_mul_and_add() -> None:
    net = Net()
    net.input("x", 2, 4, 5)
    net.node("Mul", "x", net.normal("k", 4, 1), out="a")
    net.node("Add", "a", net.normal("l", 4, 1), out="b")
    net.node("Mul", "b", net.constant("m", -2.0), out="y")
    check_fused(net.output("y").model(), ["Mul", "Add"])
