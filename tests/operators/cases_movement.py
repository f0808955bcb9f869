"""Operators that move, copy, pick and arrange elements, and constants."""

from collections.abc import Iterator

import numpy as np
from models import Case, booleans, case, constant, floats, indices, integers, network, weights

X = floats(2, 3, 4)


def shapes() -> Iterator[Case]:
    yield case("Reshape", "constant", X, indices(4, 6))
    yield case("Reshape", "-1 and 0", X, indices(0, -1))
    yield case("Reshape", "allowzero", X, indices(6, -1), allowzero=1, opset=14)
    yield case("Reshape", "opset 1", X, opset=1, shape=[4, 6], types=[(1, (4, 6))])
    yield network(
        "Reshape",
        "by computed shape",
        "s = Shape (x) a = Gather (s, zero) b = Unsqueeze (a, zero1)"
        " c = Concat <axis = 0> (b, rest) y = Reshape (x, c)",
        x=X,
        zero=constant(0, np.int64),
        zero1=indices(0),
        rest=indices(-1),
    )
    yield network("Flatten", "named batch", "y = Flatten (x)", x=floats("batch", 3, 4))
    for axis in (0, 1, 2, -1):
        yield case("Flatten", f"axis {axis}", X, axis=axis)
    yield case("Transpose", "default", X)
    yield case("Transpose", "perm 0, 2, 1", X, perm=[0, 2, 1])
    yield case("Transpose", "rank 4", floats(1, 2, 3, 4), perm=[0, 2, 3, 1])
    yield case("Squeeze", "opset 13", floats(1, 3, 1, 2), indices(0, 2))
    yield case("Squeeze", "opset 11", floats(1, 3, 1, 2), opset=11, axes=[0])
    yield case("Squeeze", "no axes", floats(1, 3, 1, 2))
    yield case("Unsqueeze", "opset 13", X, indices(0, -1))
    yield case("Unsqueeze", "opset 11", X, opset=11, axes=[1])
    yield case("Expand", "new axis", floats(3, 1), indices(2, 3, 4))
    yield case("Expand", "only new axes", floats(3, 4), indices(2, 3, 4))
    yield case("Expand", "two axes", floats(1, 3, 1), indices(2, 3, 4))
    yield case("Expand", "first axis", floats(1, 3), indices(2, 3))
    yield case("Expand", "scalar", floats(), indices(2, 3))
    yield case("Expand", "to a smaller rank", floats(2, 1, 3), indices(1))
    yield case("Expand", "one axis", floats(2, 1, 3), indices(2, 4, 3))
    yield case(
        "Expand",
        "shape is an input",
        floats(3, 1),
        integers(2, draw="positive integers"),
        types=[(1, (None, None))],
    )
    yield case("Tile", "last axis", floats(2, 3), indices(1, 2))
    yield case("Tile", "both axes", floats(2, 3), indices(2, 3))
    yield case("Tile", "by one", floats(2, 3), indices(1, 1))
    yield case("Identity", "alone", X)
    yield case("Dropout", "opset 13", X)
    yield case("Dropout", "mask read", X, outputs=2)
    yield case("Dropout", "training mode", X, constant(0.5), constant(True, np.bool_))
    yield case("Shape", "of an input", X)
    yield case("Size", "of an input", X)
    yield network(
        "Shape",
        "as a factor",
        "s = Shape (x) f = Cast <to = 1> (s) y = Mul (v, f)",
        x=X,
        v=floats(3),
    )


