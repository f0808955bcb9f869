"""Crossing pools, pads and rectifiers: the same affine map before and after, under conditions.

The conditions are the table of `crossing`. A negative scale would turn maxima into minima and move
the kink of a rectifier; a shift before a rectifier would move the kink too.
"""

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.constants import stored
from zkprep.passes.affine.normal_form import Affine, Refusal
from zkprep.passes.names import shown
from zkprep.passes.normalise.windows import explicit_pads, kernel_of


def average(node: ir.Node, affine: Affine, _backward: bool) -> Affine | Refusal:
    """Across AveragePool and GlobalAveragePool."""
    if affine.shifts and padded(node):
        return Refusal("the pool averages in padded zeros")
    return _along_positions(node, affine) or affine


def maximum(node: ir.Node, affine: Affine, _backward: bool) -> Affine | Refusal:
    """Across MaxPool and GlobalMaxPool."""
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return Refusal("the positions of the maxima are used")
    if affine.shifts and padded(node):
        return Refusal("the pool pads, and its padding is not shifted")
    return negative(affine) or _along_positions(node, affine) or affine


def rectifier(node: ir.Node, affine: Affine, _backward: bool) -> Affine | Refusal:
    """Across Relu, LeakyRelu and PRelu."""
    if affine.shifts:
        return Refusal(f"a shift does not commute with {node.op_type}")
    return negative(affine) or affine


def pad(node: ir.Node, affine: Affine, _backward: bool) -> Affine | Refusal:
    """Across a Pad with zeros."""
    if not pads_zeros(node):
        return Refusal(f"{shown(node)} pads with other values than 0")
    if affine.shifts:
        return Refusal(
            "the padding adds zeros after the shift, so the shift is smaller at the border"
        )
    shapes = [None if value is None else value.shape for value in (node.inputs[0], node.outputs[0])]
    axis, size = affine.axis, affine.scale.size
    if axis is not None and any(shape is None or shape[axis] != size for shape in shapes):
        return Refusal(f"{shown(node)} pads the axis it runs along")
    return affine


def negative(affine: Affine) -> Refusal | None:
    """The first channel whose scale would turn the order of values round."""
    bad = np.flatnonzero(affine.scale < 0)
    if bad.size == 0:
        return None
    scale = f"{affine.scale[bad[0]]:g}"
    return Refusal(f"channel {bad[0]} has scale {scale}: the order of values turns round")


def padded(node: ir.Node) -> bool:
    """Whether a convolution or pool pads, by `pads` or by auto_pad, or may do so."""
    pads = window_pads(node)
    return isinstance(pads, Refusal) or any(pads)


def window_pads(node: ir.Node) -> list[int] | Refusal:
    """The pads of a convolution or pool, starts first, those that auto_pad stands for too."""
    if {"auto_pad", "output_shape"}.isdisjoint(node.attributes) and "pads" not in node.attributes:
        return []
    kernel = kernel_of(node)
    if kernel is None:
        return Refusal(f"the size of the window of {shown(node)} is not known")
    pads = explicit_pads(node, kernel)
    return Refusal(pads) if isinstance(pads, str) else pads


def _along_positions(node: ir.Node, affine: Affine) -> Refusal | None:
    if affine.axis in (None, 0, 1):
        return None
    return Refusal(f"it varies over positions, and {shown(node)} mixes them")


def pads_zeros(node: ir.Node) -> bool:
    """Whether a Pad fills with constant zeros."""
    if node.attributes.get_string("mode", "constant") != "constant":
        return False
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return node.attributes.get_float("value", 0.0) == 0
    tensor = stored(value)
    return tensor is not None and not np.any(tensor.numpy())
