"""Who else sees a tensor, and along which axis a constant runs."""

import numpy as np
import onnx_ir as ir
import pytest
from guards import Guards, image
from net import Net
from onnx import helper

guard = Guards()


@guard("'c' is also read by 'n_r'")
def other_reader() -> Net:
    net = Net()
    net.batch_norm(image(net), 4)
    net.node("Relu", "c", out="r")
    return net.output("r")


@guard("'c' is also read by 'n_j'")
def read_twice_by_one_node() -> Net:
    net = Net()
    image(net)
    net.batch_norm(net.node("Add", "c", "c", out="j"), 4)
    return net


@guard("'c' is an output of the model")
def graph_output() -> Net:
    net = Net()
    net.batch_norm(image(net), 4)
    return net.output("c")


@guard("'c' is used inside 'n_i'")
def subgraph_capture() -> Net:
    net = Net()
    net.batch_norm(image(net), 4)
    net.input("which", dtype=int(ir.DataType.BOOL))
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        branch = Net()
        branch.node(op, "c", out=name)
        branches[name] = branch.output(name).graph(name)
    net.node("If", "which", out="i", **branches)
    return net.output("i")


@guard("'c' is used inside 'n_y'", kept="'n_b'")
def inside_a_branch_of_its_own() -> Net:
    net = Net()
    image(net)
    net.input("which", dtype=int(ir.DataType.BOOL))
    inner, other = Net(), Net()
    inner.batch_norm("c", 4, out="b")
    other.node("Relu", "c", out="o")
    net.node(
        "If",
        "which",
        out="y",
        then_branch=inner.output("b").graph("t"),
        else_branch=other.output("o").graph("e"),
    )
    return net


@guard("Sigmoid lies between them")
def activation_between() -> Net:
    net = Net()
    net.batch_norm(net.node("Sigmoid", image(net), out="s"), 4)
    return net


@guard("other.ops::Conv is not a standard operator")
def other_domain() -> ir.Model:
    net = Net()
    image(net)
    net.nodes[-1].domain = "other.ops"
    net.domains["other.ops"] = 1
    net.batch_norm("c", 4)
    return net.output("y").model(check=False)


@guard("other.ops::BatchNormalization is not a standard operator")
def norm_of_another_domain() -> ir.Model:
    net = Net()
    image(net)
    net.batch_norm("c", 4)
    net.nodes[-1].domain = "other.ops"
    net.domains["other.ops"] = 1
    return net.output("y").model(check=False)


@guard("it is inside function 'F'; inline functions first", kept="'inner'", linear="")
def in_function() -> ir.Model:
    net = Net()
    image(net)
    net.batch_norm("c", 4)
    names = ["c", *net.nodes[-1].input[1:]]
    node = net.nodes.pop()
    node.name = "inner"
    opsets = [helper.make_opsetid("", 17)]
    net.functions.append(helper.make_function("local", "F", names, ["y"], [node], opsets))
    net.domains["local"] = 1
    net.node("F", *names, out="y", domain="local")
    return net.output("y").model()


def _after_conv(op: str, shape: tuple[int, ...], channels: int = 4, first: bool = False) -> Net:
    net = Net()
    net.input("x", 4, 3, 6, 6)
    net.conv("x", 3, channels, 3, 3)
    k = net.normal("k", *shape)
    net.node(op, *((k, "c") if first else ("c", k)), out="y")
    return net


@guard("'k' with shape [4] broadcasts along the last axis, not along the channels")
def last_axis() -> Net:
    return _after_conv("Mul", (4,))


@guard("'k' differs per batch element")
def batch_axis() -> Net:
    return _after_conv("Add", (4, 1, 1, 1))


@guard("'k' varies over positions within a channel")
def spatial_one_axis() -> Net:
    return _after_conv("Mul", (4, 1))


@guard("'k' varies over positions within a channel")
def spatial_two_axes() -> Net:
    return _after_conv("Sub", (4, 1, 4))


@guard("'k' widens the result from 1 to 4")
def expands() -> Net:
    return _after_conv("Mul", (4, 1, 1), channels=1)


@guard("'k' has more axes than the tensor, so the result would change rank")
def rank_raise() -> Net:
    return _after_conv("Mul", (1, 1, 1, 1, 1))


@guard("operators of opset 6 broadcast by attribute; convert to opset 7 or later first")
def old_broadcast() -> Net:
    net = Net(6)
    image(net)
    net.node("Mul", "c", net.normal("k", 4), out="y", broadcast=1, axis=1)
    return net


@guard(
    "operators of opset 6 broadcast by attribute; convert to opset 7 or later first", linear="'n_g'"
)
def old_gemm() -> Net:
    net = Net(6)
    net.input("x", 2, 3)
    net.node("Gemm", "x", net.normal("w", 3, 4), net.normal("b", 4), out="g", broadcast=1)
    net.batch_norm("g", 4)
    return net


@guard("dividing a constant by a tensor is not a scale and shift")
def const_over() -> Net:
    return _after_conv("Div", (4, 1, 1), first=True)


@guard("'k' divides by 0 in channel 1")
def divides_by_zero() -> Net:
    net = Net()
    net.node(
        "Div", image(net), net.constant("k", np.array([1.0, 0, 2, 3]).reshape(4, 1, 1)), out="y"
    )
    return net


@pytest.mark.parametrize("name", list(guard))
def test_guard(name: str) -> None:
    guard.check(name)
