"""EZKL pads a MaxPool with zeros, ignores its dilations and takes no ceil_mode that adds a window.

A maximum does not change when an element of its window is repeated. So a place outside the tensor
is replaced by the place nearest to it that the same window reads inside, and all of them are
gathered, which costs no cells:
    no dilation    the places of the windows overlap as they did: clamped to [0, size), same stride
    dilation       the k places of each window side by side, stride k
and the pool that is left has neither pads, dilations nor ceil_mode. No bound on the values is
needed. A padded pool behind an operator that gives nothing negative stays: a zero is no maximum
there. Source: ONNX operator MaxPool; EZKL `src/circuit/ops/layouts.rs`, maxpool.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, operand, repair
from zkprep.passes.repair.windows import Window, why_not, windows

_NEVER_NEGATIVE = frozenset(("Abs", "Exp", "HardSigmoid", "Relu", "Sigmoid", "Softmax", "Softplus"))
_KEEPS_SIGN = frozenset(("Concat", "Flatten", "MaxPool", "AveragePool", "Reshape", "Transpose"))


@dataclass(frozen=True, slots=True)
class PlainMaxPools:
    """Every MaxPool reads its input alone, in windows without holes."""

    name: ClassVar[str] = "plain-max-pools"

    def __call__(self, model: ir.Model) -> PassResult:
        """Gather what the windows read where EZKL would read something else."""
        return repair(model, "MaxPool over gathered places", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data = operand(node, 0)
    if node.op_type != "MaxPool" or data is None:
        return None
    if node.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return "its auto_pad could not be made explicit"
    axes = windows(node)
    reason = why_not(axes)
    if reason:
        return reason
    plain = all(w.dilation == 1 and w.overhang == 0 for w in axes)
    padded = any(w.before or w.after for w in axes)
    if plain and (not padded or _never_negative(data)):
        return None
    kernels = [w.kernel for w in axes]
    holes = any(w.dilation > 1 for w in axes)
    result = data
    for w in axes:
        result = draft.gather(result, w.axis, _apart(w) if holes else _overlapping(w))
    strides: Sequence[int] = kernels if holes else [w.stride for w in axes]
    return draft.op("MaxPool", result, kernel_shape=kernels, strides=strides, **_no_edges(axes))


def _no_edges(axes: Sequence[Window]) -> dict[str, list[int]]:
    return {"pads": [0] * (2 * len(axes)), "dilations": [1] * len(axes)}


def _overlapping(window: Window) -> Array:
    """Places from the first tap of the first window to the last tap of the last."""
    return np.clip(np.arange(window.places[0, 0], window.places[-1, -1] + 1), 0, window.size - 1)


def _apart(window: Window) -> Array:
    """Places of every window, one window after the other; padding reads the nearest tap inside."""
    rows = []
    for places, inside in zip(window.places, window.inside, strict=True):
        own = places[inside]
        rows.append(own[np.abs(own[None, :] - places[:, None]).argmin(axis=1)])
    return np.concatenate(rows)


def _never_negative(value: ir.Value) -> bool:
    producer = value.producer()
    if producer is None or producer.domain != "":
        return False
    if producer.op_type in _KEEPS_SIGN:
        sources = producer.inputs[:1] if producer.op_type == "Reshape" else producer.inputs
        return all(source is not None and _never_negative(source) for source in sources)
    return producer.op_type in _NEVER_NEGATIVE
