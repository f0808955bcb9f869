"""Where an axis goes when a tensor is only rearranged: Reshape and its kin, Transpose.

Reshape, Flatten, Squeeze and Unsqueeze keep the row-major order of the elements. Seen as
[before, channels, after], the channels lie on an axis of the new shape with the same `before`:
as they are (same size), merged with what follows them (each value repeated), or split (one value
per part, which needs the parts of a channel to agree). Sizes must be known; equal sizes elsewhere
mean nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.normal_form import Affine, Refusal
from zkprep.passes.names import shown

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")

Dims = Sequence[int | ir.SymbolicDim]


def reshaped(
    node: ir.Node, affine: Affine, old: ir.Shape | None, new: ir.Shape | None
) -> Affine | Refusal:
    """`affine` along an axis of shape `old` as one along an axis of the same elements in `new`."""
    if affine.axis is None:
        return affine
    if old is None or new is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    size = affine.scale.size
    starts = [axis for axis in range(len(new)) if _same(new[:axis], old[: affine.axis])]
    for axis in sorted(starts, key=lambda axis: new[axis] != size):
        carried = _resized(affine, new[axis])
        if carried is not None:
            layout = shown(node) if axis != affine.axis else affine.layout
            return replace(carried, axis=axis, layout=layout)
    return Refusal(f"{shown(node)} rearranges the channels")


def transposed(node: ir.Node, affine: Affine, rank: int, *, backward: bool) -> Affine:
    """`affine` on the other side of a Transpose of tensors of that rank."""
    if affine.axis is None:
        return affine
    order = list(node.attributes.get_ints("perm", range(rank)[::-1]))
    axis = order[affine.axis] if backward else order.index(affine.axis)
    return replace(affine, axis=axis, layout=shown(node) if axis != affine.axis else affine.layout)


def _same(one: Dims, other: Dims) -> bool:
    """Whether two lists of dimensions hold the same number of elements, as far as is known."""
    known = all(isinstance(dim, int) for dim in (*one, *other))
    return prod(one) == prod(other) if known else list(one) == list(other)


def _resized(affine: Affine, size: int | ir.SymbolicDim) -> Affine | None:
    """`affine` along an axis of another size that starts where its own does."""
    count = affine.scale.size
    if not isinstance(size, int) or size == 0:
        return None
    if size % count == 0:
        times = size // count
        return replace(
            affine, scale=np.repeat(affine.scale, times), shift=np.repeat(affine.shift, times)
        )
    if count % size != 0:
        return None
    scale, shift = affine.scale.reshape(size, -1), affine.shift.reshape(size, -1)
    if np.any(scale != scale[:, :1]) or np.any(shift != shift[:, :1]):
        return None
    return replace(affine, scale=scale[:, 0], shift=shift[:, 0])
