"""Every reason not to fold: a model that must stay, and the sentence a user reads."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from net import Net, check_kept
from onnx import helper

BUILDERS: dict[str, tuple[Callable[[], ir.Model], str]] = {}


def guard(
    reason: str, kept: str = "'n_y'", linear: str = "'n_c'"
) -> Callable[[Callable[[], Net | ir.Model]], None]:
    """A builder whose model stays as it is; `reason` is why `kept` stays apart from `linear`."""
    message = f"kept {kept} apart from {linear}: {reason}" if linear else f"kept {kept}: {reason}"

    def register(build: Callable[[], Net | ir.Model]) -> None:
        def model() -> ir.Model:
            made = build()
            return made.output("y").model() if isinstance(made, Net) else made

        BUILDERS[build.__name__] = (model, message)

    return register


def image(net: Net, *, shape: tuple[int | str, ...] = (2, 3, 6, 5), **attrs: object) -> str:
    net.input("x", *shape)
    return net.conv("x", 3, 4, 3, 3, **attrs)


# BatchNormalization itself


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


# Parameters and weights


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


@guard("the caller may override 'c_w'; freeze the weights (option) to allow this")
def overridable() -> Net:
    net = Net()
    net.batch_norm(image(net), 4)
    net.input("c_w", 4, 3, 3, 3)
    return net


@guard("in IR version 3 weights are inputs with defaults; freeze them (option) to fold")
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


# Shape of the graph


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


# Broadcasting of constants


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


# Linear operators, padding, pooling


@guard("it scales the rows of the product; the weight only reaches its columns", linear="'n_m'")
def matmul_axis() -> Net:
    net = Net()
    net.input("x", 2, 4, 5)
    net.batch_norm(net.node("MatMul", "x", net.normal("w", 5, 4), out="m"), 4)
    return net


@guard("after 'n_t' its channels are the rows of the product", linear="'n_m'")
def transposed_square() -> Net:
    net = Net()
    net.input("x", 4, 4)
    net.node("MatMul", "x", net.normal("w", 4, 4), out="m")
    net.batch_norm(net.node("Transpose", "m", out="t"), 4)
    return net


@guard("'n_r' rearranges the channels", linear="'n_g'")
def reshape_moves() -> Net:
    net = Net()
    net.input("x", 8, 4)
    net.node("Gemm", "x", net.normal("w", 4, 4), out="g")
    net.batch_norm(net.node("Reshape", "g", net.constant("t", np.array([2, 4, 4])), out="r"), 4)
    return net


@guard("'n_f' rearranges the channels")
def flattened_channels_that_differ() -> Net:
    net = Net()
    net.node("Flatten", image(net), out="f")
    net.node("Mul", "f", net.normal("k", 4 * 4 * 3), out="y")
    return net


@guard("with transA=1 its channels are rows, not the summed axis", kept="'n_u'", linear="'n_y'")
def gemm_trans_a() -> Net:
    net = Net()
    net.input("x", 4, 4)
    net.batch_norm("x", 4, out="u")
    net.node("Gemm", "u", net.normal("w", 4, 4), out="y", transA=1)
    return net


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


@guard(
    "the padding adds zeros after the shift, so the shift is smaller at the border",
    kept="'n_u'",
    linear="'n_y'",
)
def padded_shift() -> Net:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.node("Add", "x", net.normal("k", 3, 1, 1), out="u")
    net.conv("u", 3, 4, 3, 3, out="y", pads=[1, 1, 1, 1])
    return net


@guard("a border correction needs explicit pads and known shapes", kept="'n_u'", linear="'n_y'")
def padded_shift_by_auto_pad() -> Net:
    net = Net()
    net.input("x", 1, 3, 6, 6)
    net.conv(net.batch_norm("x", 3, out="u"), 3, 4, 3, 3, out="y", auto_pad="SAME_UPPER")
    return net


@guard("a border correction needs a fixed height and width", kept="'n_u'", linear="'n_y'")
def map_dynamic() -> Net:
    net = Net()
    net.input("x", 1, 3, "H", "W")
    net.conv(net.batch_norm("x", 3, out="u"), 3, 4, 3, 3, out="y", pads=[1, 1, 1, 1])
    return net


@guard("the shift reaches each output a different number of times", kept="'n_u'", linear="'n_y'")
def convt_shift() -> Net:
    net = Net()
    net.input("x", 1, 3, 4, 4)
    net.node("Sub", "x", net.normal("k", 3, 1, 1), out="u")
    net.conv_transpose("u", 3, 4, 3, 3, out="y", strides=[2, 2])
    return net


@guard("channel 0 has scale -0.5: the order of values turns round")
def neg_max() -> Net:
    net = Net()
    net.node("MaxPool", image(net), out="p", kernel_shape=[2, 2])
    net.node("Mul", "p", net.constant("k", np.array([-0.5, 1, 2, 3]).reshape(4, 1, 1)), out="y")
    return net


@guard("channel 2 has scale -2: the order of values turns round")
def neg_relu() -> Net:
    net = Net()
    net.node("Relu", image(net), out="r")
    net.node("Mul", "r", net.constant("k", np.array([1, 1, -2, 3.0]).reshape(4, 1, 1)), out="y")
    return net


@guard("a shift does not commute with Relu")
def relu_shift() -> Net:
    net = Net()
    net.batch_norm(net.node("Relu", image(net), out="r"), 4)
    return net


@guard("the pool averages in padded zeros")
def pool_pad() -> Net:
    net = Net()
    net.node(
        "AveragePool",
        image(net),
        out="p",
        kernel_shape=[2, 2],
        pads=[1, 1, 0, 0],
        count_include_pad=1,
    )
    net.batch_norm("p", 4)
    return net


@guard("the pool pads, and its padding is not shifted")
def max_pool_pad() -> Net:
    net = Net()
    net.node("MaxPool", image(net), out="p", kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    net.node("Add", "p", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("the positions of the maxima are used")
def pool_indices() -> Net:
    net = Net()
    net.node("MaxPool", image(net), out=("p", "i"), kernel_shape=[2, 2])
    net.node("Add", "p", net.normal("k", 4, 1, 1), out="y")
    return net.output("i")


@guard("the padding adds zeros after the shift, so the shift is smaller at the border")
def pad_shift() -> Net:
    net = Net()
    net.node("Pad", image(net), net.constant("t", np.array([0, 0, 1, 1, 0, 0, 1, 1])), out="p")
    net.node("Add", "p", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("'n_p' pads with other values than 0")
def pad_of_ones() -> Net:
    net = Net()
    net.node(
        "Pad",
        image(net),
        net.constant("t", np.array([0, 0, 1, 1, 0, 0, 1, 1])),
        net.constant("one", 1.0),
        out="p",
    )
    net.node("Mul", "p", net.normal("k", 4, 1, 1), out="y")
    return net


@guard("'n_m' has no bias to take the shift", linear="'n_m'")
def stacked_product_has_no_bias() -> Net:
    net = Net()
    net.input("x", 2, 3, 5)
    net.node(
        "Add", net.node("MatMul", "x", net.normal("w", 5, 4), out="m"), net.normal("k", 4), out="y"
    )
    return net


@guard("merging would cost 600 rows instead of 490", kept="'n_s', 'n_y'", linear="'n_m'")
def dearer() -> Net:
    net = Net()
    net.input("x", 2, 60, 5)
    net.node("MatMul", "x", net.normal("w", 5, 10), out="m")
    net.node("ReduceMean", "m", out="r", axes=[1])
    net.node("Mul", "r", net.normal("k", 10), out="s")
    net.node("Add", "s", net.normal("l", 10), out="y")
    return net


@guard("'z' is an input, which absorbs nothing", linear="'n_a'")
def input_in_a_join() -> Net:
    net = Net()
    net.input("x", 1, 4, 6, 6)
    net.input("z", 1, 4, 6, 6)
    net.node("Add", net.conv("x", 4, 4, 1, 1, out="a"), "z", out="j")
    net.node("Mul", "j", net.normal("k", 4, 1, 1), out="y")
    return net


# Number formats


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


@guard("no linear operator is next to it", linear="")
def lone_batch_norm() -> Net:
    net = Net()
    net.input("x", 2, 4, 5)
    net.batch_norm(net.node("Relu", "x", out="r"), 4)
    return net


@pytest.mark.parametrize("name", BUILDERS)
def test_guard(name: str) -> None:
    build, message = BUILDERS[name]
    check_kept(build(), message)
