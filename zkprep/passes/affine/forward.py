"""An affine map into the linear operator that reads its output: y = W(s * x + t) + b.

W becomes W * s over its input channels; what W makes of the constant t is added:
    Gemm              alpha * (t @ op(B)), with the B before scaling, into C, and beta into C too
    MatMul            t @ W, or W @ t
    Conv, unpadded    sum over i, k of W[o, i, k] * t[c(o, i)], into the bias
    Conv, padded, and ConvTranspose: W applied to the constant image, a map [1, O, size...] that
    differs at the border, since neither the padding nor the gaps between strides are shifted.
The map separates: sum over i of W[o, i, k] * t, then per spatial axis times a 0/1 matrix of the
output positions at which tap k meets the image.
"""

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.edits import Edit, Folded, checked, with_offset
from zkprep.passes.affine.linear import Linear
from zkprep.passes.affine.normal_form import Affine, Array, Refusal
from zkprep.passes.affine.windows import padded, window_pads
from zkprep.passes.names import shown


def forward(linear: Linear, affine: Affine, opset: int) -> Edit | Refusal:
    """`linear` after it absorbed `affine` from its input."""
    refusal = _not_its_channels(linear, affine)
    if refusal is not None:
        return refusal
    scale, shift = affine.over(linear.inputs)
    folded = {}
    if affine.scales:
        exact = linear.exact.times(scale[linear.input_of])
        folded[linear.weight] = Folded(exact, linear.output_of)
    edit: Edit | Refusal = Edit(linear.node, linear.weight, folded)
    if affine.shifts:
        response = linear.alpha * linear.values * shift[linear.input_of]
        edit = _shifted(linear, folded, response, opset)
    if isinstance(edit, Refusal):
        return edit
    if edit.addend is not None and not affine.scales:
        return _no_bias(linear)
    return checked(edit)


def _shifted(
    linear: Linear, folded: dict[int, Folded], response: Array, opset: int
) -> Edit | Refusal:
    """The edit that adds `response`, what each element of the weight makes of the shift."""
    node, channels = linear.node, np.arange(linear.outputs)
    if node.op_type == "MatMul" and response.ndim > 2:
        right = linear.weight == 1
        total = response.sum(axis=-2 if right else -1, keepdims=True)
        addend = Folded.of(total, channels if right else channels[:, None])
        return Edit(node, linear.weight, folded, addend=addend)
    taps = _per_output(linear, response)
    if node.op_type not in ("Conv", "ConvTranspose") or _reaches_all(node):
        total = taps.sum(axis=tuple(range(1, taps.ndim)))
        return with_offset(linear, folded, linear.offset + total, opset)
    image = _image(node, taps)
    if isinstance(image, Refusal):
        return image
    spatial = (1,) * (taps.ndim - 1)
    image += linear.offset.reshape(-1, *spatial)
    addend = Folded.of(image[None], channels.reshape(-1, *spatial))
    return Edit(node, linear.weight, folded, addend=addend, without=(2,))


def _per_output(linear: Linear, response: Array) -> Array:
    """`response` summed over input channels, shape (outputs, taps...)."""
    taps = response.shape[2:]
    owner = np.broadcast_to(
        linear.output_of.reshape(linear.output_of.shape[:2]), response.shape[:2]
    )
    sums = np.zeros((linear.outputs, *taps))
    np.add.at(sums, owner.ravel(), response.reshape(-1, *taps))
    return sums


def _reaches_all(node: ir.Node) -> bool:
    """Whether every output position of a convolution sees every tap meet the image."""
    return node.op_type == "Conv" and not padded(node)


def _image(node: ir.Node, taps: Array) -> Array | Refusal:
    """What `node` makes of the constant image, shape (outputs, size...), from its `taps`."""
    data, output = node.inputs[0], node.outputs[0]
    if data is None or data.shape is None or output.shape is None:
        return Refusal("a border correction needs known shapes")
    sizes, results = ir.Shape(data.shape[2:]), ir.Shape(output.shape[2:])
    if not (sizes.is_static() and results.is_static()):
        return Refusal("a border correction needs a fixed height and width")
    given = window_pads(node)
    if isinstance(given, Refusal):
        return given
    rank = taps.ndim - 1
    strides = node.attributes.get_ints("strides", [1] * rank)
    dilations = node.attributes.get_ints("dilations", [1] * rank)
    pads = given or [0] * 2 * rank
    image = taps
    for axis in range(rank):
        tap = np.arange(taps.shape[1 + axis])[:, None] * dilations[axis] - pads[axis]
        position = np.arange(results.numpy()[axis])
        if node.op_type == "Conv":
            met, stride = position * strides[axis] + tap, 1
        else:
            met, stride = position - tap, strides[axis]
        inside = (met % stride == 0) & (met >= 0) & (met // stride < sizes.numpy()[axis])
        # The contracted tap axis leaves the front, its positions come in at the back.
        image = np.tensordot(image, inside.astype(np.float64), axes=([1], [0]))
    return image


def _not_its_channels(linear: Linear, affine: Affine) -> Refusal | None:
    """Why the input channels of `linear` are not what `affine` runs along."""
    if affine.axis is None:
        return None
    if affine.axis == linear.input_axis:
        if affine.scale.size == linear.inputs:
            return None
        read = f"{shown(linear.node)} reads {linear.inputs}"
        return Refusal(f"it has {affine.scale.size} channels but {read}")
    reason = affine.off_channels
    if affine.layout:
        reason = f"after {affine.layout} its channels are not what the product sums over"
    elif linear.node.op_type == "Gemm" and linear.input_axis == 0:
        reason = "with transA=1 its channels are rows, not the summed axis"
    elif linear.node.op_type == "MatMul":
        reason = "it scales an axis that the product does not sum over"
    return Refusal(reason)


def _no_bias(linear: Linear) -> Refusal:
    """Why a shift alone is not moved behind an operator that would need an Add for it."""
    if linear.node.op_type == "Conv":
        return Refusal(
            "the padding adds zeros after the shift, so the shift is smaller at the border"
        )
    if linear.node.op_type == "ConvTranspose":
        return Refusal("the shift reaches each output a different number of times")
    return Refusal(f"{shown(linear.node)} has no bias to take the shift")
