"""Number formats, costs and joins that keep a map out of an operator."""

import numpy as np
import onnx_ir as ir
import pytest
from guards import Guards, image
from net import Net

guard = Guards()


@guard("Mul computes in int32", linear="'n_g'")
def integer() -> Net:
    net = Net()
    net.input("x", 2, 3, dtype=int(ir.DataType.INT32))
    net.node("Gemm", "x", net.constant("w", np.ones((3, 4), np.int32)), out="g")
    net.node("Mul", "g", net.constant("k", np.array([1, 2, 3, 4], np.int32)), out="y")
    return net


@guard("'r' is int32, 'f' is float32")
def quantised() -> Net:
    net = Net()
    net.input("x", 2, 3, 6, 5, dtype=int(ir.DataType.UINT8))
    net.node("ConvInteger", "x", net.constant("w", np.ones((4, 3, 3, 3), np.int8)), out="c")
    net.node("Reshape", "c", net.constant("t", np.array([2, 4, -1])), out="r")
    net.node("Cast", "r", out="f", to=int(ir.DataType.FLOAT))
    net.node("Mul", "f", net.normal("k", 4, 1), out="y")
    return net


@guard("'n_j' broadcasts 's' along the channels", linear="'n_b'")
def join_broadcast_along_channels() -> Net:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node("ReduceMean", net.conv("x", 3, 4, 3, 3, out="a"), out="s", axes=[1])
    net.batch_norm(net.node("Add", net.conv("x", 3, 4, 3, 3, out="b"), "s", out="j"), 4)
    return net


@guard("it multiplies with a vector, so its result has no channels of its own", linear="'n_m'")
def product_with_a_vector() -> Net:
    net = Net()
    net.input("x", 3, 5)
    net.node("MatMul", "x", net.normal("w", 5), out="m")
    net.node("Mul", "m", net.constant("k", 2.0), out="y")
    return net


@guard("'n_m' has no bias to take the shift", linear="'n_m'")
def stacked_product_has_no_bias() -> Net:
    net = Net()
    net.input("x", 2, 3, 5)
    net.node(
        "Add", net.node("MatMul", "x", net.normal("w", 5, 4), out="m"), net.normal("k", 4), out="y"
    )
    return net


@guard("merging would cost 128 rows instead of 98", kept="'n_u'", linear="'n_y'")
def dearer() -> Net:
    net = Net()
    net.input("x", 1, 1, 2, 2)
    net.batch_norm("x", 1, out="u")
    net.conv_transpose("u", 1, 1, 8, 8, out="y", strides=[8, 8])
    return net


@guard("'z' is an input, which absorbs nothing", linear="'n_a'")
def input_in_a_join() -> Net:
    net = Net()
    net.input("x", 1, 4, 6, 6)
    net.input("z", 1, 4, 6, 6)
    net.node("Add", net.conv("x", 4, 4, 1, 1, out="a"), "z", out="j")
    net.node("Mul", "j", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("folding would overflow float16 in channel 1")
def overflow() -> Net:
    net = Net(17, "float16")
    net.node(
        "Mul", image(net), net.constant("k", np.array([1, 6e4, 1, 1]).reshape(4, 1, 1)), out="y"
    )
    return net


@guard("folding would lose channel 3 to rounding in float16")
def underflow() -> Net:
    net = Net(17, "float16")
    net.node(
        "Mul", image(net), net.constant("k", np.array([1, 1, 1, 2e-6]).reshape(4, 1, 1)), out="y"
    )
    return net


@guard("'c' is float16, 'f' is float32")
def type_mix() -> Net:
    net = Net(17, "float16")
    net.node("Cast", image(net), out="f", to=int(ir.DataType.FLOAT))
    net.batch_norm("f", 4, dtype=ir.DataType.FLOAT)
    return net


@guard("no linear operator is next to it", kept="'n_a', 'n_y'", linear="")
def overflow_in_a_chain_of_its_own() -> Net:
    net = Net(17, "float16")
    net.input("x", 2, 4)
    net.node("Mul", "x", net.constant("k", 6e4), out="a")
    net.node("Mul", "a", net.constant("l", 6e4), out="y")
    return net


@guard("no linear operator is next to it", linear="")
def lone_batch_norm() -> Net:
    net = Net()
    net.input("x", 2, 4, 5)
    net.batch_norm(net.node("Relu", "x", out="r"), 4)
    return net


@pytest.mark.parametrize("name", list(guard))
def test_guard(name: str) -> None:
    guard.check(name)
