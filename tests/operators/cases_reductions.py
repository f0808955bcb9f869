"""Reductions over axes, sorting, running sums."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    Input,
    case,
    constant,
    floats,
    indices,
    integers,
    network,
)


def reductions() -> Iterator[Case]:
    x = floats(2, 3, 4)
    for operator in (
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSumSquare",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
    ):
        data = floats(2, 3, 4, draw="positive") if operator == "ReduceLogSum" else x
        old = {"opset": 11}
        yield case(operator, "last axis", data, **old, axes=[2])
        yield case(operator, "keepdims 0", data, **old, axes=[1], keepdims=0)
        yield case(operator, "two axes", data, **old, axes=[0, 2], keepdims=0)
        yield case(operator, "all axes", data, **old)
        yield case(operator, "opset 18", data, indices(1), opset=18)
    yield case("ReduceSum", "negative axis", x, opset=11, axes=[-1])
    yield case("ReduceSum", "opset 13", x, indices(1), opset=13)
    yield case("ReduceSum", "empty axes, noop", x, None, opset=13, noop_with_empty_axes=1)
    yield case(
        "ReduceSum",
        "axes are an input",
        x,
        integers(1, draw="indices"),
        opset=13,
        types=[(1, (None, None, None))],
    )
    yield case("ReduceSum", "int64", integers(2, 3), indices(1), opset=13)
    yield case("ReduceMean", "int64", integers(2, 4), opset=11, axes=[1])
    yield case("ReduceMean", "of 3", floats(2, 3), opset=11, axes=[1])
    yield case("ReduceProd", "two of three", floats(2, 3), opset=11, axes=[0])
    yield case("ReduceMax", "int64", integers(2, 4), opset=11, axes=[1])
    for operator in ("ArgMax", "ArgMin"):
        yield case(operator, "last axis", floats(2, 5), axis=1)
        yield case(operator, "keepdims 0", floats(2, 3, 4), axis=1, keepdims=0)
        yield case(operator, "axis 0", floats(3, 4), axis=0)
        yield case(operator, "ties", ties(), axis=1)
        yield case(operator, "last of the ties", ties(), axis=1, select_last_index=1)
    top = "v, i = TopK <axis = {}, largest = {}> (x, k) y = Identity (v)"
    for variant, axis, largest in (
        ("two largest", -1, 1),
        ("smallest", -1, 0),
        ("axis 0", 0, 1),
        ("ties", -1, 1),
    ):
        yield network(
            "TopK",
            variant,
            top.format(axis, largest),
            k=indices(2),
            x=ties() if variant == "ties" else floats(3, 5),
        )
    yield network(
        "TopK",
        "only the indices read",
        "v, i = TopK (x, k) y = Identity (i)",
        x=floats(2, 5),
        k=indices(2),
    )
    yield case("TopK", "indices read", floats(2, 5), indices(2), outputs=2)
    yield case("TopK", "opset 9", floats(2, 5), opset=9, k=2, outputs=2)
    yield case(
        "TopK",
        "k is an input",
        floats(2, 5),
        integers(1, draw="positive integers"),
        outputs=2,
        types=[(1, (2, None)), (7, (2, None))],
    )
    for variant, attributes in (
        ("default", {}),
        ("exclusive", {"exclusive": 1}),
        ("reverse", {"reverse": 1}),
        ("both", {"exclusive": 1, "reverse": 1}),
    ):
        yield case("CumSum", variant, floats(2, 5), constant(1, np.int64), **attributes)
    yield case("CumSum", "axis 0", floats(3, 4), constant(0, np.int64))


def ties() -> Input:
    return floats(2, 8, draw="grid")


def cases() -> Iterator[Case]:
    yield from reductions()
