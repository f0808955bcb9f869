"""A ConvTranspose as a Conv that makes all phases of the output, then side by side.

Along each axis, with stride s, kernel k, padding p before and T = ceil(k / s) taps per phase,
    y[o] = sum over i of x[i] W[o + p - s i],  o + p = s q + r,  0 <= r < s
         = sum over t < T of x[q - t] W[s t + r],  W = 0 beyond its taps
so phase r is a Conv of T taps without stride, and the s phases are channels of one Conv. EZKL
spreads the image by zeros and multiplies every one of them, k products per axis, input channel and
output instead of T; placing phases side by side moves tensors alone, which costs no cells. With
T = 1 what is left is an einsum, with T > 1 or stride 1 minimal filtering may follow. Source: ONNX
operator ConvTranspose; EZKL `src/circuit/ops/layouts.rs`, deconv.
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
from zkprep.passes.repair.draft import Array, Draft, known, operand, sizes

TITLE = "transposed Conv by phases"


@dataclass(frozen=True, slots=True)
class TransposedByPhases:
    """No ConvTranspose multiplies zeros where a Conv of its phases is cheaper."""

    name: ClassVar[str] = "transposed-by-phases"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write ConvTransposes as Convs where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    image, weights, bias = (operand(node, position) for position in range(3))
    if node.op_type != "ConvTranspose" or image is None or weights is None:
        return None
    attributes, rank = node.attributes, len(sizes(image)) - 2
    filters, offset = known(weights), known(bias)
    if filters is None or (bias is not None and offset is None):
        return "its weights are computed"
    if attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        return "its auto_pad could not be made explicit"
    if attributes.get_int("group", 1) != 1 or set(attributes.get_ints("dilations", [1])) != {1}:
        return "it has groups or is dilated"
    strides = attributes.get_ints("strides", [1] * rank)
    pads = attributes.get_ints("pads", [0] * 2 * rank)
    outputs = sizes(node.outputs[0])[2:]
    places = zip(sizes(image)[2:], filters.shape[2:], strides, pads[:rank], outputs, strict=True)
    return _Phases(draft, image, filters, offset, [_Axis(*given) for given in places]).result()


@dataclass(frozen=True, slots=True)
class _Axis:
    """One spatial axis: lengths of image and kernel, stride, padding before, length of output."""

    size: int
    kernel: int
    stride: int
    before: int
    output: int

    @property
    def taps(self) -> int:
        """T."""
        return -(-self.kernel // self.stride)

    @property
    def first(self) -> int:
        """The first q."""
        return self.before // self.stride

    @property
    def count(self) -> int:
        """How many q there are."""
        return (self.before + self.output - 1) // self.stride - self.first + 1

    @property
    def reach(self) -> tuple[int, int]:
        """The first place of the image that is read, and the one behind the last."""
        start = self.first - self.taps + 1
        return start, start + self.count + self.taps - 1


@dataclass(frozen=True)
class _Phases:
    """A ConvTranspose being written: image (N, C, ...), filters (C, O, ...)."""

    draft: Draft
    image: ir.Value
    filters: Array
    bias: Array | None
    axes: Sequence[_Axis]

    @cached_property
    def phases(self) -> list[int]:
        """Per axis."""
        return [axis.stride for axis in self.axes]

    def result(self) -> ir.Value:
        """The ConvTranspose's output."""
        image, pads = self.image, []
        for position, axis in enumerate(self.axes, start=2):
            start, end = axis.reach
            if start > 0 or end < axis.size:
                read = np.arange(max(0, start), min(axis.size, end))
                image = self.draft.gather(image, position, read)
            pads.append((max(0, -start), max(0, end - axis.size)))
        constants = [self.draft.constant("phases", self._by_phase(), self.image.dtype)]
        if self.bias is not None:
            biases = np.tile(self.bias, prod(self.phases))
            constants.append(self.draft.constant("bias", biases, self.image.dtype))
        made = self.draft.op(
            "Conv",
            image,
            *constants,
            kernel_shape=[axis.taps for axis in self.axes],
            strides=[1] * len(self.axes),
            pads=[before for before, _ in pads] + [after for _, after in pads],
        )
        return self._placed(made)

    def _by_phase(self) -> Array:
        """The kernel (phases ... O, C, T ...)."""
        channels, outputs = self.filters.shape[:2]
        tails = [axis.taps * axis.stride - axis.kernel for axis in self.axes]
        whole = np.pad(self.filters, [(0, 0), (0, 0), *((0, tail) for tail in tails)])
        split = [number for axis in self.axes for number in (axis.taps, axis.stride)]
        taps = range(2, 2 + len(split), 2)
        turned = np.flip(whole.reshape(channels, outputs, *split), tuple(taps))
        order = [*(tap + 1 for tap in taps), 1, 0, *taps]
        return turned.transpose(order).reshape(-1, channels, *(axis.taps for axis in self.axes))

    def _placed(self, made: ir.Value) -> ir.Value:
        """From (N, phases ... O, q ...) to (N, O, ...)."""
        batch, outputs, rank = sizes(self.image)[0], self.filters.shape[1], len(self.axes)
        counts = [axis.count for axis in self.axes]
        if prod(self.phases) > 1:
            made = self._reshaped(made, "split", [batch, *self.phases, outputs, *counts])
            sides = [place for axis in range(rank) for place in (rank + 2 + axis, 1 + axis)]
            made = self.draft.op("Transpose", made, perm=[0, rank + 1, *sides])
            whole = [n * stride for n, stride in zip(counts, self.phases, strict=True)]
            made = self._reshaped(made, "whole", [batch, outputs, *whole])
        for position, axis in enumerate(self.axes, start=2):
            start = axis.before - axis.stride * axis.first
            if start or axis.output < axis.count * axis.stride:
                made = self.draft.gather(made, position, np.arange(start, start + axis.output))
        return made

    def _reshaped(self, value: ir.Value, role: str, shape: Sequence[int]) -> ir.Value:
        return self.draft.op("Reshape", value, self.draft.constant(role, shape))
