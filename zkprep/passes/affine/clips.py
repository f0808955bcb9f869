"""Crossing a Clip: the affine map moves to its other side, and its bounds move with it.

    s * Clip(x; lo, hi) + t  =  Clip(s * x + t; s * lo + t, s * hi + t)
    Clip(s * x + t; lo, hi)  =  s * Clip(x; (lo - t) / s, (hi - t) / s) + t
s and t are the same for all channels, since a Clip has one bound for all; s > 0 keeps their order.
A bound that is absent or infinite stays so.

Source: ONNX operator Clip (attributes min and max before opset 11, inputs since).
"""

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.edits import Edit, Folded, checked
from zkprep.passes.affine.normal_form import Affine, Array, Refusal
from zkprep.passes.affine.windows import negative

_BY_ATTRIBUTE = {"min": -float(np.finfo(np.float32).max), "max": float(np.finfo(np.float32).max)}


def moved_bounds(
    node: ir.Node, affine: Affine, constants: Constants, *, backward: bool
) -> Edit | Refusal:
    """The Clip `node` after `affine` crossed it; `backward`: from its output to its input."""
    for values in (affine.scale, affine.shift):
        if np.any(values != values[0]):
            return Refusal("its bounds are the same for all channels, the scale or shift is not")
    scale, shift = float(affine.scale[0]), float(affine.shift[0])
    if scale == 0:
        return Refusal("channel 0 has scale 0: nothing is left of its bounds")
    refusal = negative(affine)
    if refusal is not None:
        return refusal

    def moved(bound: Array) -> Array:
        return scale * bound + shift if backward else (bound - shift) / scale

    folded = {}
    for index, value in enumerate(node.inputs[1:3], start=1):
        bound = None if value is None else constants.read(value, "bound")
        if isinstance(bound, Refusal):
            return bound
        if bound is not None and np.all(np.isfinite(bound)):
            folded[index] = Folded.of(np.asarray(moved(bound)), np.zeros((), dtype=np.intp))
    attributes = {}
    for name, unbounded in _BY_ATTRIBUTE.items():
        given = node.attributes.get_float(name)
        if given is not None and np.isfinite(given) and given != unbounded:
            number = moved(np.asarray(given, dtype=np.float64))
            attributes[name] = ir.AttrFloat32(name, float(number))
    return checked(Edit(node, min(folded, default=1), folded, attributes))
