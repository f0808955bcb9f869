"""Pools."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    case,
    constant,
    floats,
    network,
)

IMAGE = floats(1, 2, 6, 6)


def pools() -> Iterator[Case]:
    two = {"kernel_shape": [2, 2], "strides": [2, 2]}
    three = {"kernel_shape": [3, 3], "strides": [2, 2]}
    for operator in ("MaxPool", "AveragePool"):
        yield case(operator, "kernel 2 stride 2", IMAGE, **two)
        yield case(operator, "no strides", IMAGE, kernel_shape=[2, 2])
        yield case(operator, "overlapping", IMAGE, kernel_shape=[3, 3], strides=[1, 1])
        yield case(operator, "unequal window", IMAGE, kernel_shape=[2, 3], strides=[1, 2])
        yield case(operator, "padded", IMAGE, **three, pads=[1, 1, 1, 1])
        yield case(
            operator,
            "padded, negative values",
            floats(1, 2, 6, 6, draw="negative"),
            **three,
            pads=[1, 1, 1, 1],
        )
        yield case(operator, "asymmetric pads", IMAGE, **three, pads=[0, 0, 1, 1])
        yield case(operator, "auto_pad SAME_UPPER", IMAGE, **three, auto_pad="SAME_UPPER")
        yield case(operator, "auto_pad SAME_LOWER", IMAGE, **three, auto_pad="SAME_LOWER")
        yield case(operator, "auto_pad VALID", IMAGE, **three, auto_pad="VALID")
        yield case(operator, "ceil_mode without effect", IMAGE, **two, ceil_mode=1)
        yield case(operator, "ceil_mode", IMAGE, **three, ceil_mode=1)
        yield case(operator, "ceil_mode padded", IMAGE, **three, ceil_mode=1, pads=[1, 1, 1, 1])
        yield case(operator, "batch 2", floats(2, 2, 6, 6), **two)
        yield case(operator, "1d", floats(1, 2, 8), kernel_shape=[2], strides=[2])
        yield case(operator, "3d", floats(1, 1, 4, 4, 4), kernel_shape=[2, 2, 2], strides=[2, 2, 2])
        yield case(operator, "opset 7", IMAGE, opset=7, **two)
        yield case(operator, "opset 22", IMAGE, opset=22, **two)
        yield network(
            operator,
            "padded behind ReLU",
            f"r = Relu (x) y = {operator} <kernel_shape = [3, 3], strides = [2, 2],"
            " pads = [1, 1, 1, 1]> (r)",
            x=IMAGE,
        )
        yield network(
            operator,
            "ceil_mode behind ReLU",
            f"r = Relu (x) y = {operator} <kernel_shape = [3, 3], strides = [2, 2],"
            " ceil_mode = 1> (r)",
            x=IMAGE,
        )
    yield case(
        "MaxPool", "dilations 2", IMAGE, kernel_shape=[2, 2], strides=[1, 1], dilations=[2, 2]
    )
    yield case("MaxPool", "indices read", IMAGE, **two, outputs=2)
    yield case("MaxPool", "kernel 1", IMAGE, kernel_shape=[1, 1], strides=[2, 2])
    yield case(
        "AveragePool", "padding counts", IMAGE, **three, pads=[1, 1, 1, 1], count_include_pad=1
    )
    yield case(
        "AveragePool",
        "padding counts, ceil_mode",
        IMAGE,
        **three,
        pads=[1, 1, 1, 1],
        count_include_pad=1,
        ceil_mode=1,
    )
    yield case(
        "AveragePool",
        "dilations 2",
        IMAGE,
        kernel_shape=[2, 2],
        strides=[1, 1],
        dilations=[2, 2],
        opset=19,
    )
    for operator in ("GlobalAveragePool", "GlobalMaxPool"):
        yield case(operator, "2d", IMAGE)
        yield case(operator, "1d", floats(1, 2, 6))
        yield case(operator, "3d", floats(1, 2, 3, 3, 3))
        yield case(operator, "batch 2", floats(2, 2, 4, 4))
        yield case(operator, "odd size", floats(1, 2, 5, 3))
    yield case("LpPool", "p 2", IMAGE, **two)
    yield case("LpPool", "p 1", IMAGE, **two, p=1)
    yield case("GlobalLpPool", "p 2", IMAGE)
    yield case(
        "MaxUnpool",
        "default",
        IMAGE,
        constant(np.zeros((1, 2, 6, 6)), np.int64),
        **two,
        types=[(1, (1, 2, 12, 12))],
    )


def cases() -> Iterator[Case]:
    yield from pools()
