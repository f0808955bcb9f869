"""A Conv as one MatMul over gathered windows: its bias in one cell, its image not placed again.

    y[g, o, n] = sum over c, k of W[g, o, c k] X[g, c k, n],    X = what output n reads of group g
EZKL places the image of a Conv beside its kernel, and a bias takes a row of w cells; gathering by
constant indices costs none. So with w columns an output costs w ceil(K / w) + 1 cells instead of
w ceil(K / w) + w, and one less per element of the image: of a depthwise 3x3 with two columns 11
instead of 13. Nothing is rounded otherwise: it is the same sum. Source: EZKL
`src/circuit/ops/layouts.rs`, conv, einsum_with_base_ops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.cost.loader import is_einsum
from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.repair.draft import Array, Draft, known, operand, sizes

TITLE = "Conv over gathered windows"


@dataclass(frozen=True, slots=True)
class GatheredWindows:
    """No Conv places its image again where a MatMul over its windows is cheaper."""

    name: ClassVar[str] = "gathered-windows"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write Convs as MatMuls where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    image, weights, bias = (operand(node, position) for position in range(3))
    if node.op_type != "Conv" or image is None or weights is None or is_einsum(node):
        return None
    filters, offset = known(weights), known(bias)
    if filters is None or (bias is not None and offset is None):
        return "its weights are computed"
    if node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        return "its auto_pad could not be made explicit"
    groups = node.attributes.get_int("group", 1)
    outputs, channels = filters.shape[:2]
    batch, shape = sizes(image)[0], sizes(node.outputs[0])

    windows = _windows(draft, image, filters.shape[2:], shape[2:])
    taps, places = prod(filters.shape[2:]), prod(shape[2:])
    split = _reshaped(draft, windows, "windows", [batch, groups, channels, taps, places])
    turned = draft.op("Transpose", split, perm=[1, 2, 3, 0, 4])
    stack = _reshaped(draft, turned, "stack", [groups, channels * taps, batch * places])
    rows = filters.reshape(groups, outputs // groups, channels * taps)
    made = draft.op("MatMul", draft.constant("filters", rows, image.dtype), stack)
    if offset is not None and np.any(offset):
        rows = offset.reshape(groups, outputs // groups, 1)
        made = draft.op("Add", made, draft.constant("bias", rows, image.dtype))
    made = _reshaped(draft, made, "rows", [outputs, batch, *shape[2:]])
    if batch > 1:
        made = draft.op("Transpose", made, perm=[1, 0, *range(2, len(shape))])
    return _reshaped(draft, made, "whole", shape)


def _windows(
    draft: Draft, image: ir.Value, kernel: Sequence[int], outputs: Sequence[int]
) -> ir.Value:
    """(N, C, taps x outputs): what every output reads, tap by tap."""
    attributes, rank = draft.node.attributes, len(kernel)
    pads = attributes.get_ints("pads", [0] * 2 * rank)
    if any(pads):
        whole = draft.constant("pads", [0, 0, *pads[:rank], 0, 0, *pads[rank:]])
        image = draft.op("Pad", image, whole)
    batch, channels, *inner = sizes(draft.node.inputs[0])
    padded = [n + sum(pads[axis::rank]) for axis, n in enumerate(inner)]
    image = _reshaped(draft, image, "flat", [batch, channels, prod(padded)])
    steps = (attributes.get_ints(name, [1] * rank) for name in ("strides", "dilations"))
    return draft.gather(image, 2, _places(padded, kernel, outputs, *steps))


def _places(
    padded: Sequence[int],
    kernel: Sequence[int],
    outputs: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Array:
    """Numbers of the places that are read, (taps x outputs)."""
    rank = len(kernel)
    found = np.zeros((1,) * 2 * rank, np.int64)
    for axis in range(rank):
        taps = np.arange(kernel[axis]) * dilations[axis]
        read = np.add.outer(taps, np.arange(outputs[axis]) * strides[axis])
        shape = [1] * 2 * rank
        shape[axis], shape[rank + axis] = read.shape
        found = found + read.reshape(shape) * prod(padded[axis + 1 :])
    return found.ravel()


def _reshaped(draft: Draft, value: ir.Value, role: str, shape: Sequence[int]) -> ir.Value:
    return draft.op("Reshape", value, draft.constant(role, shape))
