"""Gemm and MatMul with what follows them, linear operators in a row, and norms before them."""

from benchmarks.fusion.building import Net, Size
from benchmarks.fusion.patterns.pattern import Family

GEMM = Family("Gemm + BN, all alpha/beta/trans/C forms")
MATMUL = Family("MatMul (+ Add) + BN")
LAYOUT = Family("MatMul, layout operator, BN")
BEFORE = Family("BN before Conv/Gemm, after ReLU, through Flatten; BN + BN")
THROUGH = Family("Gemm-Gemm, Conv-Conv 1x1; through Reshape, Concat, AveragePool, MaxPool")


def _gemm(*c: str, **attrs: object) -> object:
    """Gemm [n, c] times [c, o] with a C of the dimensions named in `c`, and its norm."""

    def build(net: Net, s: Size) -> str:
        x = net.x(s.c, s.n) if attrs.get("transA") else net.x(s.n, s.c)
        dims = {"n": s.n, "o": s.o, "1": 1}
        bias = [] if c == ("none",) else [net.normal(*(dims[dim] for dim in c))]
        return net.bn(net.gemm(x, s.c, s.o, *bias, **attrs), s.o)

    return build


GEMM.add("no C", 1, _gemm("none"))
GEMM.add("C [N]", 1, _gemm("o"))
GEMM.add("transB", 1, _gemm("o", transB=1))
GEMM.add("transA", 1, _gemm("o", transA=1))
GEMM.add("alpha, beta", 1, _gemm("o", alpha=0.5, beta=-2.0))
GEMM.add("transA, transB, alpha, beta", 1, _gemm("1", "o", transA=1, transB=1, alpha=3.0, beta=0.3))
GEMM.add("C scalar", 1, _gemm(beta=0.7))
GEMM.add("C [M, 1]", 1, _gemm("n", "1", beta=1.5))
GEMM.add("C [M, N]", 1, _gemm("n", "o", alpha=-1.0))


def _matmul(net: Net, s: Size) -> str:
    return net("MatMul", net.x(s.n, s.c), net.normal(s.c, s.o))


MATMUL.add("MatMul, BN", 1, lambda net, s: net.bn(_matmul(net, s), s.o))
MATMUL.add(
    "MatMul, Add, BN", 1, lambda net, s: net.bn(net("Add", _matmul(net, s), net.normal(s.o)), s.o)
)


def _between_transposes(net: Net, s: Size) -> str:
    product = net("MatMul", net.x(s.n, s.h, s.c), net.normal(s.c, s.o))
    norm = net.bn(net("Transpose", product, perm=[0, 2, 1]), s.o)
    return net("Transpose", norm, perm=[0, 2, 1])


def _reshaped(net: Net, s: Size) -> str:
    return net.bn(net("Reshape", _matmul(net, s), net.k([0, s.o, 1, 1])), s.o)


LAYOUT.add("MatMul, Transpose, BN, Transpose", 2, _between_transposes)
LAYOUT.add("MatMul, Reshape, BN", 2, _reshaped)


def _image(net: Net, s: Size) -> str:
    return net.x(s.n, s.c, s.h, s.w)


def _before_groups(net: Net, s: Size) -> str:
    return net.conv(net.bn(_image(net, s), s.c), s.c, s.o, 3, 2, group=2, strides=[1, 2])


def _conv_relu_bn_conv(net: Net, s: Size) -> str:
    first = net.conv(_image(net, s), s.c, s.o, 3, 3, pads=[1] * 4)
    return net.conv(net.bn(net("Relu", first), s.o), s.o, s.c, 3, 3)


def _gemm_relu_bn_gemm(net: Net, s: Size) -> str:
    first = net.gemm(net.x(s.n, s.c), s.c, s.o, net.normal(s.o))
    norm = net.bn(net("Relu", first), s.o)
    return net.gemm(norm, s.o, s.c, net.normal(s.c), transB=1, alpha=0.5, beta=2.0)


def _through_flatten(net: Net, s: Size) -> str:
    first = net.conv(_image(net, s), s.c, s.o, 3, 3, pads=[1] * 4)
    flat = net("Flatten", net.bn(net("Relu", first), s.o))
    return net.gemm(flat, s.o * s.h * s.w, 3, net.normal(3))


BEFORE.add("BN, Conv", 1, lambda n, s: n.conv(n.bn(_image(n, s), s.c), s.c, s.o, 3, 3))
BEFORE.add("BN, grouped Conv", 1, _before_groups)
BEFORE.add("BN, Gemm", 1, lambda n, s: n.gemm(n.bn(n.x(s.n, s.c), s.c), s.c, s.o, n.normal(s.o)))
BEFORE.add("BN, MatMul", 1, lambda n, s: n("MatMul", n.bn(n.x(s.n, s.c), s.c), n.normal(s.c, s.o)))
BEFORE.add("Conv, Relu, BN, Conv", 3, _conv_relu_bn_conv)
BEFORE.add("Gemm, Relu, BN, Gemm", 3, _gemm_relu_bn_gemm)
BEFORE.add("Conv, Relu, BN, Flatten, Gemm", 4, _through_flatten)
BEFORE.add("BN, BN", 1, lambda net, s: net.bn(net.bn(_image(net, s), s.c), s.c))


def _gemm_gemm(net: Net, s: Size) -> str:
    first = net.gemm(net.x(s.n, s.c), s.c, s.o, net.normal(s.o))
    return net.gemm(first, s.o, s.c, net.normal(s.c), transB=1)


def _conv_pointwise(net: Net, s: Size) -> str:
    return net.conv(net.conv(_image(net, s), s.c, s.o, 3, 3), s.o, s.o, 1, 1)


def _conv(net: Net, s: Size) -> str:
    return net.conv(_image(net, s), s.c, s.o, 3, 3, pads=[1] * 4)


def _concat(net: Net, s: Size) -> str:
    x = _image(net, s)
    parts = [net.conv(x, s.c, s.o, 3, 3, pads=[1] * 4), net.conv(x, s.c, s.c, 1, 1, bias=False)]
    return net.bn(net("Concat", *parts, axis=1), s.o + s.c)


def _pooled(op: str, **options: bool) -> object:
    def build(net: Net, s: Size) -> str:
        return net.bn(net(op, _conv(net, s), kernel_shape=[2, 2]), s.o, **options)

    return build


THROUGH.add("Gemm, Gemm", 1, _gemm_gemm)
THROUGH.add("Conv 3x3, Conv 1x1", 1, _conv_pointwise)
THROUGH.add(
    "Conv, Reshape, BN", 2, lambda n, s: n.bn(n("Reshape", _conv(n, s), n.k([0, 0, -1])), s.o)
)
THROUGH.add("two Convs, Concat, BN", 3, _concat)
THROUGH.add("Conv, AveragePool, BN", 2, _pooled("AveragePool"))
THROUGH.add("Conv, MaxPool, BN of positive scales", 2, _pooled("MaxPool", positive=True))

FAMILIES = (GEMM, MATMUL, LAYOUT, BEFORE, THROUGH)
