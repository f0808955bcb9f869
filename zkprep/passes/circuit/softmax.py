"""Softmax without a sort: its largest element by maxima of two, its sum by the binary point.

    softmax(x) = 2**-c * e / (2**-c * sum of e),    e = exp(x - max(x)),  2**c >= n > 2**(c - 1)
EZKL finds the largest of a row by sorting it, which raises the degree of the whole circuit, and
takes the same exponential, by a table that both need. The sum of n exponentials lies in [1, n]; its
share of 2**c, in (1/2n, 1], has an inverse of at least 1, which the bits of a scale hold well, and
a factor 2**-c costs a cell. Source: ONNX operator Softmax (13); EZKL `src/circuit/ops/layouts.rs`,
softmax_axes.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.bounds import largest
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.circuit.windowed import Combiner, whole
from zkprep.passes.repair.draft import Draft, operand, sizes

TITLE = "Softmax without a sort"


@dataclass(frozen=True, slots=True)
class SoftmaxBySums:
    """No Softmax sorts where maxima of two are cheaper."""

    name: ClassVar[str] = "softmax-by-sums"

    def __call__(self, model: ir.Model) -> PassResult:
        """Spell Softmax out where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, lambda node: node.op_type)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data = operand(node, 0)
    if node.op_type != "Softmax" or data is None or data.dtype is None:
        return None
    shape = sizes(data)
    axis = node.attributes.get_int("axis", -1) % len(shape)
    if shape[axis] < 2:
        return None
    row = list(whole(data, [axis]))
    maximum = Combiner(draft, lambda a, b: largest(draft, a, b), overlapping=True)
    raised = draft.op("Exp", draft.op("Sub", data, maximum.combined(data, row, shape)))
    shift = draft.constant("shift", 2.0 ** -int(np.ceil(np.log2(shape[axis]))), data.dtype)
    total = draft.op("ReduceSum", raised, draft.constant("axes", [axis]), keepdims=1)
    inverse = draft.op("Reciprocal", draft.op("Mul", total, shift))
    return draft.op("Mul", draft.op("Mul", raised, inverse), shift)
