"""What becomes of a linear operator: said in float64 first, done when all of it is known to hold.

A fusion computes its edits, checks them, then applies them: a refusal leaves the model untouched.
Changed constants get new names; the old ones go only when nothing reads them any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.passes.affine.constants import Constants, cast, stored, type_name
from zkprep.passes.affine.linear import Linear
from zkprep.passes.affine.normal_form import Array, Refusal


@dataclass(frozen=True, slots=True)
class Folded:
    """New values of a constant, float64, and the output channel of each (broadcastable to it)."""

    values: Array
    channels: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Edit:
    """A linear operator after it absorbed an affine map.

    Attributes:
        node: the operator, which keeps its name and its other attributes.
        weight: input number of its weight, whose element type every new constant takes.
        folded: new constants by input number.
        attributes: attributes that change.
        op_type: what it becomes, "" if it stays what it is.
        addend: what remains to be added to its output, where it has no bias for that.
        without: inputs it loses, from the last on.
    """

    node: ir.Node
    weight: int
    folded: Mapping[int, Folded]
    attributes: Mapping[str, ir.Attr] = field(default_factory=dict)
    op_type: str = ""
    addend: Folded | None = None
    without: tuple[int, ...] = ()

    @property
    def dtype(self) -> ir.DataType:
        """Element type of the weight."""
        value = self.node.inputs[self.weight]
        tensor = None if value is None else stored(value)
        assert tensor is not None
        return tensor.dtype


def with_offset(linear: Linear, folded: Mapping[int, Folded], offset: Array, opset: int) -> Edit:
    """The edit that makes `linear` add `offset`, (outputs,) or broadcastable to its output.

    The offset goes where the operator has a bias; a product of two matrices becomes a Gemm; after
    any other product an Add is left.
    """
    node, channels = linear.node, np.arange(linear.outputs)
    if linear.bias is not None:
        absent = len(node.inputs) <= linear.bias or node.inputs[linear.bias] is None
        bias = {} if absent and not np.any(offset) else {linear.bias: Folded(offset, channels)}
        scaled = node.op_type == "Gemm" and node.attributes.get_float("beta", 1.0) != 1.0
        beta = {"beta": ir.AttrFloat32("beta", 1.0)} if scaled else {}
        return Edit(node, linear.weight, {**folded, **bias}, beta)
    if not np.any(offset):
        return Edit(node, linear.weight, folded)
    if linear.weight == 1 and linear.values.ndim == 2 and linear.input_axis == 1 and opset >= 7:
        return Edit(node, 1, {**folded, 2: Folded(offset, channels)}, op_type="Gemm")
    if linear.weight == 0:
        offset, channels = offset[:, None], channels[:, None]
    return Edit(node, linear.weight, folded, addend=Folded(offset, channels))


def checked(edit: Edit) -> Edit | Refusal:
    """`edit`, unless casting its constants would overflow or lose a channel of the weight."""
    for one in (*edit.folded.values(), edit.addend):
        refusal = None if one is None else _overflow(one, edit.dtype)
        if refusal is not None:
            return refusal
    weight = edit.folded.get(edit.weight)
    return edit if weight is None else _lost_channel(weight, edit.dtype) or edit


def apply(edit: Edit, graph: ir.Graph, constants: Constants) -> None:
    """Give the operator its new constants and attributes; the addend is the caller's to place."""
    node, dtype = edit.node, edit.dtype
    weight = node.inputs[edit.weight]
    assert weight is not None
    weight_name = weight.name
    for index, folded in sorted(edit.folded.items()):
        if index >= len(node.inputs):
            node.resize_inputs(index + 1)
        old = node.inputs[index]
        name = f"{weight_name}_bias" if old is None else str(old.name)
        wanted = name if old is not None and constants.wrote(old) else f"{name}_fused"
        node.replace_input_with(index, None)
        constants.drop_if_unread(old)
        node.replace_input_with(index, constants.write(graph, wanted, folded.values, dtype))
    for index in edit.without:
        if index < len(node.inputs):
            old = node.inputs[index]
            node.resize_inputs(index)
            constants.drop_if_unread(old)
    node.attributes.update(edit.attributes)
    if edit.op_type:
        node.op_type = edit.op_type


def _overflow(folded: Folded, dtype: ir.DataType) -> Refusal | None:
    infinite = np.isinf(cast(folded.values, dtype).astype(np.float64))
    where = np.broadcast_to(folded.channels, folded.values.shape)[infinite]
    if where.size == 0:
        return None
    return Refusal(f"folding would overflow {type_name(dtype)} in channel {where[0]}")


def _lost_channel(folded: Folded, dtype: ir.DataType) -> Refusal | None:
    """Why rounding to `dtype` would lose a channel of a weight that is not 0.

    A channel is lost when rounding moves one of its values by more than the type's precision
    relative to the largest: it has sunk among the subnormal numbers.
    """
    values = folded.values
    moved = np.abs(cast(values, dtype).astype(np.float64) - values)
    where = np.broadcast_to(folded.channels, values.shape).ravel()
    count = int(np.max(where, initial=0)) + 1
    largest, most_moved = np.zeros(count), np.zeros(count)
    np.maximum.at(largest, where, np.abs(values).ravel())
    np.maximum.at(most_moved, where, moved.ravel())
    precision = float(ml_dtypes.finfo(dtype.numpy()).eps)  # type: ignore[no-untyped-call]
    lost = np.flatnonzero(most_moved > precision * largest)
    if lost.size == 0:
        return None
    return Refusal(f"folding would lose channel {lost[0]} to rounding in {type_name(dtype)}")
