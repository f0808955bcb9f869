"""Windows of a pool combined an axis at a time, by an operation on two tensors.

The axes go in the order that takes fewest operations, and along an axis windows are halved
(zkprep.passes.circuit.intervals). What an operation reads is gathered by constant indices, which
costs no cells; a place outside the tensor is the nearest one, which the same window reads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod

import numpy as np
import onnx_ir as ir

from zkprep.passes.circuit.intervals import levels, operations
from zkprep.passes.repair.draft import Draft, sizes
from zkprep.passes.repair.windows import Window

Operation = Callable[[ir.Value, ir.Value], ir.Value]


@dataclass(frozen=True, slots=True)
class Combiner:
    """Writes the windows of a tensor into a draft.

    Attributes:
        draft: what is written.
        operation: combines two tensors of one shape.
        overlapping: whether an element may be combined twice.
    """

    draft: Draft
    operation: Operation
    overlapping: bool

    def combined(self, data: ir.Value, axes: Sequence[Window], shape: Sequence[int]) -> ir.Value:
        """Every window of `data`, of `shape`; `data` itself where each is one place in order."""
        result, left = data, list(shape)
        orders = permutations(axes)
        for window in min(orders, key=lambda order: self._count(shape, order)):
            result = self._along(result, left, window)
            left[window.axis] = window.outputs
        return result

    def _count(self, shape: Sequence[int], order: Sequence[Window]) -> int:
        """Operations on single elements that the axes take in this order."""
        total, left = 0, dict(enumerate(shape))
        for window in order:
            others = prod(size for axis, size in left.items() if axis != window.axis)
            plan = levels(_starts(window), window.kernel, overlapping=self.overlapping)
            total += others * operations(plan)
            left[window.axis] = window.outputs
        return total

    def _along(self, data: ir.Value, shape: Sequence[int], window: Window) -> ir.Value:
        starts, axis = _starts(window), window.axis
        reach = np.arange(max(starts) + window.kernel) - window.before
        places = np.clip(reach, 0, window.size - 1).tolist()
        made = {1: _Made(data, tuple(shape), dict(enumerate(places)))}
        for level in levels(starts, window.kernel, overlapping=self.overlapping):
            shift = level.length - level.right
            one = made[level.left].view(self.draft, axis, level.starts)
            other = made[level.right].view(self.draft, axis, [at + shift for at in level.starts])
            where = {start: place for place, start in enumerate(level.starts)}
            size = (*shape[:axis], len(where), *shape[axis + 1 :])
            made[level.length] = _Made(self.operation(one, other), size, where)
        return made[window.kernel].view(self.draft, axis, starts)


@dataclass(frozen=True, slots=True)
class _Made:
    """Windows of one length in a tensor of `shape`; `where` each start is along the axis."""

    value: ir.Value
    shape: tuple[int, ...]
    where: Mapping[int, int]

    def view(self, draft: Draft, axis: int, starts: Sequence[int]) -> ir.Value:
        """The windows that start there, in this order."""
        places = [self.where[start] for start in starts]
        if places == list(range(self.shape[axis])):
            return self.value
        if len(places) > 1:
            return draft.gather(self.value, axis, places)
        # One index alone is a Slice to EZKL's loader, which places all of the tensor again.
        numbers = np.arange(prod(self.shape)).reshape(self.shape).take(places, axis)
        flat = draft.op("Reshape", self.value, draft.constant("flat", [prod(self.shape)]))
        picked = draft.gather(flat, 0, numbers.ravel())
        return draft.op("Reshape", picked, draft.constant("picked", numbers.shape))


def whole(data: ir.Value, axes: Sequence[int]) -> Iterator[Window]:
    """One window over all of each of `axes`."""
    for axis in axes:
        size = sizes(data)[axis]
        yield Window(axis, size, 1, size, 1, 1, 0, 0)


def _starts(window: Window) -> list[int]:
    """First places of the windows, counted from the padding's first."""
    return [output * window.stride for output in range(window.outputs)]
