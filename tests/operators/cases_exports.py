"""What exporters write: masks of -inf, index arithmetic, other precisions, branches."""

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from models import Case, Input, case, constant, floats, indices, model_of, network, weights, written
from onnx import TensorProto, helper, numpy_helper

LOWEST = float(np.finfo(np.float32).min)
SCORES = floats(1, 2, 3, 3)


def _read_masks() -> Iterator[Case]:
    """As PyTorch writes scaled_dot_product_attention with a mask that the model is given."""
    kept = Input((1, 3), TensorProto.INT64, "booleans")
    guard = " n = IsNaN (s) y = Where (n, z, s)"
    for name, low in (("-inf", -np.inf), ("lowest float32", LOWEST)):
        for variant, masked in (
            ("chosen by Where", "m = Where (b, x, c)"),
            ("added", "a = Where (b, z, c) m = Add (x, a)"),
        ):
            yield network(
                "masked Softmax",
                f"mask is read, {variant}, {name}, guarded",
                f"b = Cast <to = 9> (k) {masked} s = Softmax <axis = -1> (m)" + guard,
                x=floats(2, 3),
                k=kept,
                z=constant(0.0),
                c=constant(low),
            )
    yield network(
        "Softmax", "guarded", "s = Softmax <axis = -1> (x)" + guard, x=SCORES, z=constant(0.0)
    )


def masks() -> Iterator[Case]:
    causal = np.triu(np.full((3, 3), -np.inf), 1)
    add = "m = Add (x, c) y = Softmax <axis = -1> (m)"
    yield network("masked Softmax", "causal, added -inf", add, x=SCORES, c=constant(causal))
    lowest = np.maximum(causal, LOWEST)
    yield network("masked Softmax", "causal, lowest float32", add, x=SCORES, c=constant(lowest))
    yield network(
        "masked Softmax",
        "padding, added -10000",
        "m = Add (c, x) y = Softmax <axis = -1> (m)",
        x=floats(2, 4),
        c=constant([[0, -1e4, -1e4, 0]]),
    )
    biased = np.where(np.isinf(causal), LOWEST, [[0.5, -1, 2]])
    yield network("masked Softmax", "with a bias", add, x=SCORES, c=constant(biased))
    yield network(
        "masked Softmax",
        "axis 0",
        "m = Add (x, c) y = Softmax <axis = 0> (m)",
        x=floats(3, 2),
        c=constant([[0], [-np.inf], [0]]),
    )
    condition = np.tril(np.ones((3, 3), np.bool_))
    yield network(
        "masked Softmax",
        "chosen by Where",
        "m = Where (b, x, c) y = Softmax <axis = -1> (m)",
        x=SCORES,
        b=condition,
        c=constant(-np.inf),
    )
    yield network(
        "masked Softmax",
        "chosen by Where, turned round",
        "m = Where (b, c, x) y = Softmax <axis = -1> (m)",
        x=SCORES,
        b=~condition,
        c=constant(LOWEST),
    )
    yield network("masked Softmax", "a whole row", add, x=floats(2, 3), c=constant([[-np.inf] * 3]))
    yield from _read_masks()
    yield network(
        "masked Softmax",
        "mask is an input",
        "f = Cast <to = 1> (k) o = Sub (one, f) n = Mul (o, c) m = Add (x, n)"
        " y = Softmax <axis = -1> (m)",
        x=floats(2, 3),
        k=Input((1, 3), TensorProto.INT64, "booleans"),
        one=constant(1),
        c=constant(-1e38),
    )
    yield network("Add", "infinity", "y = Add (x, c)", x=floats(2, 3), c=constant(np.inf))
    unbounded = "y = Clip (x, l, h)"
    for variant, low, high in (
        ("no lower bound but the lowest number", LOWEST, 1.0),
        ("no upper bound but infinity", 0.0, np.inf),
        ("no bounds but infinities", -np.inf, np.inf),
    ):
        yield network("Clip", variant, unbounded, x=floats(2, 3), l=constant(low), h=constant(high))


