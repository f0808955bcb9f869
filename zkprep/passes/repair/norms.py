"""Normalisations that EZKL lacks, or gets wrong for a batch, in operators it has.

    InstanceNormalization of (N, C, ...), N > 1: every instance is a channel of its own,
        Reshape to (1, N * C, ...), scale and bias repeated N times, Reshape back
    LpNormalization:  x / max(ReduceLp(x), least)     least = smallest normal number: 0 / 0 is 0
    GlobalLpPool:     ReduceLp(x) over the spatial axes, p = 1 or 2
    LRN:              x * (bias + alpha / size * S(x * x)) ^ -beta,
        where S sums `size` neighbouring channels: a 1x1 Conv with a constant band of ones
Sources: ONNX operators of these names.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair, sizes

_REDUCTIONS = {1: "ReduceL1", 2: "ReduceL2"}


@dataclass(frozen=True, slots=True)
class PlainNorms:
    """Normalisations are written in operators that EZKL computes rightly."""

    name: ClassVar[str] = "plain-norms"

    def __call__(self, model: ir.Model) -> PassResult:
        """Rewrite the four normalisations of the module's table."""
        return repair(model, "normalisation written out", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data = operand(node, 0)
    if data is None or data.dtype is None:
        return None
    if node.op_type == "InstanceNormalization":
        return _instance(node, draft, data)
    if node.op_type == "LpNormalization":
        axis = node.attributes.get_int("axis", -1)
        length = _length(node, draft, data, [axis])
        least = draft.constant("least", np.finfo(data.dtype.numpy()).tiny, data.dtype)
        return draft.op("Div", data, draft.op("Max", length, least))
    if node.op_type == "GlobalLpPool":
        if node.attributes.get_int("p", 2) not in _REDUCTIONS:
            return f"its p is {node.attributes.get_int('p', 2)}; 1 and 2 are sums EZKL has"
        return _length(node, draft, data, list(range(2, len(sizes(data)))))
    return _local_response(node, draft, data) if node.op_type == "LRN" else None


def _instance(node: ir.Node, draft: Draft, data: ir.Value) -> ir.Value | str | None:
    batch, channels, *spatial = sizes(data)
    if batch == 1:
        return None
    scale, bias = known(operand(node, 1)), known(operand(node, 2))
    if scale is None or bias is None:
        return "its scale or bias is not constant"
    flat = draft.op("Reshape", data, draft.constant("flat", [1, batch * channels, *spatial]))
    normal = draft.op(
        "InstanceNormalization",
        flat,
        draft.constant("scale", np.tile(scale, batch), data.dtype),
        draft.constant("bias", np.tile(bias, batch), data.dtype),
        **node.attributes,
    )
    return draft.op("Reshape", normal, draft.constant("shape", sizes(data)))


def _length(node: ir.Node, draft: Draft, data: ir.Value, axes: list[int]) -> ir.Value:
    """The p-norm of `data` over `axes`, kept as 1."""
    reduction = _REDUCTIONS[node.attributes.get_int("p", 2)]
    if draft.opset >= 18:
        return draft.op(reduction, data, draft.constant("axes", axes), keepdims=1)
    return draft.op(reduction, data, axes=axes, keepdims=1)


def _local_response(node: ir.Node, draft: Draft, data: ir.Value) -> ir.Value | str:
    size = node.attributes["size"].as_int()
    if size % 2 == 0:
        return f"its size is {size}; even ones mean different things to different runtimes"
    alpha, beta, bias = (
        node.attributes.get_float(name, default)
        for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    channels, rank = sizes(data)[1], len(sizes(data))
    band = (alpha / size) * _band(channels, size).reshape(channels, channels, *[1] * (rank - 2))
    weight = draft.constant("band", band, data.dtype)
    shift = draft.constant("bias", np.full(channels, bias), data.dtype)
    sums = draft.op("Conv", draft.op("Mul", data, data), weight, shift, **_pointwise(rank - 2))
    power = draft.constant("beta", -beta, data.dtype)
    return draft.op("Mul", data, draft.op("Pow", sums, power))


def _band(channels: int, size: int) -> Array:
    """Ones where output channel o reads input channel i: |o - i| <= size // 2."""
    channel = np.arange(channels)
    return np.asarray(np.abs(channel[:, None] - channel) <= size // 2, np.float64)


def _pointwise(axes: int) -> dict[str, list[int] | int]:
    ones = [1] * axes
    window = {"kernel_shape": ones, "strides": ones, "dilations": ones, "pads": [0] * 2 * axes}
    return {**window, "group": 1}
