"""Crossing reductions: the affine map runs along an axis that is kept, and moves with it.

Mean: the same map. Sum of n elements: sum(s * x + t) = s * sum(x) + n * t. Maximum and minimum: the
same map, as long as no scale is negative.
"""

from dataclasses import replace
from math import prod

import onnx_ir as ir

from zkprep.passes.affine.constants import stored
from zkprep.passes.affine.normal_form import Affine, Refusal
from zkprep.passes.affine.windows import negative
from zkprep.passes.names import shown


def mean(node: ir.Node, affine: Affine, backward: bool) -> Affine | Refusal:
    """Across ReduceMean."""
    reduced = _reduced_axes(node)
    return reduced if isinstance(reduced, Refusal) else _moved(node, affine, reduced, backward)


def extreme(node: ir.Node, affine: Affine, backward: bool) -> Affine | Refusal:
    """Across ReduceMax and ReduceMin."""
    return negative(affine) or mean(node, affine, backward)


def total(node: ir.Node, affine: Affine, backward: bool) -> Affine | Refusal:
    """Across ReduceSum."""
    reduced = _reduced_axes(node)
    data = node.inputs[0]
    if isinstance(reduced, Refusal):
        return reduced
    assert data is not None and data.shape is not None
    sizes = [data.shape[axis] for axis in reduced]
    if affine.shifts and not all(isinstance(size, int) for size in sizes):
        return Refusal(f"{shown(node)} sums a number of elements that is not known")
    count = prod(size for size in sizes if isinstance(size, int))
    shift = affine.shift / count if backward else affine.shift * count
    return _moved(node, replace(affine, shift=shift), reduced, backward)


def _moved(node: ir.Node, affine: Affine, reduced: list[int], backward: bool) -> Affine | Refusal:
    """`affine` with the number its axis has on the other side."""
    data, axis = node.inputs[0], affine.axis
    assert data is not None and data.shape is not None
    if axis is None:
        return affine
    kept = [one for one in range(len(data.shape)) if one not in reduced]
    dropped = not node.attributes.get_int("keepdims", 1)
    before = kept[axis] if backward and dropped else axis
    if before in reduced:
        return Refusal(f"{shown(node)} reduces the axis it runs along")
    moved = kept.index(before) if dropped and not backward else before
    return replace(affine, axis=moved, layout=shown(node) if moved != axis else affine.layout)


def _reduced_axes(node: ir.Node) -> list[int] | Refusal:
    data = node.inputs[0]
    if data is None or data.shape is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    rank = len(data.shape)
    axes = node.attributes.get_ints("axes")
    value = node.inputs[1] if len(node.inputs) > 1 else None
    if value is not None:
        tensor = stored(value)
        if tensor is None:
            return Refusal(f"the axes of {shown(node)} are not constant")
        axes = [int(axis) for axis in tensor.numpy().ravel()]
    if not axes:
        nothing = node.attributes.get_int("noop_with_empty_axes", 0)
        return [] if nothing else list(range(rank))
    return sorted(axis % rank for axis in axes)
