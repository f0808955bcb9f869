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

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.constants import Recipe
from zkprep.passes.affine.cost import rows_per_output
from zkprep.passes.affine.edits import Edit, Folded, checked, with_offset
from zkprep.passes.affine.linear import Linear
from zkprep.passes.affine.normal_form import Array, Refusal
from zkprep.passes.affine.windows import padded, window_pads


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
    if len(first.shape) != 2 or len(second.shape) != 2:
        return Refusal("it multiplies with a stack of matrices")
    transposed = first.input_axis == 0
    if second.input_axis == 0 or (transposed and second.node.op_type != "Gemm"):
        return Refusal("a transposition lies between them")
    turned = _is_transposed(second)

    def product() -> Array:
        values = first.alpha * _matrix(first) @ _matrix(second)
        return values.T if turned else values

    shape = (second.outputs, first.inputs) if turned else (first.inputs, second.outputs)
    exact = Recipe(product, shape, first.exact.on_disk or second.exact.on_disk)
    width = (*first.offset.shape[:-1], first.outputs)
    offset = second.offset + second.alpha * np.broadcast_to(first.offset, width) @ _matrix(second)
    edit = with_offset(second, {1: Folded(exact, second.output_of)}, offset, opset)
    if edit.addend is not None:
        return Refusal("there is no bias to take that of the first")
    if not transposed:
        return edit
    return replace(edit, attributes={**edit.attributes, "transA": ir.AttrInt64("transA", 1)})


def _convolutions(first: Linear, second: Linear, opset: int) -> Edit | Refusal:
    if _pointwise(second):
        pads = window_pads(first.node)
        return pads if isinstance(pads, Refusal) else _into_pointwise(first, second, pads, opset)
    if not _pointwise(first) or any(s != 1 for s in _ones(first, "strides")):
        return Refusal("neither of them is a 1x1 convolution that can take the other")
    if _group(second) != 1:
        return Refusal("the second works in groups")
    if padded(second.node) and np.any(first.offset):
        return Refusal("the padding of the second misses the bias of the first")

    def filters() -> Array:
        pointwise = first.values.reshape(first.outputs, first.inputs)
        values: Array = np.einsum("oc...,ci->oi...", second.values, pointwise)
        return values

    taps = second.values.reshape(second.outputs, second.inputs, -1).sum(axis=2)
    offset = second.offset + taps @ first.offset
    folded = _filters(filters, first, second, second.shape[2:])
    return with_offset(second, {1: folded}, offset, opset)


def _into_pointwise(first: Linear, second: Linear, pads: Sequence[int], opset: int) -> Edit:
    """The second, 1x1, in the place of both, with the window of the first."""
    filters = second.values.reshape(second.outputs, second.inputs)

    def values() -> Array:
        pointwise = second.values.reshape(second.outputs, second.inputs)
        both: Array = np.einsum("oc,ci...->oi...", pointwise, _ungrouped(first))
        return both

    offset = second.offset + filters @ first.offset
    folded = _filters(values, first, second, first.shape[2:])
    edit = with_offset(second, {1: folded}, offset, opset)
    pairs = zip(_ones(first, "strides"), _ones(second, "strides"), strict=True)
    window: dict[str, Sequence[int]] = {
        "kernel_shape": first.shape[2:],
        "strides": [one * other for one, other in pairs],
        "dilations": _ones(first, "dilations"),
        "pads": pads or [0] * 2 * len(first.shape[2:]),
    }
    attributes = {name: ir.AttrInt64s(name, values) for name, values in window.items()}
    if "auto_pad" in second.node.attributes:
        attributes["auto_pad"] = ir.AttrString("auto_pad", "NOTSET")
    return replace(edit, attributes=attributes)


def _ungrouped(linear: Linear) -> Array:
    """The filters of a grouped convolution as if it had one group: 0 for foreign channels."""
    full = np.zeros((linear.outputs, linear.inputs, *linear.shape[2:]))
    flat = linear.input_of.reshape(linear.input_of.shape[:2])
    owner = np.broadcast_to(flat, linear.shape[:2])
    full[np.arange(linear.outputs)[:, None], owner] = linear.values
    return full


def _dearer(first: Linear, second: Linear, edit: Edit) -> Refusal | None:
    """Why one operator would cost more rows than the two, or that the sizes are not known."""
    sizes = [linear.node.outputs[0].shape for linear in (first, second)]
    between, after = (prod(s.numpy()) if s is not None and s.is_static() else None for s in sizes)
    if between is None or after is None:
        return Refusal("the sizes of their outputs are not known, so neither is what is cheaper")
    now = between * _rows(first, first.shape) + after * _rows(second, second.shape)
    then = after * _rows(second, edit.folded[1].exact.shape)
    if then < now:
        return None
    return Refusal(f"merging would cost {then:g} rows instead of {now:g}")


def _rows(linear: Linear, shape: Sequence[int]) -> float:
    """Rows per output element of an operator like `linear` with a weight of `shape`."""
    return rows_per_output(linear.node.op_type, shape, linear.outputs)


def _filters(
    make: Callable[[], Array], first: Linear, second: Linear, kernel: tuple[int, ...]
) -> Folded:
    """The filters of one convolution in the place of both."""
    shape = (second.outputs, first.inputs, *kernel)
    exact = Recipe(make, shape, first.exact.on_disk or second.exact.on_disk)
    return Folded(exact, np.arange(second.outputs).reshape(-1, *(1,) * (len(shape) - 1)))


def _pointwise(linear: Linear) -> bool:
    """Whether a convolution mixes channels and nothing else."""
    kernel = linear.shape[2:]
    return prod(kernel) == 1 and not padded(linear.node) and _group(linear) == 1


def _group(linear: Linear) -> int:
    return linear.node.attributes.get_int("group", 1)


def _ones(linear: Linear, name: str) -> Sequence[int]:
    return linear.node.attributes.get_ints(name, [1] * len(linear.shape[2:]))


def _matrix(linear: Linear) -> Array:
    """The weight of a product as [inputs, outputs]."""
    return linear.values.T if _is_transposed(linear) else linear.values


def _is_transposed(linear: Linear) -> bool:
    return linear.node.attributes.get_int("transB", 0) != 0
