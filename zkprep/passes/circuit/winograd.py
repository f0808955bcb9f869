"""A Conv by minimal filtering: 16 products for 4 outputs of a 3x3 kernel instead of 36.

Axis by axis, two outputs are made at once (zkprep.passes.circuit.filtering): the image is spread by
B, the kernel by G, which makes a constant; products are summed over input channels, by one MatMul
for all places of m; A joins them to outputs. In EZKL a product that is summed is a cell, a sum or
difference of two tensors one cell per element, gathering by constant indices none: for a 3x3 kernel
and a tile of 4 outputs 24 cells per input channel, 25 per output channel. The sums come before any
rebase only if that is deferred: the cost model decides. Results differ from the Conv's by rounding
alone, in the circuit by about one bit more. The bias goes to a place that A carries everywhere.
Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks" (arXiv
1509.09308).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.circuit.filtering import Algorithm, Product, algorithm
from zkprep.passes.repair.draft import Array, Draft, known, operand, sizes

TITLE = "minimal filtering"

SPARE = 2
"""Bits: a sum or difference of two along each of two axes, and what is lost to rounding."""


@dataclass(frozen=True, slots=True)
class MinimalFiltering:
    """No Conv multiplies more than it has to where sums are cheaper."""

    name: ClassVar[str] = "minimal-filtering"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write Convs by minimal filtering where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size, spare=SPARE)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    image, weights = operand(node, 0), operand(node, 1)
    if node.op_type != "Conv" or image is None or weights is None:
        return None
    attributes, kernel = node.attributes, sizes(weights)[2:]
    ones = [1] * len(kernel)
    strides = attributes.get_ints("strides", ones)
    if attributes.get_int("group", 1) != 1 or set(attributes.get_ints("dilations", ones)) != {1}:
        return None
    ways = [algorithm(*pair) for pair in zip(kernel, strides, strict=True)]
    if not any(ways):
        return None
    if any(way is None and stride > 1 for way, stride in zip(ways, strides, strict=True)):
        return None
    if attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        return "its auto_pad could not be made explicit"
    bias = operand(node, 2)
    filters, offset = known(weights), known(bias)
    if filters is None or (bias is not None and offset is None):
        return "its weights are computed"
    return _Filtered(draft, image, filters, offset, ways).result()


@dataclass(frozen=True)
class _Filtered:
    """A Conv being written: image (N, C, ...), filters (O, C, ...).

    `ways`: how two outputs are made along each spatial axis; None along axes that stay as they are.
    """

    draft: Draft
    image: ir.Value
    filters: Array
    bias: Array | None
    ways: Sequence[Algorithm | None]

    @cached_property
    def active(self) -> list[tuple[int, Algorithm]]:
        """The axes that are filtered, counted among the spatial ones, and how."""
        return [(axis, way) for axis, way in enumerate(self.ways) if way is not None]

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Outputs along every spatial axis."""
        return sizes(self.draft.node.outputs[0])[2:]

    @cached_property
    def tiles(self) -> list[int]:
        """Tiles along every spatial axis: of two outputs, or of one along axes that stay."""
        return [
            n if way is None else -(-n // 2) for n, way in zip(self.size, self.ways, strict=True)
        ]

    @cached_property
    def places(self) -> list[int]:
        """Products per pair of outputs, for every filtered axis."""
        return [len(way.products) for _, way in self.active]

    def result(self) -> ir.Value:
        """The Conv's output."""
        image = self._padded()
        for axis, way in self.active:
            image = self._spread(image, axis + 2, self.tiles[axis], way)
        filters = self.draft.constant("filters", self._transformed(), self.image.dtype)
        rows = self.draft.op("MatMul", filters, self._stacked(image))
        rows = self._reshaped(rows, "rows", [prod(self.places) * self.filters.shape[0], -1])
        rows = self._biased(rows)
        for done in range(len(self.active)):
            rows = self._joined(rows, done)
        return self._placed(rows)

    def _padded(self) -> ir.Value:
        """The image with the Conv's padding, and as far as the last tile reads."""
        shape, rank = sizes(self.image)[2:], len(self.ways)
        begins = self.draft.node.attributes.get_ints("pads", [0] * 2 * rank)[:rank]
        ends = []
        for size, tiles, begin, way in zip(shape, self.tiles, begins, self.ways, strict=True):
            step = 0 if way is None else 2 * way.stride * (tiles - 1) + way.reach
            ends.append((step or tiles) - size - begin)
        result = self.image
        for axis, (size, end) in enumerate(zip(shape, ends, strict=True)):
            if end < 0:  # a stride that leaves the last places unread
                result = self.draft.gather(result, axis + 2, np.arange(size + end))
        ends = [max(0, end) for end in ends]
        if not any((*begins, *ends)):
            return result
        pads = self.draft.constant("pads", [0, 0, *begins, 0, 0, *ends])
        return self.draft.op("Pad", result, pads)

    def _spread(self, image: ir.Value, axis: int, tiles: int, way: Algorithm) -> ir.Value:
        """B along an axis: from its places to products x tiles."""
        starts = 2 * way.stride * np.arange(tiles)
        parts = []
        for sign, op_type in ((-1, "Sub"), (1, "Add"), (0, "")):
            group = way.of_sign(sign)
            if not group:
                continue
            view = self.draft.gather(image, axis, _all(starts, [one.plus for one in group]))
            if op_type:
                others = [one.other for one in group if one.other is not None]
                other = self.draft.gather(image, axis, _all(starts, others))
                view = self.draft.op(op_type, view, other)
            parts.append(view)
        return parts[0] if len(parts) == 1 else self.draft.op("Concat", *parts, axis=axis)

    def _stacked(self, image: ir.Value) -> ir.Value:
        """From (N, C, products x tiles, ...) to (products ..., C, N x tiles ...)."""
        batch, channels = sizes(self.image)[:2]
        shape, places, rest = [batch, channels], [], [1, 0]
        for tiles, way in zip(self.tiles, self.ways, strict=True):
            if way is not None:
                places.append(len(shape))
                shape.append(len(way.products))
            rest.append(len(shape))
            shape.append(tiles)
        split = self._reshaped(image, "tiles", shape)
        turned = self.draft.op("Transpose", split, perm=[*places, *rest])
        return self._reshaped(turned, "stack", [prod(self.places), channels, -1])

    def _transformed(self) -> Array:
        """G along every filtered axis: (products ..., O, C)."""
        values = self.filters.astype(np.float64)
        for axis, way in self.active:
            spread = np.tensordot(way.filters, values, (1, axis + 2))
            values = np.moveaxis(spread, 0, axis + 2)
        outputs, channels = values.shape[:2]
        return np.moveaxis(values.reshape(outputs, channels, -1), 2, 0)

    def _biased(self, rows: ir.Value) -> ir.Value:
        """The bias where A carries it to every output."""
        if self.bias is None or not np.any(self.bias):
            return rows
        outputs = self.bias.size
        everywhere = tuple(way.everywhere for _, way in self.active)
        first = int(np.ravel_multi_index(everywhere, self.places)) * outputs
        bias = self.draft.constant("bias", self.bias.reshape(-1, 1), self.image.dtype)
        here = np.arange(first, first + outputs)
        others = np.setdiff1d(np.arange(prod(self.places) * outputs), here)
        raised = self.draft.op("Add", self.draft.gather(rows, 0, here), bias)
        both = self.draft.op("Concat", raised, self.draft.gather(rows, 0, others), axis=0)
        return self.draft.gather(both, 0, np.argsort(np.concatenate([here, others])))

    def _joined(self, rows: ir.Value, done: int) -> ir.Value:
        """A along the next axis: from (2 ..., products, products ..., O) rows to (2, 2 ..., O)."""
        _, way = self.active[done]
        rest = prod(self.places[done + 1 :]) * self.filters.shape[0]
        numbers = np.arange(2**done * len(way.products) * rest)
        numbers = numbers.reshape(-1, len(way.products), rest)
        views = [
            self.draft.gather(rows, 0, numbers[:, place].ravel())
            for place in range(len(way.products))
        ]
        pair = [self._sum(way.products, views, output) for output in (0, 1)]
        return self.draft.op("Concat", *pair, axis=0)

    def _sum(self, products: Sequence[Product], views: list[ir.Value], output: int) -> ir.Value:
        """One row of A; the first term is one that is added."""
        signed = [(one.outputs[output], view) for one, view in zip(products, views, strict=True)]
        added = [view for sign, view in signed if sign > 0]
        taken = [view for sign, view in signed if sign < 0]
        result = added[0]
        for view in added[1:]:
            result = self.draft.op("Add", result, view)
        for view in taken:
            result = self.draft.op("Sub", result, view)
        return result

    def _placed(self, rows: ir.Value) -> ir.Value:
        """From (2 ..., O) rows, the last axis first, to (N, O, ...)."""
        batch, outputs, several = sizes(self.image)[0], self.filters.shape[0], len(self.active)
        split = self._reshaped(rows, "split", [*[2] * several, outputs, batch, *self.tiles])
        order, halves = [several + 1, several], several
        for axis, way in enumerate(self.ways):
            order.append(several + 2 + axis)
            if way is not None:
                halves -= 1
                order.append(halves)
        turned = self.draft.op("Transpose", split, perm=order)
        whole = [n if way is None else 2 * n for n, way in zip(self.tiles, self.ways, strict=True)]
        result = self._reshaped(turned, "whole", [batch, outputs, *whole])
        for axis, (made, wanted) in enumerate(zip(whole, self.size, strict=True)):
            if made > wanted:
                result = self.draft.gather(result, axis + 2, np.arange(wanted))
        return result

    def _reshaped(self, value: ir.Value, role: str, shape: Sequence[int]) -> ir.Value:
        return self.draft.op("Reshape", value, self.draft.constant(role, shape))


def _all(starts: Array, places: Sequence[int]) -> Array:
    """Every place of every tile, the tiles of one place together."""
    return np.concatenate([starts + place for place in places])