def arrangements() -> Iterator[Case]:
    yield case("Concat", "two inputs", X, X, axis=1)
    yield case("Concat", "negative axis", X, floats(2, 3, 1), axis=-1)
    yield case("Concat", "constant", X, weights(2, 3, 2), axis=2)
    yield case("Concat", "one input", X, axis=0)
    yield case("Concat", "the same twice", X, X, axis=0)
    yield case("Split", "equal", floats(2, 4), axis=1, outputs=2)
    yield case("Split", "sizes", floats(2, 4), indices(1, 3), axis=1, outputs=2)
    yield case("Split", "opset 11", floats(2, 4), opset=11, axis=1, split=[1, 3], outputs=2)
    yield case("Split", "num_outputs", floats(2, 5), opset=18, axis=1, num_outputs=2, outputs=2)
    yield case("Slice", "one axis", X, indices(1), indices(3), indices(2))
    yield case("Slice", "two axes", X, indices(0, 1), indices(1, 3), indices(0, 2))
    yield case("Slice", "negative bounds", X, indices(-3), indices(-1), indices(2))
    yield case("Slice", "step 2", X, indices(0), indices(4), indices(2), indices(2))
    yield case("Slice", "step -1", X, indices(3), indices(-9), indices(2), indices(-1))
    yield case("Slice", "beyond the end", X, indices(1), indices(2**62), indices(1))
    yield case("Slice", "no axes", X, indices(0, 1, 1), indices(2, 3, 3))
    yield case("Slice", "opset 1", X, opset=1, starts=[1], ends=[3], axes=[2])
    yield case(
        "Slice",
        "bounds are inputs",
        X,
        integers(1, draw="indices"),
        indices(3),
        indices(2),
        types=[(1, (2, 3, None))],
    )
    yield case("Slice", "nothing left", X, indices(2), indices(2), indices(2))
    pads = indices(0, 0, 1, 1, 0, 0, 2, 0)
    image = floats(1, 2, 3, 3)
    yield case("Pad", "constant 0", image, pads)
    yield case("Pad", "constant 0 given", image, pads, constant(0))
    yield case("Pad", "constant 1.5", image, pads, constant(1.5))
    yield case("Pad", "constant -2", image, pads, constant(-2))
    for mode in ("reflect", "edge", "wrap"):
        yield case("Pad", mode, image, pads, mode=mode, opset=19 if mode == "wrap" else 17)
    yield case("Pad", "negative", image, indices(0, 0, -1, 0, 0, 0, 0, -1))
    yield case("Pad", "negative and positive", image, indices(0, 0, -1, 1, 0, 0, 1, -1))
    yield case("Pad", "batch and channel", image, indices(1, 1, 0, 0, 0, 1, 0, 0))
    yield case("Pad", "opset 2", image, opset=2, pads=[0, 0, 1, 1, 0, 0, 1, 1])
    yield case("Pad", "opset 2 value", image, opset=2, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.5)
    yield case("Pad", "axes", image, indices(1, 1), None, indices(2), opset=18)
    yield case("Pad", "int64", integers(2, 3), indices(0, 1, 0, 1))
    yield network(
        "Pad",
        "before Conv",
        "p = Pad (x, n) y = Conv (p, w)",
        x=image,
        n=pads,
        w=weights(2, 2, 3, 3),
    )
    yield network(
        "Pad",
        "reflect before Conv",
        'p = Pad <mode = "reflect"> (x, n) y = Conv (p, w)',
        x=image,
        n=pads,
        w=weights(2, 2, 3, 3),
    )
    yield case("ReverseSequence", "default", floats(3, 2), indices(2, 3))
    for variant, attributes, extra in (
        ("upper", {}, ()),
        ("lower", {"upper": 0}, ()),
        ("upper k 1", {}, (constant(1, np.int64),)),
        ("lower k -1", {"upper": 0}, (constant(-1, np.int64),)),
    ):
        yield case("Trilu", variant, floats(3, 4), *extra, **attributes)
    yield case("Trilu", "batched", floats(2, 3, 3))


def picks() -> Iterator[Case]:
    x = floats(3, 4)
    yield case("Gather", "constant", x, indices(0, 2))
    yield case("Gather", "axis 1", x, indices(3, 0, 1), axis=1)
    yield case("Gather", "index -1", x, indices(0, -1))
    yield case("Gather", "index -2", x, indices(0, -2))
    yield case("Gather", "scalar index", x, constant(1, np.int64), axis=1)
    yield case("Gather", "2d indices", x, indices([0, 1], [2, 0]))
    yield case("Gather", "2d indices, axis 1", x, indices([0, 1], [2, 0]), axis=1)
    yield case("Gather", "repeated", x, indices(1, 1, 1))
    yield case("Gather", "indices are an input", x, integers(2, draw="indices"))
    yield case("Gather", "embedding", weights(5, 3), integers(1, 4, draw="indices"))
    yield case("GatherElements", "constant", x, indices([0, 1, 2, 0], [2, 0, 0, 1]))
    yield case("GatherElements", "axis 1", x, indices([0, 3], [2, 0], [1, 1]), axis=1)
    yield case("GatherElements", "negative index", x, indices([0, -1, 2, -2]))
    yield case("GatherElements", "indices are an input", x, integers(2, 4, draw="indices"))
    yield case("GatherND", "constant", x, indices([0, 1], [2, 3]))
    yield case("GatherND", "rows", x, indices([0], [2]))
    yield case("GatherND", "negative index", x, indices([-1, -2], [0, 1]))
    yield case(
        "GatherND", "batch_dims 1", floats(2, 3, 4), indices([[0, 1]], [[2, 3]]), batch_dims=1
    )
    yield case("GatherND", "indices are an input", x, integers(2, 2, draw="indices"))
    updates = floats(1, 4)
    yield case("ScatterElements", "constant", x, indices([0, 1, 2, 0]), updates)
    yield case("ScatterElements", "axis 1", x, indices([1], [0], [2]), floats(3, 1), axis=1)
    yield case("ScatterElements", "constant updates", x, indices([0, 1, 2, 0]), weights(1, 4))
    yield case("ScatterElements", "constant data", weights(3, 4), indices([0, 1, 2, 0]), updates)
    yield case("ScatterElements", "negative index", x, indices([0, -1, 2, -2]), updates)
    yield case(
        "ScatterElements", "indices are an input", x, integers(1, 4, draw="indices"), updates
    )
    yield case("Scatter", "opset 9", x, indices([0, 1, 2, 0]), updates, opset=9)
    yield case("ScatterND", "constant", x, indices([0, 1], [2, 3]), floats(2))
    yield case("ScatterND", "rows", x, indices([1]), floats(1, 4))
    yield case("ScatterND", "constant data", weights(3, 4), indices([0, 1], [2, 3]), floats(2))
    yield case("ScatterND", "constant rows", x, indices([1]), weights(1, 4))
    yield case("ScatterND", "constant updates", x, indices([0, 1], [2, 3]), weights(2))
    yield case("ScatterND", "negative index", x, indices([-1, -2]), floats(1))
    yield case("ScatterND", "indices are an input", x, integers(2, 2, draw="indices"), floats(2))
    yield case("OneHot", "0 and 1", integers(3, draw="indices"), indices(4), constant([0, 1]))
    yield case(
        "OneHot", "other values", integers(3, draw="indices"), indices(4), constant([-0.5, 2])
    )
    yield case(
        "OneHot", "axis 0", integers(3, draw="indices"), indices(4), constant([0, 1]), axis=0
    )
    yield case(
        "OneHot", "reversed values", integers(3, draw="indices"), indices(4), constant([1, 0])
    )
    yield case("OneHot", "negative index", integers(3), indices(4), constant([0, 1]))
    yield case("TensorScatter", "default", floats(1, 4, 2), floats(1, 2, 2), indices(1), opset=24)
    yield case(
        "Compress",
        "constant",
        x,
        constant([True, False, True], np.bool_),
        axis=0,
        types=[(1, (None, 4))],
    )
    yield case("Compress", "condition is an input", x, booleans(3), axis=0, types=[(1, (None, 4))])
    yield case("NonZero", "of an input", x)
    yield case("Unique", "default", floats(4), types=[(1, (None,))])
    yield case("NonMaxSuppression", "default", floats(1, 3, 4), floats(1, 1, 3), indices(2))


