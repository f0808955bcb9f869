"""Comparisons, logic, choices, casts and element types."""

from collections.abc import Iterator

import numpy as np
from models import (
    Case,
    Input,
    booleans,
    case,
    constant,
    floats,
    integers,
    network,
    typed,
    weights,
)
from onnx import TensorProto

X = floats(2, 5)

GRID = floats(2, 8, draw="grid")


def logic() -> Iterator[Case]:
    for operator in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        yield case(operator, "two inputs", GRID, GRID)
        yield case(operator, "constant", GRID, constant(0.5))
        yield case(operator, "constant first", constant(0.5), GRID)
        yield case(operator, "broadcast inputs", GRID, floats(8, draw="grid"))
        yield case(operator, "int64", integers(2, 5), integers(2, 5))
        yield network(
            operator,
            "cast to float32",
            f"a = {operator} (x, z) y = Cast <to = 1> (a)",
            x=GRID,
            z=GRID,
        )
        yield network(
            operator,
            "cast to float32 and used",
            f"a = {operator} (x, z) b = Cast <to = 1> (a) y = Mul (b, x)",
            x=GRID,
            z=GRID,
        )
        yield network(
            operator,
            "condition of Where",
            f"a = {operator} (x, z) y = Where (a, x, w)",
            x=GRID,
            z=GRID,
            w=weights(2, 8),
        )
    for operator in ("And", "Or", "Xor"):
        yield case(operator, "two inputs", booleans(2, 5), booleans(2, 5))
        yield case(operator, "broadcast inputs", booleans(2, 5), booleans(5))
        yield case(operator, "constant", booleans(2, 2), constant([True, False], np.bool_))
        yield network(
            operator,
            "of comparisons",
            f"a = Greater (x, z) b = Less (x, w) y = {operator} (a, b)",
            x=GRID,
            z=GRID,
            w=constant(1),
        )
    yield case("Not", "input", booleans(2, 5))
    yield network("Not", "of Equal", "a = Equal (x, z) y = Not (a)", x=GRID, z=GRID)
    yield network(
        "And", "of Equal", "a = Equal (x, z) b = Less (x, z) y = And (a, b)", x=GRID, z=GRID
    )
    yield network(
        "Where",
        "Not of Equal",
        "a = Equal (x, z) b = Not (a) y = Where (b, x, w)",
        x=GRID,
        z=GRID,
        w=weights(2, 8),
    )
    yield network("Not", "of a comparison", "a = Greater (x, z) y = Not (a)", x=GRID, z=GRID)
    yield case("Where", "three inputs", booleans(2, 5), X, X)
    yield case("Where", "broadcast condition", booleans(5), X, X)
    yield case("Where", "broadcast branches", booleans(2, 5), floats(5), floats(2, 1))
    yield case("Where", "constant branches", booleans(2, 5), weights(2, 5), weights(2, 5, seed=3))
    yield case("Where", "scalar branches", booleans(2, 5), constant(1), constant(0))
    yield case("Where", "scalar constant and input", booleans(2, 5), X, constant(-9))
    yield case(
        "Where", "constant condition", constant([True, False, True, False, True], np.bool_), X, X
    )


def casts() -> Iterator[Case]:
    kinds = {"float32": 1, "int64": 7, "int32": 6, "bool": 9, "float16": 10, "double": 11}
    for target, kind in kinds.items():
        yield case("Cast", f"float32 to {target}", floats(2, 8, draw="grid"), to=kind)
        yield case("Cast", f"int64 to {target}", integers(2, 5), to=kind)
        yield case("Cast", f"bool to {target}", booleans(2, 5), to=kind)
    for text, variant in (
        ("f = Floor (x)", "rounded down"),
        ("f = Round (x)", "rounded"),
        ("f = Relu (x)", "ReLU"),
        ("f = Abs (x)", "magnitude"),
    ):
        yield network(
            "Cast",
            f"to int64, {variant}",
            f"{text} y = Cast <to = 7> (f)",
            x=floats(2, 8, draw="grid"),
        )
    yield case("Cast", "float32 to uint8", floats(2, 5, draw="positive"), to=2)
    yield case("CastLike", "float32 to int64", floats(2, 8, draw="grid"), constant([0], np.int64))
    yield network(
        "Cast",
        "int64 to float32 and scaled",
        "a = Cast <to = 1> (x) y = Mul (a, w)",
        x=integers(2, 5),
        w=weights(5),
    )
    yield network(
        "Cast",
        "there and back",
        "a = Cast <to = 7> (x) b = Cast <to = 1> (a) y = Mul (b, w)",
        x=floats(2, 8, draw="grid"),
        w=weights(8),
    )
    for name, kind in (
        ("float16", TensorProto.FLOAT16),
        ("double", TensorProto.DOUBLE),
        ("bfloat16", TensorProto.BFLOAT16),
    ):
        yield case("Relu", name, typed(kind, 2, 5))
        yield case("Add", name, typed(kind, 2, 5), typed(kind, 2, 5))
        yield case("MatMul", name, typed(kind, 2, 5), typed(kind, 5, 2))
    for name, kind in (("int32", TensorProto.INT32), ("int8", TensorProto.INT8)):
        yield case("Add", name, typed(kind, 2, 5), typed(kind, 2, 5), types=[(kind, (2, 5))])
    narrow = Input((2, 5), TensorProto.UINT8, "bytes")
    for operator in ("Add", "Mul"):
        yield case(
            operator, "uint8 that wraps", narrow, narrow, types=[(TensorProto.UINT8, (2, 5))]
        )
    yield case("Max", "uint8", narrow, narrow)
    yield case(
        "Add",
        "uint8",
        typed(TensorProto.UINT8, 2, 5),
        typed(TensorProto.UINT8, 2, 5),
        types=[(TensorProto.UINT8, (2, 5))],
    )


def cases() -> Iterator[Case]:
    yield from logic()
    yield from casts()
