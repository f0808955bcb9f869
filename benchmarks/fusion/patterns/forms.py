"""One Conv and its norm, in every form a file can hold them: shared, oddly named, stored oddly."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.fusion.building import Net, Size
from benchmarks.fusion.patterns.pattern import Family

SHARED = Family("shared weights, biases, BN parameters")
NAMES = Family("awkward names, weight is an output")
CONSTANTS = Family("parameters in Constant nodes, Identity, Cast, expressions")
TYPES = Family("fp16, mixed fp16/fp32, bf16, double")
STORAGE = Family("storage forms, external data")
BODIES = Family("If branches, local function")

HALF, SINGLE, DOUBLE = TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE


def _image(net: Net, s: Size) -> str:
    return net.x(s.n, s.c, s.h, s.w)


def _pair(net: Net, s: Size) -> str:
    return net.bn(net.conv(_image(net, s), s.c, s.o, 3, 3, pads=[1] * 4), s.o)


def _parameters(net: Net, s: Size) -> list[str]:
    return [net.k(values) for values in net.statistics(s.o)]


def _two_convs(net: Net, s: Size, *, bias: bool = False) -> tuple[str, str]:
    """Two Convs with one weight, or with one bias."""
    x, shared = _image(net, s), net.normal(s.o) if bias else net.normal(s.o, s.c, 3, 3)
    if bias:
        return tuple(net("Conv", x, net.normal(s.o, s.c, 3, 3), shared) for _ in range(2))
    return tuple(net("Conv", x, shared, net.normal(s.o), pads=[i] * 4) for i in range(2))


def _one_of_two(net: Net, s: Size, *, bias: bool = False) -> tuple[str, str]:
    first, second = _two_convs(net, s, bias=bias)
    return net.bn(first, s.o), second


def _both(net: Net, s: Size) -> tuple[str, ...]:
    return tuple(net.bn(made, s.o) for made in _two_convs(net, s))


def _one_norm_twice(net: Net, s: Size) -> tuple[str, ...]:
    x, norm = _image(net, s), _parameters(net, s)
    return tuple(net.bn(net.conv(x, s.c, s.o, 3, 3), s.o, *norm) for _ in range(2))


def _bias_is_beta(net: Net, s: Size) -> tuple[str, str]:
    gamma, beta, mean, variance = _parameters(net, s)
    product = net("Conv", _image(net, s), net.normal(s.o, s.c, 3, 3), beta)
    scaled = net("Mul", net.x(s.o, name="z"), gamma)
    return net.bn(product, s.o, gamma, beta, mean, variance), scaled


SHARED.add("a weight, one norm", 2, _one_of_two)
SHARED.add("a weight, two norms", 2, _both)
SHARED.add("a bias", 2, lambda net, s: _one_of_two(net, s, bias=True))
SHARED.add("BN parameters", 2, _one_norm_twice)
SHARED.add("the bias is beta, gamma has another reader", 2, _bias_is_beta)


def _node_names(name: str) -> object:
    def build(net: Net, s: Size) -> str:
        output = _pair(net, s)
        for node in net.nodes:
            node.name = name
        return output

    return build


def _taken_names(net: Net, s: Size) -> tuple[str, str]:
    """Names that a fusion might make for its own constants are those of other tensors."""
    weight = net.normal(s.o, s.c, 3, 3, name="w")
    taken = [net.normal(1, name=f"w_{end}") for end in ("bias", "fused", "bias_fused", "fused_1")]
    others = net("Sum", net.x(1, name="z"), *taken)
    return net.bn(net("Conv", _image(net, s), weight), s.o), others


def _taken_by_node(net: Net, s: Size) -> tuple[str, str]:
    """As above, by outputs of nodes."""
    weight = net.normal(s.o, s.c, 3, 3, name="w")
    net.x(1, name="z")
    for end in ("bias", "fused", "bias_fused"):
        net.nodes.append(helper.make_node("Abs", ["z"], [f"w_{end}"], name=f"abs_{end}"))
    others = net("Sum", "w_bias", "w_fused", "w_bias_fused")
    return net.bn(net("Conv", _image(net, s), weight), s.o), others


def _odd_tensor_names(net: Net, s: Size) -> str:
    weight = net.normal(s.o, s.c, 3, 3, name="/model/layer 1:conv/Wäight[0]")
    return net.bn(net("Conv", _image(net, s), weight), s.o)


def _weight_is_output(net: Net, s: Size) -> tuple[str, str]:
    weight = net.normal(s.o, s.c, 3, 3, name="w")
    return net.bn(net("Conv", _image(net, s), weight), s.o), weight


NAMES.add("nodes without names", 1, _node_names(""))
NAMES.add("nodes of one name", 1, _node_names("node"))
NAMES.add("names of initializers taken", 2, _taken_names)
NAMES.add("names of node outputs taken", 5, _taken_by_node)
NAMES.add("the weight is an output", 1, _weight_is_output)


def _in_constant_nodes(net: Net, s: Size) -> str:
    output = _pair(net, s)
    for tensor in net.weights:
        net.nodes.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    net.weights.clear()
    return output


def _through(op: str, **attrs: object) -> object:
    """Every parameter of the norm, and the weight, comes through `op`."""

    def build(net: Net, s: Size) -> str:
        stored = DOUBLE if op == "Cast" else None
        norm = [net(op, net.k(v, dtype=stored), **attrs) for v in net.statistics(s.o)]
        values = net.random.standard_normal((s.o, s.c, 3, 3))
        weight = net(op, net.k(values, dtype=stored), **attrs)
        return net.bn(net("Conv", _image(net, s), weight), s.o, *norm)

    return build


def _expressions(net: Net, s: Size) -> str:
    gamma, beta, mean, variance = net.statistics(s.o)
    half = net("Add", net.k(variance / 2), net.k(variance / 2))
    flat = net("Reshape", net.k(gamma.reshape(1, s.o, 1)), net.k(np.array([-1])))
    weight = net("Transpose", net.normal(s.c, s.o, 3, 3), perm=[1, 0, 2, 3])
    product = net("Conv", _image(net, s), weight, net("Mul", net.normal(s.o), net.k(0.5)))
    return net.bn(product, s.o, flat, net.k(beta), net("Neg", net.k(mean)), half)


def _unsqueezed(net: Net, s: Size) -> str:
    axes = net.k(np.array([1, 2]))
    product = net.conv(_image(net, s), s.c, s.o, 3, 3)
    scaled = net("Mul", product, net("Unsqueeze", net.normal(s.o), axes))
    return net("Add", net("Unsqueeze", net.normal(s.o), axes), scaled)


CONSTANTS.add("Constant nodes", 1, _in_constant_nodes)
CONSTANTS.add("Identity of parameters", 1, _through("Identity"))
CONSTANTS.add("Cast of parameters", 1, _through("Cast", to=SINGLE))
CONSTANTS.add("expressions of parameters", 1, _expressions)
CONSTANTS.add("Unsqueeze of parameters", 1, _unsqueezed)


def _mixed(scale: int, statistics: int) -> object:
    """A half-precision Conv; scale and shift, mean and variance in other types."""

    def build(net: Net, s: Size) -> str:
        kinds = (scale, scale, statistics, statistics)
        parts = zip(net.statistics(s.o), kinds, strict=True)
        norm = [net.k(values, dtype=kind) for values, kind in parts]
        return net.bn(net.conv(_image(net, s), s.c, s.o, 3, 3), s.o, *norm)

    return build


TYPES.add("float16", 1, _pair, dtype=HALF)
TYPES.add("float16, BN parameters float32", 1, _mixed(SINGLE, SINGLE), dtype=HALF)
TYPES.add("float16, statistics float32", 1, _mixed(HALF, SINGLE), dtype=HALF)
TYPES.add("bfloat16", 1, _pair, dtype=TensorProto.BFLOAT16)
TYPES.add("float64", 1, _pair, dtype=DOUBLE)


def _typed_fields(net: Net, s: Size) -> str:
    """Every tensor in its typed field (float_data, int32_data), none in raw_data."""
    output = _pair(net, s)
    for tensor in net.weights:
        array = numpy_helper.to_array(tensor)
        bits = array.view(np.uint16) if tensor.data_type == HALF else array
        tensor.ClearField("raw_data")
        field = tensor.int32_data if tensor.data_type == HALF else tensor.float_data
        field.extend(bits.ravel().tolist())
    return output


def _two_files_worth(net: Net, s: Size) -> str:
    """Two layers, so that offsets into one file matter."""
    x = net("Relu", _pair(net, s))
    return net.bn(net.conv(x, s.o, s.c, 1, 1), s.c)


STORAGE.add("float_data", 1, _typed_fields)
STORAGE.add("float16 in int32_data", 1, _typed_fields, dtype=HALF)
STORAGE.add("external data", 1, _pair, external=True)
STORAGE.add("external data, two layers", 3, _two_files_worth, external=True)


def _branch(*nodes: str, own_weights: bool, outer: Net, s: Size, prefix: str) -> onnx.GraphProto:
    """A body of the named operators on the outer 'x'; weights inside or outside."""
    net = Net(outer.opset)
    net.prefix, net.random = prefix, outer.random
    if not own_weights:
        net.weights = outer.weights
    value = "x"
    for op in nodes:
        conv = op == "Conv"
        value = net.conv(value, s.c, s.o, 3, 3, pads=[1] * 4) if conv else net.bn(value, s.o)
    graph = net.graph([value])
    for output in graph.output:
        output.type.tensor_type.elem_type = outer.dtype
    if not own_weights:
        graph.ClearField("initializer")
    return graph


def _if(then: tuple[str, ...], other: tuple[str, ...], *, own_weights: bool) -> object:
    def build(net: Net, s: Size) -> str:
        _image(net, s)
        which = net.x(name="which", dtype=TensorProto.BOOL)
        net.normal(1, name="first")
        common = {"own_weights": own_weights, "outer": net, "s": s}
        branches = {
            "then_branch": _branch(*then, prefix="then_", **common),
            "else_branch": _branch(*other, prefix="else_", **common),
        }
        return net("If", which, **branches)

    return build


def _function(net: Net, s: Size) -> str:
    """Conv and norm inside a function that is called once."""
    inner = Net(net.opset)
    inner.bn(inner.conv("X", s.c, s.o, 3, 3), s.o)
    formal = ["X", *(weight.name for weight in inner.weights)]
    opsets = [helper.make_opsetid("", net.opset)]
    body = helper.make_function("local", "Block", formal, ["t1"], inner.nodes, opsets)
    net.functions.append(body)
    net.weights = inner.weights
    return net("Block", _image(net, s), *formal[1:], domain="local")


PAIR = ("Conv", "BatchNormalization")
BODIES.add("in one branch, outer weights", 3, _if(PAIR, ("Conv",), own_weights=False))
BODIES.add("in one branch, own weights", 3, _if(PAIR, ("Conv",), own_weights=True))
BODIES.add("in both branches", 3, _if(PAIR, PAIR, own_weights=True))
BODIES.add("local function", 1, _function)

FAMILIES = (SHARED, NAMES, CONSTANTS, TYPES, STORAGE, BODIES)
