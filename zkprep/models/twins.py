"""Slices whose circuits are equal: the same operators, attributes, constants, whatever the names.

EZKL makes equal circuits, and byte for byte equal keys, of models that differ in names alone
(tests/models/test_twins.py), so slices with the same structure, weights and settings need one
set-up. Equal are models whose nodes are equal one after the other; the same circuit written down in
another order is taken for another one, which costs a set-up and nothing else.
"""

from collections.abc import Hashable, Mapping, Sequence
from hashlib import sha256

import onnx_ir as ir

_PLAIN = {
    ir.AttributeType.FLOAT,
    ir.AttributeType.FLOATS,
    ir.AttributeType.INT,
    ir.AttributeType.INTS,
    ir.AttributeType.STRING,
    ir.AttributeType.STRINGS,
}


def structure(model: ir.Model) -> str:
    """Equal for models that differ in the names of nodes and tensors alone."""
    places: dict[ir.Value, int] = {}
    said: list[object] = [sorted(model.opset_imports.items())]
    for value in model.graph.inputs:
        places[value] = len(places)
        said.append(_kind(value))
    for node in model.graph:
        read = [None if value is None else _read(value, places) for value in node.inputs]
        attributes = [_attribute(node.attributes[name]) for name in sorted(node.attributes)]
        said.append((node.domain, node.op_type, read, attributes))
        for value in node.outputs:
            places[value] = len(places)
            said.append(_kind(value))
    said.append([_read(value, places) for value in model.graph.outputs])
    return sha256(repr(said).encode()).hexdigest()


def pooled(
    models: Sequence[ir.Model], values: Sequence[Mapping[str, float]]
) -> list[dict[str, float]]:
    """For each model the largest of every value over all models of its structure.

    Args:
        models: of slices.
        values: for each a number per tensor, in the same order for models of the same structure.
    """
    kinds = [structure(model) for model in models]
    largest: dict[str, list[float]] = {}
    for kind, own in zip(kinds, values, strict=True):
        known = largest.setdefault(kind, list(own.values()))
        largest[kind] = [max(pair) for pair in zip(known, own.values(), strict=True)]
    return [
        dict(zip(own, largest[kind], strict=True)) for kind, own in zip(kinds, values, strict=True)
    ]


def firsts(kinds: Sequence[Hashable]) -> list[int]:
    """For each place the first place that holds an equal one."""
    seen: dict[Hashable, int] = {}
    return [seen.setdefault(kind, place) for place, kind in enumerate(kinds)]


def _kind(value: ir.Value) -> tuple[str, str]:
    return str(value.dtype), str(value.shape)


def _read(value: ir.Value, places: Mapping[ir.Value, int]) -> object:
    """A tensor by where it was made; a constant by what it holds."""
    if value in places:
        return places[value]
    if value.const_value is None:
        return value.name
    data = sha256(value.const_value.tobytes()).hexdigest()
    return str(value.const_value.dtype), str(value.const_value.shape), data


def _attribute(attribute: ir.Attr) -> object:
    """Its name and value; one that holds a tensor or a graph is equal to itself alone."""
    plain = attribute.type in _PLAIN
    return attribute.name, str(attribute.type), attribute.value if plain else id(attribute)
