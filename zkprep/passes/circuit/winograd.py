"""A Conv of kernel 3 and stride 1 by minimal filtering: 4 products for 2 outputs instead of 6.

Along one axis, two outputs y read four places d of the (padded) image, with the filter g:
    m = (G g) * (B d),    y = A m
        | 1    0    0  |        | d0 - d2 |        | m0 + m1 + m2 |
    G = | 1/2  1/2  1/2|  B d = | d1 + d2 |  A m = | m1 - m2 - m3 |
        | 1/2 -1/2  1/2|        | d2 - d1 |
        | 0    0    1  |        | d1 - d3 |
Axis by axis that is 16 products for 4 outputs of a 3x3 kernel instead of 36. G g is a constant;
products are summed over input channels by one MatMul per place of m. In EZKL a product summed is a
cell, a sum or difference of two tensors one cell per element, and gathering by constant indices
none; per tile of 4 outputs 24 cells per input channel, 25 per output channel. The sums come before
any rebase only if that is deferred: the cost model decides. Results differ from the Conv's by
rounding alone, of about one bit more. The bias goes to the place that A carries to every output.
Source: S. Winograd, "Arithmetic Complexity of Computations" (1980), F(2, 3); A. Lavin and S. Gray,
"Fast Algorithms for Convolutional Neural Networks" (arXiv 1509.09308).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.repair.draft import Array, Draft, known, operand, sizes

TITLE = "minimal filtering"

# The places of m in the order they are stacked: differences, then the sum.
_PLACES = ((0, 2), (2, 1), (1, 3), (1, 2))
_FILTER = np.array([[1, 0, 0], [0.5, -0.5, 0.5], [0, 0, 1], [0.5, 0.5, 0.5]])


@dataclass(frozen=True, slots=True)
class MinimalFiltering:
    """No Conv multiplies more than it has to where sums are cheaper."""

    name: ClassVar[str] = "minimal-filtering"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write Convs of kernel 3 and stride 1 by minimal filtering where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    image, weights = operand(node, 0), operand(node, 1)
    if node.op_type != "Conv" or image is None or weights is None:
        return None
    attributes, kernel = node.attributes, sizes(weights)[2:]
    ones = [1] * len(kernel)
    steps = (*attributes.get_ints("strides", ones), *attributes.get_ints("dilations", ones))
    if attributes.get_int("group", 1) != 1 or set(steps) != {1}:
        return None
    if 3 not in kernel or any(size not in (1, 3) for size in kernel):
        return None
    if attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        return "its auto_pad could not be made explicit"
    bias = operand(node, 2)
    filters, offset = known(weights), known(bias)
    if filters is None or (bias is not None and offset is None):
        return "its weights are computed"
    return _Filtered(draft, image, filters, offset).result()


@dataclass(frozen=True, slots=True)
class _Filtered:
    """A Conv being written by minimal filtering: image (N, C, ...), filters (O, C, ...)."""

    draft: Draft
    image: ir.Value
    filters: Array
    bias: Array | None

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return self.filters.ndim - 2

    @property
    def axes(self) -> list[int]:
        """The spatial axes along which the kernel is 3, counted from 0."""
        return [axis for axis in range(self.rank) if self.filters.shape[axis + 2] == 3]

    @property
    def size(self) -> tuple[int, ...]:
        """Outputs along every spatial axis."""
        return sizes(self.draft.node.outputs[0])[2:]

    @property
    def tiles(self) -> list[int]:
        """Tiles along every spatial axis: of two outputs, or of one where the kernel is 1."""
        return [-(-n // 2) if axis in self.axes else n for axis, n in enumerate(self.size)]

    def result(self) -> ir.Value:
        """The Conv's output."""
        image = self._padded()
        for axis in self.axes:
            image = self._spread(image, axis + 2, self.tiles[axis])
        filters = self.draft.constant("filters", self._transformed(), self.image.dtype)
        rows = self.draft.op("MatMul", filters, self._stacked(image))
        rows = self._reshaped(rows, "rows", [4 ** len(self.axes) * self.filters.shape[0], -1])
        rows = self._biased(rows)
        for done in range(len(self.axes)):
            rows = self._joined(rows, done)
        return self._placed(rows)

    def _padded(self) -> ir.Value:
        """The image with the Conv's padding, and as far as the last tile reads."""
        shape = sizes(self.image)[2:]
        begins = self.draft.node.attributes.get_ints("pads", [0] * 2 * self.rank)[: self.rank]
        reach = [2 * n + 2 if axis in self.axes else n for axis, n in enumerate(self.tiles)]
        ends = [r - n - b for r, n, b in zip(reach, shape, begins, strict=True)]
        if not any((*begins, *ends)):
            return self.image
        pads = self.draft.constant("pads", [0, 0, *begins, 0, 0, *ends])
        return self.draft.op("Pad", self.image, pads)

    def _spread(self, image: ir.Value, axis: int, tiles: int) -> ir.Value:
        """B along an axis: from its places to 4 x tiles."""
        starts = 2 * np.arange(tiles)
        parts = []
        for op_type, places in (("Sub", _PLACES[:-1]), ("Add", _PLACES[-1:])):
            sides = [np.concatenate([starts + pair[side] for pair in places]) for side in (0, 1)]
            views = [self.draft.gather(image, axis, side) for side in sides]
            parts.append(self.draft.op(op_type, *views))
        return self.draft.op("Concat", *parts, axis=axis)

    def _stacked(self, image: ir.Value) -> ir.Value:
        """From (N, C, 4 x tiles, ...) to (4 x 4 ..., C, N x tiles ...)."""
        batch, channels = sizes(self.image)[:2]
        shape, places, rest = [batch, channels], [], [1, 0]
        for axis, tiles in enumerate(self.tiles):
            if axis in self.axes:
                places.append(len(shape))
                shape.append(4)
            rest.append(len(shape))
            shape.append(tiles)
        split = self._reshaped(image, "tiles", shape)
        turned = self.draft.op("Transpose", split, perm=[*places, *rest])
        return self._reshaped(turned, "stack", [4 ** len(places), channels, -1])

    def _transformed(self) -> Array:
        """G along every axis of the filters: (4 x 4 ..., O, C)."""
        values = self.filters.astype(np.float64)
        for axis in self.axes:
            values = np.moveaxis(np.tensordot(_FILTER, values, (1, axis + 2)), 0, axis + 2)
        outputs, channels = values.shape[:2]
        return np.moveaxis(values.reshape(outputs, channels, -1), 2, 0)

    def _biased(self, rows: ir.Value) -> ir.Value:
        """The bias on the last place of every axis, the sum, which A carries everywhere."""
        if self.bias is None or not np.any(self.bias):
            return rows
        outputs = self.bias.size
        first = (4 ** len(self.axes) - 1) * outputs
        bias = self.draft.constant("bias", self.bias.reshape(-1, 1), self.image.dtype)
        last = self.draft.gather(rows, 0, np.arange(first, first + outputs))
        parts = self.draft.gather(rows, 0, np.arange(first)), self.draft.op("Add", last, bias)
        return self.draft.op("Concat", *parts, axis=0)

    def _joined(self, rows: ir.Value, done: int) -> ir.Value:
        """A along the next axis: from (2 ..., 4, 4 ..., O) rows to (2, 2 ..., 4 ..., O)."""
        rest = 4 ** (len(self.axes) - done - 1) * self.filters.shape[0]
        numbers = np.arange(2**done * 4 * rest).reshape(-1, 4, rest)
        views = [self.draft.gather(rows, 0, numbers[:, place].ravel()) for place in range(4)]
        m0, m2, m3, m1 = views
        op = self.draft.op
        even = op("Add", op("Add", m1, m2), m0)
        odd = op("Sub", op("Sub", m1, m2), m3)
        return op("Concat", even, odd, axis=0)

    def _placed(self, rows: ir.Value) -> ir.Value:
        """From (2 ..., O) rows, the last axis first, to (N, O, ...)."""
        batch, outputs = sizes(self.image)[0], self.filters.shape[0]
        several = len(self.axes)
        split = self._reshaped(rows, "split", [*[2] * several, outputs, batch, *self.tiles])
        order = [several + 1, several]
        for axis in range(self.rank):
            order.append(several + 2 + axis)
            if axis in self.axes:
                order.append(several - 1 - self.axes.index(axis))
        turned = self.draft.op("Transpose", split, perm=order)
        whole = [2 * n if axis in self.axes else n for axis, n in enumerate(self.tiles)]
        result = self._reshaped(turned, "whole", [batch, outputs, *whole])
        for axis, (made, wanted) in enumerate(zip(whole, self.size, strict=True)):
            if made > wanted:
                result = self.draft.gather(result, axis + 2, np.arange(wanted))
        return result

    def _reshaped(self, value: ir.Value, role: str, shape: Sequence[int]) -> ir.Value:
        return self.draft.op("Reshape", value, self.draft.constant(role, shape))
