"""Models in which nothing may be fused, though each looks like one in which something is."""

from onnx import helper

from benchmarks.fusion.building import Net, Size
from benchmarks.fusion.patterns.pattern import Family

ROWS = Family("TRAP MatMul rows (3-D, transposed, reshaped)")
BROADCAST = Family("TRAP broadcast axis, batch, spatial, rank, expansion")
PLACES = Family(
    "TRAP padded shift, k / Conv, moved channels, negative MaxPool, lone BN, two readers, "
    "Conv is an output, runtime parameters, weight input"
)
DEFAULTS = Family("TRAP IR-3 defaults, overridable weights")
TRAINING = Family("TRAP training mode, 1 or 3 outputs, read, unread, ''")
SPATIAL = Family("TRAP opset-7 spatial=0")


def _rows(net: Net, s: Size) -> str:
    return net.bn(net("MatMul", net.x(s.n, s.o, s.c), net.normal(s.c, s.o)), s.o)


def _transposed(net: Net, s: Size) -> str:
    product = net("MatMul", net.x(s.o, s.c), net.normal(s.c, s.o))
    return net.bn(net("Transpose", product), s.o)


def _reshaped(net: Net, s: Size) -> str:
    product = net("MatMul", net.x(s.n * s.o, s.c), net.normal(s.c, s.o))
    return net.bn(net("Reshape", product, net.k([s.n, s.o, s.o])), s.o)


ROWS.trap("3-D", _rows)
ROWS.trap("transposed square", _transposed)
ROWS.trap("reshaped", _reshaped)


def _conv(net: Net, s: Size, **options: object) -> str:
    return net.conv(net.x(s.n, s.c, s.h, s.w), s.c, s.o, 3, 3, **{"pads": [1] * 4, **options})


def _constant(*dims: str, op: str = "Mul") -> object:
    """An n x o x h x w image of a Conv, and a constant of the dimensions named in `dims`."""

    def build(net: Net, s: Size) -> str:
        shape = [{"n": s.n, "o": s.o, "h": s.h, "w": s.w, "1": 1}[dim] for dim in dims]
        return net(op, _conv(net, s), net.normal(*shape))

    return build


def _expanding(op: str) -> object:
    def build(net: Net, s: Size) -> str:
        image = net.conv(net.x(s.n, s.c, s.h, s.w), s.c, 1, 3, 3)
        return net(op, image, net.normal(s.o, 1, 1))

    return build


def _gemm_batch(net: Net, s: Size) -> str:
    return net("Add", net.gemm(net.x(s.n, s.c), s.c, s.o), net.normal(s.n, 1))


BROADCAST.trap("along the last axis [W]", _constant("w"))
BROADCAST.trap("along the height [H, 1]", _constant("h", "1", op="Add"))
BROADCAST.trap("along the batch [N, 1, 1, 1]", _constant("n", "1", "1", "1"))
BROADCAST.trap("over channels and width", _constant("o", "1", "w"))
BROADCAST.trap("a row of a Gemm [N, 1]", _gemm_batch)
BROADCAST.trap("raises the rank", _constant("1", "1", "1", "1", "1"))
BROADCAST.trap("widens one channel, Mul", _expanding("Mul"))
BROADCAST.trap("widens one channel, Add", _expanding("Add"))


def _shift_padded(net: Net, s: Size) -> str:
    shifted = net("Add", net.x(s.n, s.c, s.h, s.w), net.normal(s.c, 1, 1))
    return net.conv(shifted, s.c, s.o, 3, 3, pads=[1] * 4)


def _shift_dynamic(net: Net, s: Size) -> str:
    return net.conv(net.bn(net.x(s.n, s.c, "H", "W"), s.c), s.c, s.o, 3, 3, pads=[1] * 4)


def _shift_auto_pad(net: Net, s: Size) -> str:
    shifted = net("Sub", net.x(s.n, s.c, s.h, s.w), net.normal(s.c, 1, 1))
    return net.conv(shifted, s.c, s.o, 3, 3, auto_pad="SAME_UPPER")


