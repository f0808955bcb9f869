"""MaxPool and its kin as maxima of two: no sorts, so no shuffles and a circuit of degree 5.

    max(a, b) = b + Relu(a - b),    min(a, b) = a - Relu(a - b)
EZKL sorts every window, for 2q + (q - 1)(D + 14) cells of q values against (q - 1)(D + 8) here, and
fewer where windows overlap (zkprep.passes.circuit.windowed). Source: ONNX operators MaxPool,
GlobalMaxPool, ReduceMax and ReduceMin; EZKL `src/circuit/ops/layouts.rs`, max_pool and max_axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.bounds import largest, smallest
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.circuit.windowed import Combiner, whole
from zkprep.passes.repair.draft import Draft, known, operand, sizes
from zkprep.passes.repair.windows import Window, why_not, windows

TITLE = "maxima of two"


@dataclass(frozen=True, slots=True)
class MaximaOfTwo:
    """No window's largest element is found by sorting where differences are cheaper."""

    name: ClassVar[str] = "maxima-of-two"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write pools and reductions as maxima of two where that is cheaper."""
        return where_cheaper(model, TITLE, _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data = operand(node, 0)
    if data is None or data.dtype is None or not data.dtype.is_floating_point():
        return None
    if node.op_type not in ("MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin"):
        return None
    axes = _windows(node, data)
    if isinstance(axes, str):
        return axes

    bounded = smallest if node.op_type == "ReduceMin" else largest
    combine = partial(bounded, draft)
    result = Combiner(draft, combine, overlapping=True).combined(data, axes, sizes(data))
    if result is data:
        return None
    shape = sizes(node.outputs[0])
    if len(shape) == len(sizes(data)):
        return result
    return draft.op("Reshape", result, draft.constant("shape", shape))


def _windows(node: ir.Node, data: ir.Value) -> Sequence[Window] | str:
    """What each output is the largest of, or why that is not known."""
    if node.op_type == "GlobalMaxPool":
        return list(whole(data, range(2, len(sizes(data)))))
    if node.op_type != "MaxPool":
        axes = reduced_axes(node, data)
        return "its axes are not known" if axes is None else list(whole(data, axes))
    if node.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return "its auto_pad could not be made explicit"
    found = windows(node)
    holes = any(window.dilation > 1 for window in found)
    return why_not(found) or ("its windows have holes" if holes else found)


def reduced_axes(node: ir.Node, data: ir.Value) -> Sequence[int] | None:
    """The axes of a reduction, of the attribute or of the constant input; None if not known."""
    rank, given = len(sizes(data)), operand(node, 1)
    listed = node.attributes.get_ints("axes", ())
    if given is not None:
        values = known(given)
        if values is None:
            return None
        listed = values.ravel().tolist()
    if not listed:
        return range(0 if node.attributes.get_int("noop_with_empty_axes", 0) else rank)
    return sorted(int(axis) % rank for axis in listed)
