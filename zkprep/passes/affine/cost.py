"""Does a plan that leaves Adds behind cost more rows than the chain it removes?

Rows per element in EZKL with its default two inner columns: a scale needs a rescale, a shift is one
cell. The operators that absorb a chain cost what they did before.
"""

from math import prod

import onnx_ir as ir

from zkprep.passes.affine.chains import Chain
from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.affine.plan import Plan

_ROWS_PER_SCALE = 24.0
_ROWS_PER_SHIFT = 0.5


def dearer(chain: Chain, plan: Plan) -> Refusal | None:
    """Why `plan` does not pay, as far as the sizes of the tensors are known."""
    added = [_elements(edit.node.outputs[0]) for edit in plan.edits if edit.addend is not None]
    removed, affine = _elements(chain.data), chain.affine
    known = [size for size in added if size is not None]
    if not added or removed is None or len(known) < len(added):
        return None
    now = removed * (_ROWS_PER_SCALE * affine.scales + _ROWS_PER_SHIFT * affine.shifts)
    then = _ROWS_PER_SHIFT * sum(known)
    if then < now:
        return None
    return Refusal(f"merging would cost {then:g} rows instead of {now:g}")


def _elements(value: ir.Value) -> int | None:
    shape = value.shape
    return prod(shape.numpy()) if shape is not None and shape.is_static() else None