def _moved(net: Net, s: Size) -> str:
    return net.bn(net("Transpose", _conv(net, s), perm=[0, 2, 1, 3]), s.h)


def _max_pool(net: Net, s: Size) -> str:
    return net.bn(net("MaxPool", _conv(net, s), kernel_shape=[2, 2]), s.o)


def _two_readers(net: Net, s: Size) -> tuple[str, str]:
    product = _conv(net, s)
    return net.bn(product, s.o), net("Relu", product)


def _conv_is_output(net: Net, s: Size) -> tuple[str, str]:
    product = _conv(net, s)
    return product, net.bn(product, s.o)


def _runtime(net: Net, s: Size) -> str:
    gamma = net("Exp", net.x(s.o, name="p"))
    others = [net.k(values) for values in net.statistics(s.o)[1:]]
    return net.bn(_conv(net, s), s.o, gamma, *others)


def _weight_input(net: Net, s: Size) -> str:
    weight = net.x(s.o, s.c, 3, 3, name="w")
    return net.bn(net("Conv", net.x(s.n, s.c, s.h, s.w), weight), s.o)


PLACES.trap("shift before a padded Conv", _shift_padded)
PLACES.trap("BN before a padded Conv, dynamic sizes", _shift_dynamic)
PLACES.trap("shift before auto_pad", _shift_auto_pad)
PLACES.trap("k / Conv", lambda net, s: net("Div", net.normal(s.o, 1, 1), _conv(net, s)))
PLACES.trap("moved channels", _moved)
PLACES.trap("MaxPool, BN of negative scales", _max_pool)
PLACES.trap("lone BN", lambda net, s: net.bn(net("Relu", net.x(s.n, s.c, s.h)), s.c))
PLACES.trap("two readers", _two_readers)
PLACES.trap("Conv is an output", _conv_is_output)
PLACES.trap("runtime parameters", _runtime)
PLACES.trap("weight is an input", _weight_input)


def _ir_3(net: Net, s: Size) -> str:
    net.ir_version = 3
    output = net.bn(_conv(net, s), s.o)
    for tensor in net.weights:
        net.x(*tensor.dims, name=tensor.name)
    return output


def _overridable(net: Net, s: Size) -> str:
    output = net.bn(_conv(net, s), s.o)
    first = net.weights[0]
    net.x(*first.dims, name=first.name)
    return output


DEFAULTS.trap("IR version 3", _ir_3, opset=8)
DEFAULTS.trap("overridable weight", _overridable)


def _training(*extra: str, read: bool = False, **attrs: object) -> object:
    def build(net: Net, s: Size) -> str | tuple[str, ...]:
        output = net.bn(_conv(net, s), s.o, **attrs)
        net.declared[output] = (s.n, s.o, s.h, s.w)
        net.nodes[-1].output.extend(extra)
        return (output, *extra) if read else output

    return build


TRAINING.trap("one output", _training(training_mode=1), opset=15)
TRAINING.trap("three outputs, read", _training("rm", "rv", read=True, training_mode=1), opset=15)
TRAINING.trap("three outputs, unread", _training("rm", "rv", training_mode=1), opset=15)
TRAINING.trap("outputs ''", _training("", "", training_mode=1), opset=15)


def _per_activation(net: Net, s: Size) -> str:
    product = _conv(net, s)
    shape = (s.o, s.h, s.w)
    values = [net.normal(*shape) for _ in range(3)] + [net.positive(*shape)]
    node = helper.make_node("BatchNormalization", [product, *values], ["y"], name="bn", spatial=0)
    net.nodes.append(node)
    return "y"


SPATIAL.trap("spatial=0", _per_activation, opset=7)

FAMILIES = (ROWS, BROADCAST, PLACES, DEFAULTS, TRAINING, SPATIAL)