def picks() -> Iterator[Case]:
    grid = np.stack(np.meshgrid([0, 2, 1], [1, 1], indexing="ij"), axis=-1)
    yield case("GatherND", "grid of places", floats(3, 2, 1, 2), grid)
    nested = np.arange(12).reshape(2, 3, 2, 1) % 4
    yield case("GatherND", "places of rank 4", floats(4, 2), nested)
    yield case("GatherND", "elements", floats(2, 3), indices([0, 2], [1, -1]))
    yield network(
        "Pad",
        "value left out at the end",
        "y = Pad (x, p, )",
        x=floats(1, 2, 3),
        p=indices(0, 0, 1, 0, 0, 1),
    )
    yield network(
        "Resize",
        "sizes from Shape",
        "c = Conv (x, w) s = Shape (c) t = Slice (s, a, b) u = Concat <axis = 0> (t, z)"
        ' y = Resize <mode = "linear"> (c, , , u)',
        x=floats(1, 2, 4, 4),
        w=weights(2, 2, 1, 1),
        a=indices(0),
        b=indices(2),
        z=indices(7, 6),
    )
    yield case(
        "CumSum", "int64", Input((2, 4), TensorProto.INT64, "integers"), constant(1, np.int64)
    )


def recurrences() -> Iterator[Case]:
    w, r = weights(1, 8, 3), weights(1, 8, 2, seed=3)
    x, state = floats(2, 1, 3), floats(1, 1, 2)
    yield case(
        "LSTM",
        "initial state is an input",
        x,
        w,
        r,
        weights(1, 16),
        None,
        state,
        state,
        outputs=3,
        hidden_size=2,
    )
    full = constant([2], np.int32)
    yield case("LSTM", "lengths in full", x, w, r, None, full, outputs=["y0"], hidden_size=2)
    yield case("LSTM", "weights are inputs", x, floats(1, 8, 3), r, outputs=["y0"], hidden_size=2)
    gru = [weights(1, 6, 3), weights(1, 6, 2, seed=3), weights(1, 12)]
    yield case(
        "GRU",
        "linear_before_reset, initial state",
        x,
        *gru,
        None,
        state,
        outputs=["y0"],
        hidden_size=2,
        linear_before_reset=1,
    )
    yield case("GRU", "two sequences", floats(2, 2, 3), *gru, outputs=2, hidden_size=2)


def precisions() -> Iterator[Case]:
    for kind in (TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16):
        name = TensorProto.DataType.Name(kind).lower()
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        x = Input((1, 2, 4, 4), kind, "normal")
        w = weights(3, 2, 3, 3).astype(dtype)
        yield network("Conv", name, "c = Conv (x, w) y = Relu (c)", opset=22, x=x, w=w)
        row, matrix = Input((2, 4), kind, "normal"), weights(4, 3).astype(dtype)
        yield network("Gemm", name, "y = Gemm (x, w)", x=row, w=matrix)
        yield network(
            "precision",
            f"{name} inside",
            f"d = Cast <to = {int(kind)}> (x) m = Mul (d, d) y = Cast <to = 1> (m)",
            x=floats(2, 3),
        )


_BRANCHES = (
    "If <then_branch = t () => (float[2] p) { p = Relu (x) },"
    " else_branch = e () => (float[2] n) { n = Neg (x) }>"
)


def models() -> Iterator[Case]:
    yield written(
        "If",
        "condition computed from a shape",
        _parsed(
            f"g (float[2] x) => (float[2] y) <int64 two = {{2}}, int64 first = {{0}}>"
            f" {{ s = Shape (x) d = Gather (s, first) c = Equal (d, two) b = {_BRANCHES} (c)"
            " y = Sigmoid (b) }"
        ),
    )
    yield written("interface", "sparse constant", _sparse)


def _parsed(text: str) -> Callable[[], onnx.ModelProto]:
    head = '<ir_version: 8, opset_import: ["" : 17]>\n'
    return lambda: onnx.parser.parse_model(head + text)


def _sparse() -> onnx.ModelProto:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="node")
    made = model_of([node], {"x": floats(2, 3)}, ["y"], types=[(TensorProto.FLOAT, (2, 2))])
    values = numpy_helper.from_array(np.float32([1.5, -2]), "w")
    places = numpy_helper.from_array(np.array([1, 4]), "places")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [3, 2]))
    return made


def cases() -> Iterator[Case]:
    yield from masks()
    yield from picks()
    yield from recurrences()
    yield from precisions()
    yield from models()