def reduced_scatters() -> Iterator[Case]:
    x, updates = floats(3, 4), floats(1, 4)
    yield case(
        "ScatterElements",
        "reduction add",
        x,
        indices([0, 1, 2, 0]),
        updates,
        reduction="add",
        opset=18,
    )
    yield case(
        "ScatterND",
        "reduction add",
        x,
        indices([0, 1], [2, 3]),
        floats(2),
        reduction="add",
        opset=18,
    )
    yield case(
        "ScatterND",
        "reduction add, rows, several to one",
        x,
        indices([1], [0], [1]),
        floats(3, 4),
        reduction="add",
        opset=18,
    )
    yield case(
        "ScatterElements",
        "reduction max",
        x,
        indices([0, 1, 2, 0], [0, 1, 1, 2]),
        floats(2, 4),
        reduction="max",
        opset=18,
    )
    yield case(
        "ScatterElements",
        "reduction mul",
        x,
        indices([0, 1, 2, 0]),
        updates,
        reduction="mul",
        opset=18,
    )


def constants() -> Iterator[Case]:
    yield network(
        "Constant",
        "in an Add",
        "c = Constant <value_floats = [1.0, 2.0]> () y = Add (x, c)",
        x=floats(3, 2),
    )
    yield network(
        "Constant", "as an output", "r = Relu (x) y = Constant <value_float = 1.0> ()", x=floats(2)
    )
    yield network(
        "ConstantOfShape",
        "in an Add",
        "c = ConstantOfShape (s) y = Add (x, c)",
        x=floats(2, 3),
        s=indices(2, 3),
    )
    yield network(
        "ConstantOfShape",
        "of a computed shape",
        "s = Shape (x) c = ConstantOfShape (s) y = Add (x, c)",
        x=floats(2, 3),
    )
    yield network(
        "Range",
        "constant",
        "r = Range (a, b, c) y = Add (x, r)",
        x=floats(3),
        a=constant(0),
        b=constant(3),
        c=constant(1),
    )
    yield case(
        "Range",
        "limit is an input",
        constant(0),
        floats(draw="positive"),
        constant(1),
        types=[(1, (None,))],
    )
    yield case("EyeLike", "of an input", floats(3, 3))
    yield case("HannWindow", "constant", constant(4, np.int64))
    yield case(
        "MelWeightMatrix",
        "constant",
        *[constant(v, np.int64) for v in (4, 16, 8000)],
        constant(0),
        constant(4000),
    )
    yield case("RandomNormal", "default", shape=[2, 3])
    for operator in ("RandomNormalLike", "RandomUniformLike", "Bernoulli"):
        yield case(operator, "default", floats(2, 3, draw="positive"))
    yield case("Multinomial", "default", floats(1, 3, draw="positive"), sample_size=2)
    yield case("DFT", "opset 17", floats(1, 4, 1), axis=1)
    yield case(
        "STFT", "default", floats(1, 8, 1), constant(4, np.int64), None, constant(4, np.int64)
    )


def cases() -> Iterator[Case]:
    yield from shapes()
    yield from arrangements()
    yield from picks()
    yield from reduced_scatters()
    yield from constants()
