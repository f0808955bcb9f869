"""One normal form for everything that scales and shifts: y = scale * x + shift along one axis.

First a, then b, along the same axis:
    scale = b.scale * a.scale        shift = b.scale * a.shift + b.shift
A constant k against a tensor of rank r: pad k's shape with 1 on the left to rank r. All 1: the same
everywhere. Exactly one dimension not 1, and equal to the tensor's: that axis. Anything else is no
scale or shift per channel. All in float64.

Source: ONNX, "Broadcasting in ONNX".
"""

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was left as it is, as a clause that ends a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Affine:
    """y = scale * x + shift.

    Attributes:
        scale: (C,) along `axis`, or (1,) when the same everywhere.
        shift: like `scale`.
        axis: the axis the values run along, counted from 0; None when the same everywhere.
        off_channels: for messages: why an operator whose channels are on axis 1 cannot take it,
            when `axis` is another.
        layout: for messages: the last node it was carried across that moved its axis.
    """

    scale: Array
    shift: Array
    axis: int | None = None
    off_channels: str = ""
    layout: str = ""

    @property
    def scales(self) -> bool:
        """Whether some scale is not 1."""
        return bool(np.any(self.scale != 1))

    @property
    def shifts(self) -> bool:
        """Whether some shift is not 0."""
        return bool(np.any(self.shift != 0))

    def over(self, size: int) -> tuple[Array, Array]:
        """Scale and shift as vectors of shape (size,)."""
        return np.broadcast_to(self.scale, size), np.broadcast_to(self.shift, size)


def then(first: Affine, second: Affine) -> Affine | None:
    """`second` after `first` as one, or None when they run along different axes."""
    both_vary = first.axis is not None and second.axis is not None
    if both_vary and (first.axis, first.scale.size) != (second.axis, second.scale.size):
        return None
    return replace(
        second,
        scale=second.scale * first.scale,
        shift=second.scale * first.shift + second.shift,
        axis=first.axis if second.axis is None else second.axis,
        off_channels=first.off_channels or second.off_channels,
    )


def scaled_and_shifted(
    scale: Array | float, shift: Array | float, constant: ir.Value, tensor: ir.Value
) -> Affine | Refusal:
    """The affine of `scale` and `shift`, whose axis is the one `constant` runs along in `tensor`.

    Args:
        scale: as many elements as `constant`, or a number.
        shift: likewise.
        constant: what the values come from; its name and shape decide the axis.
        tensor: what is scaled and shifted.
    """
    shape, k = constant.shape, f"'{constant.name}'"
    if tensor.shape is None or shape is None:
        return Refusal(f"the shape of '{tensor.name}' is not known")
    if len(shape) > len(tensor.shape):
        return Refusal(f"{k} has more axes than the tensor, so the result would change rank")
    padded = [1] * (len(tensor.shape) - len(shape)) + list(shape.numpy())
    wide = [axis for axis, dim in enumerate(padded) if dim != 1]
    for one in wide:
        if tensor.shape[one] != padded[one]:
            return Refusal(f"{k} widens the result from {tensor.shape[one]} to {padded[one]}")
    if len(wide) > 1:
        return Refusal(f"{k} varies over positions within a channel")
    axis = wide[0] if wide else None
    size = 1 if axis is None else padded[axis]
    return Affine(
        scale=np.broadcast_to(np.ravel(scale), size),
        shift=np.broadcast_to(np.ravel(shift), size),
        axis=axis,
        off_channels=_off_channels(k, shape.numpy(), axis, len(padded)),
    )


def _off_channels(constant: str, shape: tuple[int, ...], axis: int | None, rank: int) -> str:
    if axis == 0:
        return f"{constant} differs per batch element"
    if axis == rank - 1 and len(shape) == 1:
        return (
            f"{constant} with shape {list(shape)} broadcasts along the last axis, "
            "not along the channels"
        )
    return f"{constant} varies over positions within a channel"
