"""EZKL takes no dilated convolution: the holes become zeros of a larger kernel.

With dilation d and kernel k per axis, the kernel W' has (k - 1) * d + 1 taps and
    W'[..., d * j] = W[..., j],   0 elsewhere;
pads, strides, groups and output_padding stay. Holds for Conv and for ConvTranspose.
Source: ONNX operators Conv and ConvTranspose, attribute dilations.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair


@dataclass(frozen=True, slots=True)
class StuffDilations:
    """No Conv or ConvTranspose with a constant kernel is dilated."""

    name: ClassVar[str] = "stuff-dilations"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the holes into the kernels."""
        return repair(model, "dilated kernel stuffed with zeros", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    dilations = tuple(node.attributes.get_ints("dilations", ()))
    if node.op_type not in ("Conv", "ConvTranspose") or set(dilations) <= {1}:
        return None
    weight = operand(node, 1)
    values = known(weight)
    if weight is None or values is None or weight.dtype is None:
        return "its kernel is not constant"
    if node.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return "its auto_pad could not be made explicit"
    kernel = _stuffed(values, dilations)
    attributes = dict(node.attributes)
    attributes["dilations"] = ir.AttrInt64s("dilations", [1] * len(dilations))
    attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", kernel.shape[2:])
    stuffed = draft.constant("kernel", kernel, weight.dtype)
    return draft.op(node.op_type, node.inputs[0], stuffed, *node.inputs[2:], **attributes)


def _stuffed(weight: Array, dilations: tuple[int, ...]) -> Array:
    spread = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    kernel = np.zeros((*weight.shape[:2], *spread), weight.dtype)
    taps: tuple[Any, ...] = (..., *(slice(None, None, d) for d in dilations))
    kernel[taps] = weight
    return kernel
