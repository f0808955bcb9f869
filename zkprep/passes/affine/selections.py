"""Crossing operators that pick, repeat or interpolate values: each channel comes from one channel.

Slice, Gather and the two between depth and space make channel i of their output from channel
`source[i]` of their input; other axes only move positions, which an affine map per channel does not
notice. Where several are made from one, all need the same map for it to go before; one that is
dropped needs none. Resize weighs positions of one channel with weights that add up to 1, and Expand
repeats them, so the same map holds on both sides.

Source: ONNX operators Slice, Gather, DepthToSpace, SpaceToDepth, Resize, Upsample, Expand.
"""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.constants import stored
from zkprep.passes.affine.linear import Indices
from zkprep.passes.affine.normal_form import Affine, Refusal
from zkprep.passes.names import shown


def selection(node: ir.Node, affine: Affine, backward: bool) -> Affine | Refusal:
    """Across Slice, Gather, DepthToSpace and SpaceToDepth."""
    if affine.axis is None:
        return affine
    data, output = node.inputs[0], node.outputs[0]
    if data is None or data.shape is None or output.shape is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    count = data.shape[affine.axis]
    if len(output.shape) != len(data.shape) or not isinstance(count, int):
        return Refusal(f"{shown(node)} rearranges the channels")
    source = _source(node, affine.axis, count)
    if isinstance(source, Refusal):
        return source
    size = len(source) if backward else count
    if affine.scale.size != size:
        return Refusal(f"it has {affine.scale.size} channels but {shown(node)} has {size}")
    if not backward:
        return replace(affine, scale=affine.scale[source], shift=affine.shift[source])
    scale, shift = np.ones(count), np.zeros(count)
    scale[source], shift[source] = affine.scale, affine.shift
    if np.any(scale[source] != affine.scale) or np.any(shift[source] != affine.shift):
        return Refusal(f"{shown(node)} makes channels of one channel that differ afterwards")
    return replace(affine, scale=scale, shift=shift)


def resize(node: ir.Node, affine: Affine, _backward: bool) -> Affine | Refusal:
    """Across Resize and Upsample, which leave the channels as they are."""
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    if mode == "tf_crop_and_resize":
        return Refusal(f"{shown(node)} fills in values of its own")
    shapes = [None if value is None else value.shape for value in (node.inputs[0], node.outputs[0])]
    axis, size = affine.axis, affine.scale.size
    if axis is not None and any(shape is None or shape[axis] != size for shape in shapes):
        return Refusal(f"{shown(node)} resizes the axis it runs along")
    return affine


def expand(node: ir.Node, affine: Affine, backward: bool) -> Affine | Refusal:
    """Across Expand, along an axis that is as long before as after."""
    data, output = node.inputs[0], node.outputs[0]
    if affine.axis is None:
        return affine
    if data is None or data.shape is None or output.shape is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    added = len(output.shape) - len(data.shape)
    inner = affine.axis - added if backward else affine.axis
    size = affine.scale.size
    if inner < 0 or data.shape[inner] != size or output.shape[inner + added] != size:
        return Refusal(f"{shown(node)} repeats the axis it runs along")
    return replace(affine, axis=inner if backward else inner + added)


def _source(node: ir.Node, axis: int, count: int) -> Indices | Refusal:
    """For each channel that `node` makes along `axis`, which of `count` it is made from."""
    channels = np.arange(count)
    if node.op_type in ("DepthToSpace", "SpaceToDepth"):
        if axis != 1:
            return Refusal(f"it varies over positions, and {shown(node)} moves them")
        return _between_depth_and_space(node, count)
    if node.op_type == "Gather":
        indices = stored(node.inputs[1]) if node.inputs[1] is not None else None
        rank = len(node.outputs[0].shape or ())
        if node.attributes.get_int("axis", 0) % rank != axis:
            return channels
        if indices is None or len(indices.shape) != 1:
            return Refusal(f"what {shown(node)} picks is not constant")
        return channels[indices.numpy().astype(np.intp)]
    return _sliced(node, axis, channels)


def _between_depth_and_space(node: ir.Node, count: int) -> Indices | Refusal:
    positions = node.attributes.get_int("blocksize", 1) ** 2
    if node.op_type == "SpaceToDepth":
        return np.tile(np.arange(count), positions)
    return Refusal(f"{shown(node)} makes each channel from several")


def _sliced(node: ir.Node, axis: int, channels: Indices) -> Indices | Refusal:
    rank = len(node.outputs[0].shape or ())
    starts, ends = _ints(node, "starts", 1), _ints(node, "ends", 2)
    if starts is None or ends is None or not _is_constant(node, 3) or not _is_constant(node, 4):
        return Refusal(f"what {shown(node)} picks is not constant")
    axes = _ints(node, "axes", 3) or range(len(starts))
    steps = _ints(node, "steps", 4) or [1] * len(starts)
    for start, end, one, step in zip(starts, ends, axes, steps, strict=True):
        if one % rank == axis:
            return _part(channels, start, end, step)
    return channels


def _part(channels: Indices, start: int, end: int, step: int) -> Indices:
    """As ONNX slices: an end before the first element, going backward, takes that in."""
    count = len(channels)
    if step < 0 and end < -count:
        return channels[start::step]
    return channels[start:end:step]


def _ints(node: ir.Node, name: str, index: int) -> list[int] | None:
    """An attribute, or the input that took its place; None where neither is known."""
    given = node.attributes.get_ints(name)
    if given is not None:
        return list(given)
    value = node.inputs[index] if len(node.inputs) > index else None
    tensor = None if value is None else stored(value)
    return None if tensor is None else [int(one) for one in tensor.numpy().ravel()]


def _is_constant(node: ir.Node, index: int) -> bool:
    """Whether an optional input is absent or stored."""
    value = node.inputs[index] if len(node.inputs) > index else None
    return value is None or stored(value) is not None
