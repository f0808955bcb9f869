"""Two linear operators in a row as one: the algebra.

    Gemm or MatMul twice    M = (alpha1 * op(B1)) @ op(B2), the second's alpha stays
                            offset = beta2 * C2 + alpha2 * (beta1 * C1) @ op(B2)
    Conv, then Conv 1x1     W[o, i, k] = sum over c of W2[o, c] * W1[c, i, k],  b = W2 @ b1 + b2
                            strides multiply; pads and dilations are the first's; second: unpadded,
                            one group; a grouped first is expanded
    Conv 1x1, then Conv     W[o, i, k] = sum over c of W2[o, c, k] * W1[c, i]
                            b = b2 + sum over c, k of W2 * b1; first: stride 1, unpadded; both: one
                            group; a padded second: only without b1, which its padding would miss
"""

from collections.abc import Mapping
from math import ceil, prod

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.edits import Edit, Folded, checked, with_offset
from zkprep.passes.affine.linear import Linear
from zkprep.passes.affine.normal_form import Array, Refusal
from zkprep.passes.affine.windows import padded

# Rows of one output element beside those of its products: the rescale and the bias.
_ROWS_PER_OUTPUT = {"Conv": 24.0, "Gemm": 23.5, "MatMul": 23.5}


def merged(first: Linear, second: Linear, opset: int) -> Edit | Refusal | None:
    """`second` after it absorbed `first`, which makes its data; None for operators of two kinds."""
    kinds = (first.node.op_type, second.node.op_type)
    if kinds == ("Conv", "Conv"):
        edit = _convolutions(first, second, opset)
    elif set(kinds) <= {"Gemm", "MatMul"} and first.weight == second.weight == 1:
        edit = _products(first, second, opset)
    else:
        return None
    if isinstance(edit, Refusal):
        return edit
    return _dearer(first, second, edit) or checked(edit)


def _products(first: Linear, second: Linear, opset: int) -> Edit | Refusal:
    if first.values.ndim != 2 or second.values.ndim != 2:
        return Refusal("it multiplies with a stack of matrices")
    transposed = first.input_axis == 0
    if second.input_axis == 0 or (transposed and second.node.op_type != "Gemm"):
        return Refusal("it is transposed between the two")
    left, right = first.alpha * _matrix(first), _matrix(second)
    values = (left @ right).T if _is_transposed(second) else left @ right
    carried = np.broadcast_to(first.offset, (*first.offset.shape[:-1], first.outputs)) @ right
    offset = second.offset + second.alpha * carried
    edit = with_offset(second, {1: Folded(values, second.output_of)}, offset, opset)
    if edit.addend is not None:
        return Refusal("the second has no bias to take that of the first")
    attributes = {**edit.attributes, "transA": ir.AttrInt64("transA", 1)}
    ...


def _matrix(linear: Linear) -> Array:
    """The weight as [inputs, outputs]."""
    return linear.values.T if _is_transposed(linear) else linear.values


def _is_transposed(linear: Linear) -> bool:
    return linear.node.attributes.get_int("transB", 0) != 0
