"""Sequences that are taken apart where they were put together become tensors.

    SequenceAt(SplitToSequence(x, s), i)            part i of x along the axis: a Slice
    SequenceAt(SequenceConstruct(a, b, ...), i)     operand i
    ConcatFromSequence(SequenceConstruct(a, ...))   Concat, behind an Unsqueeze each for a new axis
Part i of size s is x[i s : (i + 1) s], which a Slice cuts short at the end; of sizes s_0, s_1, ...
it starts at their sum up to i. Exporters of PyTorch write these for split, chunk, stack and cat.
Sources: ONNX, the operators named.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Answer, Draft, known, operand, repair


@dataclass(frozen=True, slots=True)
class OpenSequences:
    """No sequence is left whose parts are known before the model runs."""

    name: ClassVar[str] = "open-sequences"
    narrows: ClassVar[str] = "symbolic dimensions of the outputs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write tensors for the parts; who put them together is unread then."""
        return repair(model, "sequence taken apart", _rule)


def _rule(node: ir.Node, draft: Draft) -> Answer:
    if node.op_type not in ("SequenceAt", "ConcatFromSequence"):
        return None
    sequence = operand(node, 0)
    maker = sequence.producer() if sequence is not None else None
    if maker is None or maker.op_type not in ("SplitToSequence", "SequenceConstruct"):
        return "its sequence is put together otherwise"
    if node.op_type == "ConcatFromSequence":
        return _joined(node, maker, draft)
    position = known(operand(node, 1))
    if position is None:
        return "its position is not constant"
    return _part(maker, int(position), draft)


def _joined(node: ir.Node, maker: ir.Node, draft: Draft) -> Answer:
    if maker.op_type != "SequenceConstruct":
        return "its sequence is split off, not put together"
    axis = node.attributes.get_int("axis", 0)
    parts = list(maker.inputs)
    if node.attributes.get_int("new_axis", 0):
        axes = draft.constant("axis", [axis])
        parts = [draft.op("Unsqueeze", part, axes) for part in parts]
    return draft.op("Concat", *parts, axis=axis)


def _part(maker: ir.Node, position: int, draft: Draft) -> Answer:
    if maker.op_type == "SequenceConstruct":
        return draft.op("Identity", maker.inputs[position])
    lengths = known(operand(maker, 1))
    if operand(maker, 1) is not None and lengths is None:
        return "the sizes of its parts are not constant"
    if position < 0:
        return "its position counts from the end"
    axis = maker.attributes.get_int("axis", 0)
    if lengths is None or lengths.ndim == 0:
        size = 1 if lengths is None else int(lengths)
        start, end = position * size, (position + 1) * size
    else:
        start, end = (int(np.sum(lengths[:count])) for count in (position, position + 1))
    bounds = [draft.constant(name, [at]) for name, at in (("start", start), ("end", end))]
    axes = draft.constant("axis", [axis])
    part = draft.op("Slice", maker.inputs[0], *bounds, axes)
    if lengths is None and not maker.attributes.get_int("keepdims", 1):
        return draft.op("Squeeze", part, axes)
    return part
