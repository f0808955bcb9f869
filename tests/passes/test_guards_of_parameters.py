"""What is no fixed scale and shift, and constants whose values are not known."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from guards import Guards, image
from net import Net
from onnx import helper

guard = Guards()


@guard(
    "it is in training mode and normalises with the statistics of each batch, so it is no "
    "fixed scale and shift; export the model in eval mode"
)
def training_mode() -> ir.Model:
    net = Net(15)
    net.batch_norm(image(net), 4, training_mode=1)
    return net.output("y").model(check=False)


@guard("it also produces running statistics, so it runs in training mode")
def extra_outputs() -> Net:
    net = Net(9)
    image(net)
    net.batch_norm("c", 4)
    net.nodes[-1].output.extend(["m", "v", "sm", "sv"])
    return net


@guard("it also produces running statistics, so it runs in training mode")
def extra_outputs_without_names() -> Net:
    net = Net(9)
    image(net)
    net.batch_norm("c", 4)
    net.nodes[-1].output.extend(["", "", "", ""])
    return net


@guard("it also produces running statistics, so it runs in training mode")
def extra_output_that_is_read() -> ir.Model:
    net = Net(17)
    image(net)
    net.batch_norm("c", 4)
    net.nodes[-1].output.extend(["m", "v"])
    return net.output("y", "m").model(check=False)


@guard("is_test is not set, so in opset 6 it runs in training mode")
def is_test() -> Net:
    net = Net(6)
    net.batch_norm(image(net), 4, is_test=0)
    return net


@guard("spatial=0: it has one mean and variance per activation, not per channel")
def spatial_0() -> Net:
    net = Net(7)
    image(net)
    for name in ("g", "h", "m", "v"):
        net.constant(name, np.ones((4, 4, 3)))
    net.node("BatchNormalization", "c", "g", "h", "m", "v", out="y", spatial=0)
    return net


@guard(
    "its parameters have shapes scale [4], shift [3], mean [4], variance [4]; expected one "
    "value per channel"
)
def bn_shape() -> ir.Model:
    return _norm_of(4, 3, 4, 4)


@guard("it has 5 channels but 'n_c' makes 4")
def channel_mismatch() -> ir.Model:
    return _norm_of(5, 5, 5, 5)


@guard("it has 1 channels but 'n_c' makes 4")
def one_channel_is_not_broadcast() -> ir.Model:
    return _norm_of(1, 1, 1, 1)


def _norm_of(*sizes: int) -> ir.Model:
    net = Net(17)
    image(net)
    for name, size in zip(("g", "h", "m", "v"), sizes, strict=True):
        net.constant(name, np.ones(size))
    net.node("BatchNormalization", "c", "g", "h", "m", "v", out="y")
    net.output("y")
    return ir.from_proto(
        helper.make_model(net.graph(), opset_imports=[helper.make_opsetid("", 17)])
    )


@guard("variance + epsilon is -1 in channel 2: the scale is not defined")
def bad_variance() -> Net:
    return _with_parameter("y_var", 2, -1.0 - 2**-20, epsilon=2**-20)


@guard("channel 1 has a non-finite mean")
def not_finite() -> Net:
    return _with_parameter("y_mean", 1, np.nan)


@guard("channel 3 has a non-finite scale")
def infinite_scale() -> Net:
    return _with_parameter("y_gamma", 3, np.inf)


def _with_parameter(name: str, channel: int, value: float, **attrs: float) -> Net:
    net = Net()
    net.batch_norm(image(net), 4, **attrs)
    tensor = next(w for w in net.weights if w.name == name)
    array = onnx.numpy_helper.to_array(tensor).copy()
    array[channel] = value
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))
    return net


@guard("its scale depends on the input 'p'")
def runtime_param() -> Net:
    net = Net()
    net.node("Exp", net.input("p", 4), out="e")
    net.batch_norm(image(net), 4)
    net.nodes[-1].input[1] = "e"
    return net


@guard("its bias depends on the input 'p'")
def runtime_bias() -> Net:
    net = Net()
    net.node("Exp", net.input("p", 4), out="e")
    image(net)
    net.nodes[-1].input[2] = "e"
    net.batch_norm("c", 4)
    return net


@guard("its bias depends on the input 'p'", linear="'n_g'")
def runtime_gemm_bias() -> Net:
    net = Net()
    net.input("x", 2, 3)
    net.input("p", 4)
    net.node("Gemm", "x", net.normal("w", 3, 4), net.node("Neg", "p", out="e"), out="g")
    net.batch_norm("g", 4)
    return net


@guard("'w' is a model input, so its value is not known here")
def weight_input() -> Net:
    net = Net()
    net.input("x", 2, 3, 6, 5)
    net.input("w", 4, 3, 3, 3)
    net.batch_norm(net.node("Conv", "x", "w", out="c"), 4)
    return net


@guard("'c_w' is an input with a default, which the caller may override")
def overridable() -> Net:
    net = Net()
    net.batch_norm(image(net), 4)
    net.input("c_w", 4, 3, 3, 3)
    return net


@guard("in IR version 3 weights are inputs with defaults, which the caller may override")
def ir3_default() -> Net:
    net = Net(8, ir_version=3)
    net.batch_norm(image(net), 4)
    for weight in net.weights:
        net.input(weight.name, *weight.dims)
    return net


@guard("'e' is constant but could not be evaluated")
def const_chain() -> Net:
    net = Net()
    image(net)
    net.batch_norm("c", 4)
    net.nodes.insert(0, helper.make_node("Exp", ["y_gamma"], ["e"], name="n_e"))
    net.nodes[-1].input[1] = "e"
    return net


@pytest.mark.parametrize("name", list(guard))
def test_guard(name: str) -> None:
    guard.check(name)
