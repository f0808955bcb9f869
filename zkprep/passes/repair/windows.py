"""The places a pooling window reads, axis by axis.

Output o reads, for each tap j, the place o * stride - before + j * dilation of its axis. Places
outside [0, size) are padding, or, with ceil_mode, lie beyond it. The number of outputs is that of
the shape that was inferred, so that ceil_mode needs no case of its own.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from zkprep.passes.repair.draft import Array, sizes


@dataclass(frozen=True, slots=True)
class Window:
    """A pooling window along one axis: sizes and offsets in elements."""

    axis: int
    size: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def places(self) -> Array:
        """Place of each tap of each output, shape (outputs, kernel)."""
        starts = np.arange(self.outputs) * self.stride - self.before
        return np.asarray(starts[:, None] + np.arange(self.kernel) * self.dilation)

    @property
    def inside(self) -> Array:
        """Which places hold an element of the tensor, shape (outputs, kernel)."""
        return (self.places >= 0) & (self.places < self.size)

    @property
    def overhang(self) -> int:
        """Elements that the last window reads beyond the tensor's end and its padding."""
        return max(0, int(self.places.max()) + 1 - self.size - self.after)


def why_not(axes: tuple[Window, ...]) -> str:
    """Why the windows are no such windows as a repair can write, or ""."""
    if any(window.outputs < 1 for window in axes):
        return "its output holds no elements"
    if not all(window.inside.any(axis=1).all() for window in axes):
        return "one of its windows reads padding alone"
    return ""


def windows(node: ir.Node) -> tuple[Window, ...]:
    """The windows of a pool whose attributes are explicit, one per spatial axis."""
    kernels = node.attributes["kernel_shape"].as_ints()
    ones, zeros = [1] * len(kernels), [0] * (2 * len(kernels))
    strides = node.attributes.get_ints("strides", ones)
    dilations = node.attributes.get_ints("dilations", ones)
    pads = node.attributes.get_ints("pads", zeros)
    data, result = sizes(node.inputs[0]), sizes(node.outputs[0])
    return tuple(
        Window(
            axis=axis + 2,
            size=data[axis + 2],
            outputs=result[axis + 2],
            kernel=kernel,
            stride=strides[axis],
            dilation=dilations[axis],
            before=pads[axis],
            after=pads[axis + len(kernels)],
        )
        for axis, kernel in enumerate(kernels)
    )
