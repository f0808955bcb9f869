"""EZKL divides every AveragePool by its whole window and takes no window beyond the padding.

With k taps per window, and n(o) taps of output o that count,
    AveragePool(x)(o) = (k / n(o)) * sum of x over the taps / k.
So the pool counts its padding (count_include_pad = 1), zeros stand for what lies beyond it, and a
constant map k / n(o) of the output's size corrects the divisor; there is none where it is all 1.
n(o) counts the taps inside the tensor, and inside its padding too where count_include_pad was set.
Dilated windows are gathered side by side first, and pooled with stride k.
Source: ONNX operator AveragePool; EZKL `src/circuit/ops/layouts.rs`, sumpool.
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, operand, repair
from zkprep.passes.repair.windows import Window, why_not, windows

_DILATIONS_SINCE = 19


@dataclass(frozen=True, slots=True)
class PlainAveragePools:
    """Every AveragePool divides by its whole window."""

    name: ClassVar[str] = "plain-average-pools"

    def __call__(self, model: ir.Model) -> PassResult:
        """Correct the divisors, gather dilated windows, spell out ceil_mode."""
        return repair(model, "AveragePool with its divisor as a map", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data = operand(node, 0)
    if node.op_type != "AveragePool" or data is None or data.dtype is None:
        return None
    if node.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return "its auto_pad could not be made explicit"
    axes = windows(node)
    reason = why_not(axes)
    if reason:
        return reason
    counts_padding = bool(node.attributes.get_int("count_include_pad", 0))
    shares = [_share(window, padding=counts_padding) for window in axes]
    holes = any(w.dilation > 1 for w in axes)
    whole = all(np.all(share == 1) for share in shares)
    if whole and not holes and not any(w.overhang for w in axes):
        return None
    result = _padded(draft, data, axes)
    for w in axes if holes else ():
        result = draft.gather(result, w.axis, (w.places + w.before).ravel())
    kernels = [w.kernel for w in axes]
    dilations = {"dilations": [1] * len(axes)} if draft.opset >= _DILATIONS_SINCE else {}
    result = draft.op(
        "AveragePool",
        result,
        kernel_shape=kernels,
        strides=kernels if holes else [w.stride for w in axes],
        pads=[0] * (2 * len(axes)),
        count_include_pad=1,
        **dilations,
    )
    if whole:
        return result
    factors = functools.reduce(np.multiply.outer, shares)
    return draft.op("Mul", result, draft.constant("divisors", factors[None, None], data.dtype))


def _share(window: Window, *, padding: bool) -> Array:
    """Taps of the window by taps that count, per output of the axis."""
    places = window.places
    counted = (places >= -window.before) & (places < window.size + window.after)
    counted = counted if padding else window.inside
    return np.asarray(window.kernel / counted.sum(axis=1))


def _padded(draft: Draft, data: ir.Value, axes: tuple[Window, ...]) -> ir.Value:
    """Zeros around the tensor, as far as any window reaches."""
    ends = [max(0, int(w.places.max()) + 1 - w.size) for w in axes]
    pads = [0, 0, *(w.before for w in axes), 0, 0, *ends]
    return draft.op("Pad", data, draft.constant("pads", pads)) if any(pads) else data
