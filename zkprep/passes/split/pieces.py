"""Regions of tensors, by names that follow from the tensor and the region alone.

A region is gathered axis by axis: Gather with constant places copies, and takes no cells in EZKL. A
region of a tensor that has been split is joined from the parts that overlap it, so that what reads
it waits for no other part. The same region of the same tensor has the same name in every model,
which makes it a boundary that a cut can use before and after the rewrites.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.passes.graphs import every_graph
from zkprep.passes.split.regions import (
    Region,
    overlap,
    shape_of,
    sizes,
    whole,
    with_axis,
    within,
)

Piece = tuple[Region, ir.Value]


class Pieces:
    """Regions that are at hand while a model is being split, and the nodes that make them."""

    def __init__(self, model: ir.Model) -> None:
        """Nothing is split yet."""
        self._graph = model.graph
        self._nodes, self._tensors = _names(model)
        self._parts: dict[str, tuple[Piece, ...]] = {}
        self._known: dict[str, ir.Value] = {}
        self._joins: set[ir.Node] = set()
        self.new: list[ir.Node] = []

    def take(self, value: ir.Value, region: Region) -> ir.Value:
        """The region of `value`: of a constant, of its parts, or gathered."""
        if region == whole(shape_of(value)):
            return value
        name = _named(value, region)
        if name not in self._known:
            self._known[name] = self._made(value, region)
        return self._known[name]

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, ir.Attr | int],
        output: ir.Value,
        name: str,
    ) -> ir.Value:
        """The output of a new node."""
        made = ir.node(op_type, inputs, attributes, outputs=[output])
        made.name = _free(name, self._nodes)
        self.new.append(made)
        return output

    def value(self, name: str, shape: Sequence[int], like: ir.Value) -> ir.Value:
        """A new tensor of the type of `like`."""
        return ir.Value(name=_free(name, self._tensors), shape=ir.Shape(shape), type=like.type)

    def split(self, tensor: ir.Value, parts: Iterable[Piece], output: ir.Value) -> ir.Value:
        """`tensor` from its parts as `output`; from now on regions are taken from the parts."""
        pieces = tuple(parts)
        self._parts[str(tensor.name)] = pieces
        return self._joined(pieces, str(tensor.name), output)

    def inserted(self, before: ir.Node, own: str = "") -> tuple[list[str], list[str]]:
        """Put the new nodes into the graph.

        Returns:
            Names of the nodes that end on `own` and of what only they feed, and of all others:
            these take regions and join parts, alike in every model.
        """
        self._graph.insert_before(before, self.new)
        mine: list[ir.Node] = []
        for node in self.new:
            fed = any(value.producer() in mine for value in node.inputs if value is not None)
            if fed or (own and str(node.name).endswith(own)):
                mine.append(node)
        names = [str(node.name) for node in mine]
        others = [str(node.name) for node in self.new if node not in mine]
        self.new = []
        return names, others

    def drop_unread(self) -> None:
        """Remove the nodes that join parts, where nothing reads the whole."""
        for node in reversed(list(self._graph)):
            output = node.outputs[0]
            if node in self._joins and not output.uses() and not output.is_graph_output():
                self._graph.remove(node, safe=True)

    def _made(self, value: ir.Value, region: Region) -> ir.Value:
        name = _named(value, region)
        if value.is_initializer() and not value.is_graph_input():
            assert value.const_value is not None
            return self._constant(name, value.const_value.numpy()[_slices(region)], value)
        parts = self._parts.get(str(value.name))
        if parts is None:
            return self._gathered(value, region)
        pieces = []
        for held, part in parts:
            if (shared := overlap(held, region)) is not None:
                pieces.append((within(shared, region), self.take(part, within(shared, held))))
        if len(pieces) == 1:
            return pieces[0][1]
        return self._joined(pieces, name, self.value(name, sizes(region), value))

    def _gathered(self, value: ir.Value, region: Region) -> ir.Value:
        """Axis by axis; what is gathered in between is nobody else's."""
        full, name = whole(shape_of(value)), _named(value, region)
        axes = [axis for axis, one in enumerate(region) if one != full[axis]]
        source, held = value, full
        for axis in axes:
            held = with_axis(held, axis, region[axis])
            own = name if axis == axes[-1] else f"{name}.axis{axis}"
            places = self._constant(f"{own}.places", np.arange(*region[axis], dtype=np.int64))
            output = self.value(own, sizes(held), value)
            source = self.node("Gather", [source, places], {"axis": axis}, output, f"{own}.gather")
        return source

    def _joined(self, pieces: Sequence[Piece], name: str, output: ir.Value) -> ir.Value:
        """Pieces that form a grid, joined along the last axis that parts them first."""
        axes = [a for a in range(len(pieces[0][0])) if len({r[a] for r, _ in pieces}) > 1]
        if len(axes) == 1:
            inputs = [piece for _, piece in pieces]
            self.node("Concat", inputs, {"axis": axes[0]}, output, f"{name}.join")
            self._joins.add(self.new[-1])
            return output
        rows: dict[Any, list[Piece]] = {}
        for region, piece in pieces:
            rows.setdefault(region[axes[0]], []).append((region, piece))
        joined = []
        for index, row in enumerate(rows.values()):
            region = row[0][0]
            for axis in axes[1:]:
                region = with_axis(region, axis, (row[0][0][axis][0], row[-1][0][axis][1]))
            inner = self.value(f"{name}.row{index}", sizes(region), output)
            joined.append((region, self._joined(row, f"{name}.row{index}", inner)))
        return self._joined(joined, name, output)

    def _constant(
        self, name: str, array: np.ndarray[Any, Any], like: ir.Value | None = None
    ) -> ir.Value:
        tensor = ir.tensor(array, dtype=None if like is None else like.dtype)
        value = ir.Value(name=_free(name, self._tensors), const_value=tensor)
        value.shape, value.type = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
        self._graph.register_initializer(value)
        return value


def _names(model: ir.Model) -> tuple[set[str], set[str]]:
    """Names of nodes and of tensors."""
    nodes, tensors = set(), set()
    for graph in every_graph(model):
        tensors |= {str(value.name) for value in (*graph.inputs, *graph.initializers.values())}
        for node in graph:
            nodes.add(str(node.name))
            tensors |= {str(value.name) for value in node.outputs}
    return nodes, tensors


def _free(name: str, used: set[str]) -> str:
    """`name`, which has to be free: it follows from the split, in every model alike."""
    if name in used:
        raise InputError(f"cannot split: the model has a '{name}' already")
    used.add(name)
    return name


def _named(value: ir.Value, region: Region) -> str:
    return f"{value.name}[{','.join(f'{start}:{stop}' for start, stop in region)}]"


def _slices(region: Region) -> tuple[slice, ...]:
    return tuple(slice(*interval) for interval in region)
