"""Before operator set 13, Softmax, LogSoftmax and Hardmax took several axes as one.

The axes from `axis` on (1 by default) are flattened, and so are those before:
    Reshape to (before, from axis on), the operator on the last axis, Reshape back.
Where `axis` is the last, that is what the newer operator does. Sources: ONNX operators of these
names, versions 1, 11 and 13.
"""

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, operand, repair, sizes


def flatten_softmaxes(model: ir.Model) -> PassResult:
    """`model`, which says operator set 13 and means older ones in these operators, put right."""
    return repair(model, "axes taken as one", _flattened)


def _flattened(node: ir.Node, draft: Draft) -> ir.Value | None:
    """A Softmax as operator sets before 13 meant it."""
    data = operand(node, 0)
    if node.op_type not in ("Hardmax", "LogSoftmax", "Softmax") or data is None:
        return None
    shape = sizes(data)
    axis = node.attributes.get_int("axis", 1) % len(shape)
    if axis == len(shape) - 1:
        return draft.op(node.op_type, data, axis=axis)
    rows = draft.constant("rows", [int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))])
    flat = draft.op(node.op_type, draft.op("Reshape", data, rows), axis=1)
    return draft.op("Reshape", flat, draft.constant("shape", shape))
