"""EZKL pads with zeros only, at every axis of the tensor: the rest is gathered or concatenated.

Per axis of n elements, with b before and e after (negative: cut off):
    reflect, edge, wrap   output j is input p(j), p = the numbers 0..n-1 padded in that very mode
    constant c            Concat(c block of b, x, c block of e)
A zero Pad of nonnegative pads stays, written with a pad for every axis. What a negative pad leaves
is gathered. Source: ONNX operator Pad.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair, sizes

Mode = Literal["reflect", "edge", "wrap"]


@dataclass(frozen=True, slots=True)
class PlainPads:
    """Every Pad with constant pads adds zeros and has a pad for each axis."""

    name: ClassVar[str] = "plain-pads"

    def __call__(self, model: ir.Model) -> PassResult:
        """Rewrite the Pads that EZKL rejects."""
        return repair(model, "Pad rewritten", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "Pad" or draft.opset < 11:
        return None
    data, pads = operand(node, 0), _pads(node)
    fill = known(operand(node, 2))
    mode = node.attributes.get_string("mode", "constant")
    if data is None or data.dtype is None or pads is None:
        return "its pads are not constant"
    if operand(node, 2) is not None and fill is None:
        return "the value it pads with is not constant"
    value = 0.0 if fill is None else fill.item()
    if mode != "constant":
        return _gathered(draft, data, pads, cast(Mode, mode))
    if value == 0 and pads.min() >= 0:
        if operand(node, 3) is None:
            return None
        return draft.op("Pad", data, draft.constant("pads", pads.T.ravel()), mode="constant")
    return _concatenated(draft, data, pads, value)


def _pads(node: ir.Node) -> Array | None:
    """Pads of every axis, shape (rank, 2), or None when they are not constant."""
    given, rank = known(operand(node, 1)), len(sizes(node.inputs[0]))
    axes = np.arange(rank) if operand(node, 3) is None else known(operand(node, 3))
    if given is None or axes is None:
        return None
    pads = np.zeros((rank, 2), np.int64)
    pads[axes] = given.reshape(2, -1).T
    return pads


def _gathered(draft: Draft, data: ir.Value, pads: Array, mode: Mode) -> ir.Value | str | None:
    if pads.min() < 0:
        return f"negative pads in mode {mode} mean different things to different runtimes"
    result = data
    for axis, (size, widths) in enumerate(zip(sizes(data), pads.tolist(), strict=True)):
        if any(widths):
            result = draft.gather(result, axis, np.pad(np.arange(size), widths, mode=mode))
    return None if result is data else result


def _concatenated(draft: Draft, data: ir.Value, pads: Array, value: float) -> ir.Value | None:
    result, shape = data, list(sizes(data))
    for axis, (before, after) in enumerate(pads.tolist()):
        if min(before, after) < 0:
            places = np.arange(max(0, -before), shape[axis] - max(0, -after))
            result, shape[axis] = draft.gather(result, axis, places), len(places)
        blocks = []
        for width in (before, after):
            block = np.full([*shape[:axis], max(0, width), *shape[axis + 1 :]], value)
            assert data.dtype is not None
            blocks.append([draft.constant("block", block, data.dtype)] if width > 0 else [])
        if max(before, after) > 0:
            result = draft.op("Concat", *blocks[0], result, *blocks[1], axis=axis)
            shape[axis] += max(0, before) + max(0, after)
    return None if result is data else result
