"""Rows per element in EZKL with its default two inner columns: what a fusion has to save.

A scale needs a rescale, a shift is one cell; a linear operator takes its products, two to a row, a
rescale and the bias. Operators that absorb a chain cost what they did before.
"""

from collections.abc import Sequence
from math import ceil, prod

import onnx_ir as ir

from zkprep.passes.affine.chains import Chain
from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.affine.plan import Plan

_ROWS_PER_SCALE = 24.0
_ROWS_PER_SHIFT = 0.5
# Rows of one output element beside those of its products.
_ROWS_PER_OUTPUT = {"Conv": 24.0, "Gemm": 23.5, "MatMul": 23.5}


def rows_per_output(operator: str, weight: Sequence[int], outputs: int) -> float:
    """Rows per output element of a linear operator with `outputs` channels.

    Args:
        operator: Conv, Gemm or MatMul.
        weight: the shape of its weight.
        outputs: number of its output channels.
    """
    return ceil(prod(weight) / outputs / 2) + _ROWS_PER_OUTPUT[operator]


def rows_of_affine(*, scales: bool, shifts: bool) -> float:
    """Rows per element of a scale, a shift or both."""
    return _ROWS_PER_SCALE * scales + _ROWS_PER_SHIFT * shifts


def dearer(chain: Chain, plan: Plan) -> Refusal | None:
    """Why `plan` does not pay, as far as the sizes of the tensors are known."""
    added = [_elements(edit.node.outputs[0]) for edit in plan.edits if edit.addend is not None]
    removed, affine = _elements(chain.data), chain.affine
    known = [size for size in added if size is not None]
    if not added or removed is None or len(known) < len(added):
        return None
    now = removed * rows_of_affine(scales=affine.scales, shifts=affine.shifts)
    then = _ROWS_PER_SHIFT * sum(known)
    if then < now:
        return None
    return Refusal(f"merging would cost {then:g} rows instead of {now:g}")


def _elements(value: ir.Value) -> int | None:
    shape = value.shape
    return prod(shape.numpy()) if shape is not None and shape.is_static() else None
