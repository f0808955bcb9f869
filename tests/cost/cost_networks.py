"""Small networks, in ONNX text, whose cells EZKL counts and zkprep predicts."""

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

Constants = dict[str, Any]

CONV = "kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1], dilations=[1,1]"
STRIDED = "kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2], dilations=[1,1]"
POINT = "kernel_shape=[1,1], pads=[0,0,0,0], strides=[1,1], dilations=[1,1]"
POOL = "kernel_shape=[2,2], pads=[0,0,0,0], strides=[2,2]"
NORM = {"s": (6,), "t": (6,), "m": (6,), "v": (6,)}
IMAGE = "float[1,4,8,8] x"


def network(inputs: str, body: str, **constants: Any) -> onnx.ModelProto:
    """A model of one output `y`; a constant is given as its shape (random) or its values."""
    graph = onnx.parser.parse_graph(f"g ({inputs}) => (float y) {{ {body} }}")
    graph.output[0].type.tensor_type.ClearField("shape")
    generator = np.random.default_rng(0)
    for position, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{position}"
    for name, given in constants.items():
        drawn = isinstance(given, tuple)
        array = np.asarray(generator.uniform(0.1, 0.6, given) if drawn else given)
        kept = array.astype(np.float32) if array.dtype == np.float64 else array
        graph.initializer.append(numpy_helper.from_array(kept, name))
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


