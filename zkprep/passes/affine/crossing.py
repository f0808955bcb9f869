"""Operators an affine map can cross: one after the operator, and one before it, that do the same.

    operator                           s         t       condition
    Reshape, Flatten, Squeeze,         both move with the axis (`layout`)
    Unsqueeze, Transpose
    Concat                             cut at the operands' widths along its axis, else whole
    Add, Sub, Sum of tensors           to all    to one  none broadcast along the channels
    AveragePool                        any       any     t: nothing padded
    GlobalAveragePool, ReduceMean      any       any     along an axis that is not reduced
    ReduceSum of n elements            any       n * t   along an axis that is not reduced
    MaxPool, GlobalMaxPool, ReduceMax, s >= 0    any     positions unread; t: nothing padded
    ReduceMin
    Relu, LeakyRelu, PRelu             s >= 0    0
    Resize, Upsample, Expand           any       any     along an axis that is not resized
    Slice, Gather, SpaceToDepth        any       any     each channel is made from one
    DepthToSpace                       one       one
    Pad with constant 0                any       0
    Clip                               one > 0   one     its bounds move too (`clips`)
    MatMul                             any       0       rows with its left operand, columns with
                                                         its right one
A real nonlinearity (Sigmoid, Tanh, Softmax) lets nothing cross. ONNX pads a MaxPool with -infinity
and can leave the padding out of an average; EZKL pads both with 0, so no shift crosses either.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine import reductions, selections, windows
from zkprep.passes.affine.layout import RESHAPES, reshaped, transposed
from zkprep.passes.affine.normal_form import Affine, Refusal
from zkprep.passes.names import shown

# Affine maps on inputs of an operator, by number, that together do what one on its output does.
Pieces = tuple[tuple[int, Affine], ...]


def across_backward(node: ir.Node, affine: Affine) -> tuple[Pieces, ...] | Refusal | None:
    """What `affine` after `node` is before it: alternatives; None if nothing crosses `node`."""
    if node.domain != "":
        return None
    if node.op_type == "Concat":
        return _cut(node, affine)
    if node.op_type in ("Add", "Sub", "Sum"):
        return _to_all(node, affine)
    if node.op_type not in _UNARY:
        return None
    moved = _UNARY[node.op_type](node, affine, True)
    return moved if isinstance(moved, Refusal) else (((0, moved),),)


def across_forward(node: ir.Node, index: int, affine: Affine) -> Affine | Refusal | None:
    """What `affine` before input `index` of `node` is after it; None if nothing crosses `node`."""
    if node.domain != "":
        return None
    if node.op_type == "Concat":
        return _widen(node, index, affine)
    if node.op_type not in _UNARY or index != 0:
        return None
    return _UNARY[node.op_type](node, affine, False)


def across_product(node: ir.Node, affine: Affine) -> tuple[int, Affine] | None:
    """The operand of a MatMul, by number, that can be scaled in the place of its output, and how.

    (A B) s along the columns is A (B s), along the rows (s A) B; a shift would be multiplied too.
    """
    left, right, output = *node.inputs[:2], node.outputs[0]
    if node.op_type != "MatMul" or node.domain != "" or affine.shifts or affine.axis is None:
        return None
    shapes = [None if value is None else value.shape for value in (left, right, output)]
    ranks = [0 if shape is None else len(shape) for shape in shapes]
    behind = ranks[2] - affine.axis
    if min(ranks) < 2 or behind not in (1, 2):
        return None
    index = 1 if behind == 1 else 0
    return index, replace(affine, axis=ranks[index] - behind)


def behind_product(node: ir.Node, index: int, affine: Affine) -> Affine | None:
    """`affine` of operand `index` of a MatMul as one of its output, if it scales what is kept."""
    value, output = node.inputs[index], node.outputs[0]
    if value is None or value.shape is None or output.shape is None or affine.axis is None:
        return None
    moved = replace(affine, axis=len(output.shape) - len(value.shape) + affine.axis)
    back = across_product(node, moved)
    return moved if back is not None and back[0] == index else None


def _cut(node: ir.Node, affine: Affine) -> tuple[Pieces, ...] | Refusal:
    """One piece per operand of a Concat."""
    axis, widths = _concat_widths(node)
    if affine.axis is None or (axis is not None and affine.axis != axis):
        return (tuple((index, affine) for index in range(len(node.inputs))),)
    if axis is None or widths is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    ends = np.cumsum(widths)
    pieces = [
        (i, replace(affine, scale=affine.scale[end - w : end], shift=affine.shift[end - w : end]))
        for i, (w, end) in enumerate(zip(widths, ends, strict=True))
    ]
    return (tuple(pieces),)


def _widen(node: ir.Node, index: int, affine: Affine) -> Affine | Refusal:
    """The map of one operand of a Concat as one of its output: nothing happens to the others."""
    axis, widths = _concat_widths(node)
    if axis is None or widths is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    if affine.axis not in (None, axis):
        return Refusal(f"{shown(node)} joins it with tensors that are not scaled")
    scale, shift = affine.over(widths[index])
    before, after = sum(widths[:index]), sum(widths[index + 1 :])
    return replace(
        affine,
        scale=np.concatenate([np.ones(before), scale, np.ones(after)]),
        shift=np.concatenate([np.zeros(before), shift, np.zeros(after)]),
        axis=axis,
    )


def _concat_widths(node: ir.Node) -> tuple[int | None, list[int] | None]:
    """The axis of a Concat from 0, and the sizes of its operands along it; None what is unknown."""
    shapes = [None if value is None else value.shape for value in node.inputs]
    rank = next((len(shape) for shape in shapes if shape is not None), None)
    if rank is None:
        return None, None
    axis = node.attributes.get_int("axis", 0) % rank
    widths = [None if shape is None else shape[axis] for shape in shapes]
    known = [width for width in widths if isinstance(width, int)]
    return axis, known if len(known) == len(widths) else None


def _to_all(node: ir.Node, affine: Affine) -> tuple[Pieces, ...] | Refusal:
    """The scale to every operand, the shift to any one of them."""
    pieces: list[Affine] = []
    for index in range(len(node.inputs)):
        piece = _on_operand(node, index, affine)
        if isinstance(piece, Refusal):
            return piece
        if node.op_type == "Sub" and index == 1:
            piece = replace(piece, shift=-piece.shift)
        pieces.append(piece)
    scaled = [replace(one, shift=np.zeros_like(one.shift)) for one in pieces]
    takers = range(len(pieces)) if affine.shifts else range(1)
    return tuple(
        tuple((i, pieces[i] if i == taker else scaled[i]) for i in range(len(pieces)))
        for taker in takers
    )


def _on_operand(node: ir.Node, index: int, affine: Affine) -> Affine | Refusal:
    """`affine` with the number its axis has in an operand that may be broadcast."""
    value, output = node.inputs[index], node.outputs[0]
    if affine.axis is None:
        return affine
    if value is None or value.shape is None or output.shape is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    axis = affine.axis - len(output.shape) + len(value.shape)
    if axis < 0 or value.shape[axis] != affine.scale.size:
        return Refusal(f"{shown(node)} broadcasts '{value.name}' along the channels")
    return replace(affine, axis=axis)


def _reshape(node: ir.Node, affine: Affine, backward: bool) -> Affine | Refusal:
    data = node.inputs[0]
    old, new = (None if data is None else data.shape), node.outputs[0].shape
    return reshaped(node, affine, new, old) if backward else reshaped(node, affine, old, new)


def _transpose(node: ir.Node, affine: Affine, backward: bool) -> Affine | Refusal:
    shape = node.outputs[0].shape
    if shape is None:
        return Refusal(f"the shapes around {shown(node)} are not known")
    return transposed(node, affine, len(shape), backward=backward)


_Unary = Callable[[ir.Node, Affine, bool], Affine | Refusal]

_UNARY: dict[str, _Unary] = {
    **dict.fromkeys(RESHAPES, _reshape),
    "Transpose": _transpose,
    "AveragePool": windows.average,
    "GlobalAveragePool": windows.average,
    "MaxPool": windows.maximum,
    "GlobalMaxPool": windows.maximum,
    "Pad": windows.pad,
    "Relu": windows.rectifier,
    "LeakyRelu": windows.rectifier,
    "PRelu": windows.rectifier,
    **dict.fromkeys(("Slice", "Gather", "DepthToSpace", "SpaceToDepth"), selections.selection),
    **dict.fromkeys(("Resize", "Upsample"), selections.resize),
    "Expand": selections.expand,
    "ReduceMean": reductions.mean,
    "ReduceSum": reductions.total,
    "ReduceMax": reductions.extreme,
    "ReduceMin": reductions.extreme,
}
