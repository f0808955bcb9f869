"""What becomes of a linear operator: said in float64 first, done when all of it is known to hold.

A fusion computes its edits, checks them, then applies them: a refusal leaves the model untouched.
Changed constants get new names; the old ones go only when nothing reads them any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.passes.affine.constants import Constants, Recipe, cast, stored, type_name
from zkprep.passes.affine.linear import Indices, Linear
from zkprep.passes.affine.normal_form import Array, Refusal

# Elements of a weight that are looked at together.
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Folded:
    """New values of a constant, float64, and the output channel of each (broadcastable to it)."""

    exact: Recipe
    channels: Indices

    @classmethod
    def of(cls, values: Array, channels: Indices) -> Folded:
        """`values` themselves."""
        return cls(Recipe.of(values), channels)


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
        bias = {} if absent and not np.any(offset) else {linear.bias: Folded.of(offset, channels)}
        scaled = node.op_type == "Gemm" and node.attributes.get_float("beta", 1.0) != 1.0
        beta = {"beta": ir.AttrFloat32("beta", 1.0)} if scaled else {}
        return Edit(node, linear.weight, {**folded, **bias}, beta)
    if not np.any(offset):
        return Edit(node, linear.weight, folded)
    if linear.weight == 1 and len(linear.shape) == 2 and linear.input_axis == 1 and opset >= 7:
        return Edit(node, 1, {**folded, 2: Folded.of(offset, channels)}, op_type="Gemm")
    if linear.weight == 0:
        offset, channels = offset[:, None], channels[:, None]
    return Edit(node, linear.weight, folded, addend=Folded.of(offset, channels))


def checked(edit: Edit) -> Edit | Refusal:
    """`edit`, unless casting its constants would overflow or lose a channel of the weight."""
    for index, one in (*edit.folded.items(), (None, edit.addend)):
        if one is not None:
            refusal = _rounded_away(one, edit.dtype, whole=index == edit.weight)
            if refusal is not None:
                return refusal
    return edit


def apply(edit: Edit, graph: ir.Graph, constants: Constants) -> None:
    """Give the operator its new constants and attributes; the addend is the caller's to place."""
    node, dtype = edit.node, edit.dtype if edit.folded else ir.DataType.UNDEFINED
    weight = node.inputs[edit.weight] if edit.folded else None
    weight_name = weight.name if weight is not None else ""
    for index, folded in sorted(edit.folded.items()):
        if index >= len(node.inputs):
            node.resize_inputs(index + 1)
        old = node.inputs[index]
        name = f"{weight_name}_bias" if old is None else str(old.name)
        wanted = name if old is not None and constants.wrote(old) else f"{name}_fused"
        node.replace_input_with(index, None)
        constants.drop_if_unread(old)
        node.replace_input_with(index, constants.write(graph, wanted, folded.exact, dtype))
    for index in edit.without:
        if index < len(node.inputs):
            old = node.inputs[index]
            node.resize_inputs(index)
            constants.drop_if_unread(old)
    node.attributes.update(edit.attributes)
    if edit.op_type:
        node.op_type = edit.op_type


def _rounded_away(folded: Folded, dtype: ir.DataType, *, whole: bool) -> Refusal | None:
    """Why rounding to `dtype` would overflow, or, of a `whole` weight, lose a channel.

    A channel is lost when rounding moves one of its values by more than the type's precision
    relative to the largest: it has sunk among the subnormal numbers.
    """
    values = folded.exact.make()
    rank = values.ndim - folded.channels.ndim
    where = folded.channels.reshape((1,) * rank + folded.channels.shape)
    count = int(np.max(where, initial=0)) + 1
    largest, most_moved = np.zeros(count), np.zeros(count)
    # Block by block: a weight may be a large part of the memory there is.
    for part, owner in _blocks(values, where):
        rounded = cast(part, dtype)
        _raise_to(largest, np.abs(rounded), owner)
        _raise_to(most_moved, np.abs(rounded - part), owner)
    infinite = np.flatnonzero(np.isinf(largest))
    if infinite.size:
        return Refusal(f"folding would overflow {type_name(dtype)} in channel {infinite[0]}")
    if not whole:
        return None
    precision = float(ml_dtypes.finfo(dtype.numpy()).eps)  # type: ignore[no-untyped-call]
    # Where nothing but 0 is left, everything was lost.
    lost = np.flatnonzero(most_moved > precision * np.maximum(largest, most_moved))
    if lost.size == 0:
        return None
    return Refusal(f"folding would lose channel {lost[0]} to rounding in {type_name(dtype)}")


def _blocks(values: Array, where: Indices) -> Iterator[tuple[Array, Indices]]:
    """Parts of `values` along their first axis, each with its part of `where`."""
    if values.ndim == 0 or values.size <= _BLOCK:
        yield values, where
        return
    rows = max(1, _BLOCK * values.shape[0] // values.size)
    for start in range(0, values.shape[0], rows):
        part = slice(start, start + rows)
        yield values[part], where[part] if where.shape[0] > 1 else where


def _raise_to(found: Array, values: NDArray[Any], where: Indices) -> None:
    """Let `found` be at least the largest of `values`, none negative, by channel."""
    same = tuple(axis for axis in range(values.ndim) if where.shape[axis] == 1)
    largest = np.max(values, axis=same, keepdims=True, initial=0).astype(np.float64)
    np.maximum.at(found, np.broadcast_to(where, largest.shape).ravel(), largest.ravel())