NETWORKS = {
    "conv": network(IMAGE, f"y = Conv<{CONV}>(x, w, b)", w=(6, 4, 3, 3), b=(6,)),
    "conv-no-bias": network(IMAGE, f"y = Conv<{CONV}>(x, w)", w=(6, 4, 3, 3)),
    "conv-1d": network(
        "float[1,3,9] x",
        "y = Conv<kernel_shape=[3], pads=[1,1], strides=[1], dilations=[1]>(x, w, b)",
        w=(5, 3, 3),
        b=(5,),
    ),
    "conv-strided": network(IMAGE, f"y = Conv<{STRIDED}>(x, w, b)", w=(5, 4, 3, 3), b=(5,)),
    "conv-grouped": network(IMAGE, f"y = Conv<{CONV}, group=2>(x, w, b)", w=(6, 2, 3, 3), b=(6,)),
    "conv-depthwise": network(IMAGE, f"y = Conv<{CONV}, group=4>(x, w, b)", w=(4, 1, 3, 3), b=(4,)),
    "conv-1x1": network(IMAGE, f"y = Conv<{POINT}>(x, w, b)", w=(6, 4, 1, 1), b=(6,)),
    "conv-1x1-zero-bias": network(
        IMAGE, f"y = Conv<{POINT}>(x, w, b)", w=(6, 4, 1, 1), b=np.zeros(6)
    ),
    "conv-1x1-padded": network(
        IMAGE,
        "y = Conv<kernel_shape=[1,1], pads=[1,1,1,1], strides=[1,1]>(x, w)",
        w=(3, 4, 1, 1),
    ),
    "conv-1x1-strided": network(
        IMAGE,
        "y = Conv<kernel_shape=[1,1], pads=[0,0,0,0], strides=[2,2]>(x, w, b)",
        w=(6, 4, 1, 1),
        b=(6,),
    ),
    "conv-1x3-strided": network(
        IMAGE,
        "y = Conv<kernel_shape=[1,3], pads=[0,1,0,1], strides=[2,1]>(x, w)",
        w=(5, 4, 1, 3),
    ),
    "conv-padded-before": network(
        IMAGE,
        "p = Pad(x, q)  y = Conv<kernel_shape=[3,3], pads=[0,0,0,0], strides=[1,1]>(p, w)",
        w=(4, 4, 3, 3),
        q=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    ),
    "conv-twice-no-bias": network(
        IMAGE, f"c = Conv<{CONV}>(x, w)  y = Conv<{CONV}>(c, u)", w=(3, 4, 3, 3), u=(5, 3, 3, 3)
    ),
    "conv-transpose": network(
        IMAGE,
        "y = ConvTranspose<kernel_shape=[2,2], strides=[2,2], pads=[0,0,0,0], dilations=[1,1]>"
        "(x, w, b)",
        w=(4, 3, 2, 2),
        b=(3,),
    ),
    "conv-norm": network(
        IMAGE,
        f"c = Conv<{CONV}>(x, w)  n = BatchNormalization(c, s, t, m, v)  y = Relu(n)",
        w=(6, 4, 3, 3),
        **NORM,
    ),
    "conv-norm-mul-add": network(
        IMAGE,
        f"c = Conv<{CONV}>(x, w)  n = BatchNormalization(c, s, t, m, v)  p = Mul(n, k)"
        "  y = Add(p, k)",
        w=(6, 4, 3, 3),
        k=(6, 1, 1),
        **NORM,
    ),
    "conv-1x1-norm": network(
        IMAGE,
        f"c = Conv<{POINT}>(x, w, b)  y = BatchNormalization(c, s, t, m, v)",
        w=(6, 4, 1, 1),
        b=(6,),
        **NORM,
    ),
    "conv-scalar-mul": network(
        IMAGE, f"c = Conv<{CONV}>(x, w)  y = Mul(c, k)", w=(6, 4, 3, 3), k=0.3
    ),
    "norm-untrained": network(
        "float[1,6,5,5] x",
        "y = BatchNormalization(x, s, t, m, v)",
        s=np.ones(6),
        t=np.zeros(6),
        m=np.zeros(6),
        v=np.ones(6),
    ),
    "gemm": network("float[1,16] x", "y = Gemm<transB=1>(x, w, b)", w=(7, 16), b=(7,)),
    "gemm-batch": network(
        "float[3,9] x",
        "h = Gemm<transB=1>(x, w, b)  r = Relu(h)  y = Gemm<alpha=0.5, beta=0.3>(r, u, c)",
        w=(7, 9),
        b=(7,),
        u=(7, 3),
        c=(3,),
    ),
    "matmul-norm": network(
        "float[1,16] x",
        "p = MatMul(x, w)  a = Add(p, b)  y = BatchNormalization(a, s, t, m, v)",
        w=(16, 6),
        b=(6,),
        **NORM,
    ),
    "matmul-of-two": network("float[1,2,5,7] x, float[1,2,7,3] z", "y = MatMul(x, z)"),
    "relu": network(IMAGE, "y = Relu(x)"),
    "leaky-relu": network(IMAGE, "y = LeakyRelu<alpha=0.1>(x)"),
    "clip": network(IMAGE, "y = Clip(x, a, b)", a=np.float32(0), b=np.float32(6)),
    "clip-both": network(IMAGE, "y = Clip(x, a, b)", a=np.float32(-1), b=np.float32(1)),
    "sigmoid-tanh": network(IMAGE, "s = Sigmoid(x)  y = Tanh(s)"),
    "hard": network(IMAGE, "s = HardSigmoid(x)  y = HardSwish(s)"),
    "prelu-elu": network(IMAGE, "p = PRelu(x, k)  y = Elu<alpha=0.5>(p)", k=(4, 1, 1)),
    "softmax": network("float[1,3,4,10] x", "y = Softmax<axis=-1>(x)"),
    "softmax-channels": network("float[2,3,5] x", "y = Softmax<axis=1>(x)"),
    "add": network(f"{IMAGE}, float[1,4,1,1] z", "a = Add(x, z)  y = Sub(a, k)", k=(4, 1, 1)),
    "mul": network(f"{IMAGE}, float[1,4,8,8] z", "y = Mul(x, z)"),
    "mul-by-powers": network(
        IMAGE, "p = Mul(x, q)  r = Relu(p)  y = Div(r, f)", q=np.float32(0.25), f=np.float32(8)
    ),
    "mul-by-one": network(
        IMAGE, "p = Mul(x, i)  a = Add(p, z)  y = Abs(a)", i=np.float32(1), z=np.zeros((4, 1, 1))
    ),
    "shared-constant": network(
        IMAGE, "a = Add(x, k)  r = Relu(a)  m = Mul(r, k)  y = Add(m, z)", k=(4, 1, 1), z=0.4
    ),
    "divide": network(
        "float[1,6] x, float[1,6] z", "d = Div(x, z)  y = Div(d, c)", c=np.float32(3)
    ),
    "max-pool": network(IMAGE, f"y = MaxPool<{POOL}>(x)"),
    "max-pool-padded": network(
        IMAGE, "y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2]>(x)"
    ),
    "average-pool": network(IMAGE, f"y = AveragePool<{POOL}>(x)"),
    "average-pool-odd": network(
        "float[2,3,7,7] x", "y = AveragePool<kernel_shape=[3,3], pads=[0,0,0,0], strides=[2,2]>(x)"
    ),
    "global-average-flatten-gemm": network(
        IMAGE,
        "g = GlobalAveragePool(x)  f = Flatten(g)  y = Gemm<transB=1>(f, w, b)",
        w=(10, 4),
        b=(10,),
    ),
    "global-average-odd": network("float[1,4,7,7] x", "g = GlobalAveragePool(x)  y = Relu(g)"),
    "reductions": network(
        "float[2,3,8] x",
        "s = ReduceSum<keepdims=1>(x, a)  m = ReduceMean<axes=[2], keepdims=0>(x)"
        "  t = Unsqueeze(m, b)  y = Add(s, t)",
        a=np.array([1]),
        b=np.array([2]),
    ),
    "moved": network(
        IMAGE,
        "t = Transpose<perm=[0,2,3,1]>(x)  r = Relu(t)  f = Reshape(r, n)  y = Abs(f)",
        n=np.array([1, -1]),
    ),
    "sliced": network(
        IMAGE,
        "a = Slice(x, o, e, d, s)  y = Relu(a)",
        o=np.array([0, 1]),
        e=np.array([8, 7]),
        d=np.array([2, 3]),
        s=np.array([2, 1]),
    ),
    "cut-behind-activation": network(
        IMAGE,
        "r = Relu(x)  a = Add(r, k)  y = Slice(a, o, e, d)",
        k=(4, 1, 1),
        o=np.array([1]),
        e=np.array([3]),
        d=np.array([1]),
    ),
    "cut-behind-table": network(IMAGE, "s = Sigmoid(x)  y = Gather<axis=1>(s, i)", i=np.array([2])),
    "cut-in-two": network(
        IMAGE,
        "a = Add(x, k)  b, c = Split<axis=1>(a, z)  r = Relu(c)  y = Mul(b, r)",
        k=(1, 4, 8, 8),
        z=np.array([2, 2]),
    ),
    "cut-behind-products": network(
        "float[6,5] x",
        "p = MatMul(x, w)  q = Gemm<transB=1>(p, u, b)  y = Slice(q, o, e, d)",
        w=(5, 8),
        u=(7, 8),
        b=(7,),
        o=np.array([1, 2]),
        e=np.array([4, 9]),
        d=np.array([0, 1]),
    ),
    "cut-behind-concat": network(
        IMAGE,
        "r = Relu(x)  c = Concat<axis=1>(r, x)  y = Slice(c, o, e, d)",
        o=np.array([1]),
        e=np.array([4]),
        d=np.array([1]),
    ),
    "stride-behind-cut": network(
        IMAGE,
        "s = Sum(x, x, k)  t = Transpose<perm=[0,1,3,2]>(s)  y = Slice(t, o, e, d, j)",
        k=(4, 8, 8),
        o=np.array([1]),
        e=np.array([8]),
        d=np.array([3]),
        j=np.array([3]),
    ),
    "stride-backwards": network(
        IMAGE,
        "c = Cos(x)  r = Relu(c)  y = Slice(r, o, e, d, j)",
        o=np.array([-1]),
        e=np.array([0]),
        d=np.array([1]),
        j=np.array([-2]),
    ),
    "stride-into-conv": network(
        IMAGE,
        f"c = Conv<{CONV}>(x, w, b)  n = BatchNormalization(c, s, t, m, v)"
        "  y = Conv<kernel_shape=[1,2], pads=[0,0,0,0], strides=[2,2]>(n, u)",
        w=(6, 4, 3, 3),
        b=(6,),
        u=(3, 6, 1, 2),
        **NORM,
    ),
    "stride-behind-einsum": network(
        IMAGE,
        f"c = Conv<{POINT}>(x, w)  a = Add(c, k)  r = Relu(a)"
        "  y = Conv<kernel_shape=[1,1], pads=[0,0,0,0], strides=[2,2]>(r, u)",
        w=(6, 4, 1, 1),
        k=(6, 1, 1),
        u=(3, 6, 1, 1),
    ),
    "scalar-at-two-ranks": network(
        IMAGE,
        "a = Add(x, k)  f = Flatten(a)  b = Mul(f, k)  r = Relu(b)  y = Mul(r, z)",
        k=np.float32(0.3),
        z=(1, 256),
    ),
    "concat-conv": network(
        IMAGE,
        f"a = Relu(x)  b = Sigmoid(x)  c = Concat<axis=1>(a, b)  y = Conv<{CONV}>(c, w)",
        w=(3, 8, 3, 3),
    ),
    "concat-1x1": network(
        IMAGE,
        f"a = Relu(x)  b = Sigmoid(x)  c = Concat<axis=1>(a, b)  y = Conv<{POINT}>(c, w, k)",
        w=(3, 8, 1, 1),
        k=(3,),
    ),
    "inception": network(
        IMAGE,
        f"a = Conv<{POINT}>(x, w, b)"
        "  p = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1]>(x)"
        f"  c = Concat<axis=1>(a, p)  d = Conv<{POINT}>(c, u)  e = Conv<{CONV}>(c, t)"
        "  y = Add(d, e)",
        w=(2, 4, 1, 1),
        b=(2,),
        u=(3, 6, 1, 1),
        t=(3, 6, 3, 3),
    ),
    "layer-norm": network("float[1,4,16] x", "y = LayerNormalization(x, s, t)", s=(16,), t=(16,)),
    "instance-norm": network(IMAGE, "y = InstanceNormalization(x, s, t)", s=(4,), t=(4,)),
    "residual": network(
        "float[1,3,8,8] x",
        f"c = Conv<{CONV}>(x, w)  n = BatchNormalization(c, s, t, m, v)  r = Relu(n)"
        f"  d = Conv<{STRIDED}>(r, u)  o = BatchNormalization(d, s, t, m, v)"
        "  e = Conv<kernel_shape=[1,1], pads=[0,0,0,0], strides=[2,2]>(r, q)"
        "  a = Add(o, e)  z = Relu(a)  g = GlobalAveragePool(z)  f = Flatten(g)"
        "  y = Gemm<transB=1>(f, h, k)",
        w=(6, 3, 3, 3),
        u=(6, 6, 3, 3),
        q=(6, 6, 1, 1),
        h=(5, 6),
        k=(5,),
        **NORM,
    ),
    "inverted-residual": network(
        "float[1,6,7,7] x",
        f"e = Conv<{POINT}>(x, w)  n = BatchNormalization(e, s, t, m, v)  c = Clip(n, a, b)"
        f"  d = Conv<{CONV}, group=6>(c, u)  o = BatchNormalization(d, s, t, m, v)"
        f"  f = Clip(o, a, b)  p = Conv<{POINT}>(f, q)  y = Add(p, x)",
        w=(6, 6, 1, 1),
        u=(6, 1, 3, 3),
        q=(6, 6, 1, 1),
        a=np.float32(0),
        b=np.float32(6),
        **NORM,
    ),
    "attention": network(
        "float[1,5,8] x",
        "q = MatMul(x, wq)  k = MatMul(x, wk)  v = MatMul(x, wv)  t = Transpose<perm=[0,2,1]>(k)"
        "  s = MatMul(q, t)  d = Div(s, r)  p = Softmax<axis=-1>(d)  o = MatMul(p, v)"
        "  y = Add(o, x)",
        wq=(8, 8),
        wk=(8, 8),
        wv=(8, 8),
        r=np.float32(8**0.5),
    ),
}
