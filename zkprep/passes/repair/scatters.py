"""EZKL scatters no constants and reduces nothing: all is put in one row and gathered from there.

With d elements of data and the updates behind them, output p is element
    s(p) = p, or d + u where update u goes to p;
s is the same scatter done to the numbers 0, 1, 2... A Gather with constant places costs no cells.
Where updates are added, as a graph network does with what its edges carry, output p is the sum of
    x(p), u(1), ..., u(m(p))
over the updates that go to p: gathered side by side, the shorter lists filled up with zeros, and
summed along that axis. A maximum or minimum is filled up with x(p). Zeros that are scattered into
are left out of sums, and of maxima and minima the numbers at the end of float32's, where every
output has an update: no circuit holds larger ones.
Sources: ONNX operators ScatterND and ScatterElements.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair, sizes

_REDUCED = {"add": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin"}
_AXES_ARE_INPUTS = 18
_BEYOND = 2.0**72
"""No circuit's range holds a number like that."""


@dataclass(frozen=True, slots=True)
class GatherScatters:
    """No ScatterND or ScatterElements with constant places is left, products apart."""

    name: ClassVar[str] = "gather-scatters"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the scatters as Gathers."""
        return repair(model, "scatter gathered", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type not in ("ScatterND", "ScatterElements"):
        return None
    data, updates, places = operand(node, 0), operand(node, 2), known(operand(node, 1))
    if data is None or updates is None or places is None:
        return "its places are not constant"
    reduction = str(node.attributes.get_string("reduction", "none"))
    if reduction not in ("none", *_REDUCED):
        return f"its updates are combined by '{reduction}'"
    shape = sizes(data)
    count = int(np.prod(shape))
    numbers = np.arange(count).reshape(shape)
    fresh = count + np.arange(int(np.prod(sizes(updates)))).reshape(sizes(updates))
    if node.op_type == "ScatterND":
        targets = tuple(np.moveaxis(places, -1, 0))
    else:
        targets = _element_targets(places, node.attributes.get_int("axis", 0))
    if reduction != "none":
        return _reduced(draft, data, updates, numbers, numbers[targets], reduction)
    if np.unique(numbers[targets]).size != fresh.size:
        return "several of its updates go to one place"
    numbers[targets] = fresh
    joined = draft.op("Concat", _row(draft, data), _row(draft, updates), axis=0)
    gathered = draft.gather(joined, 0, numbers.ravel())
    return draft.op("Reshape", gathered, draft.constant("shape", shape))


def _summands(numbers: Array, targets: Array, fresh: Array, filling: Any) -> Array:
    """Places in (data, updates, 0) of the updates of each output: [outputs, longest list]."""
    order = np.argsort(targets, axis=None, kind="stable")
    rows = targets.ravel()[order]
    columns = np.arange(rows.size) - np.searchsorted(rows, rows)
    lists = np.empty((numbers.size, int(columns.max()) + 1), np.int64)
    lists.T[:] = filling
    lists[rows, columns] = fresh.ravel()[order]
    return lists


def _reduced(
    draft: Draft, data: ir.Value, updates: ir.Value, numbers: Array, targets: Array, reduction: str
) -> ir.Value:
    """The lists gathered and reduced to one number each."""
    fresh = numbers.size + np.arange(targets.size)
    adds, start = reduction == "add", known(data)
    end = numbers.size + fresh.size
    lists = _summands(numbers, targets, fresh, end if adds else numbers.ravel())
    rows = [_row(draft, updates), *([draft.constant("zero", [0], data.dtype)] * (end in lists))]
    if adds and start is not None and not start.any():
        lists -= numbers.size
    elif _never_found(start, reduction) and np.unique(targets).size == numbers.size:
        lists = np.where(lists < numbers.size, lists[:, :1], lists) - numbers.size
    else:
        rows = [_row(draft, data), *rows]
        lists = np.column_stack([numbers.ravel(), lists])
    joined = rows[0] if len(rows) == 1 else draft.op("Concat", *rows, axis=0)
    found = draft.gather(joined, 0, lists.ravel())
    if lists.shape[1] > 1:
        table = draft.op("Reshape", found, draft.constant("lists", lists.shape))
        found = _reduce(draft, table, _REDUCED[reduction])
    return draft.op("Reshape", found, draft.constant("shape", sizes(data)))


def _never_found(start: Array | None, reduction: str) -> bool:
    """Whether a maximum or minimum with updates is never a number it starts from."""
    if start is None or reduction == "add":
        return False
    return bool(np.all((start if reduction == "min" else -start) >= _BEYOND))


def _reduce(draft: Draft, table: ir.Value, operator: str) -> ir.Value:
    """`table` reduced along its second axis."""
    if operator == "ReduceSum" or draft.opset >= _AXES_ARE_INPUTS:
        return draft.op(operator, table, draft.constant("axes", [1]), keepdims=0)
    return draft.op(operator, table, axes=[1], keepdims=0)


def _row(draft: Draft, value: ir.Value) -> ir.Value:
    """All elements of `value` along one axis."""
    values = known(value)
    if values is not None:
        return draft.constant("row", values.ravel(), value.dtype)
    return draft.op("Reshape", value, draft.constant("row", [-1]))


def _element_targets(places: Array, axis: int) -> tuple[Array, ...]:
    targets: list[Array] = list(np.indices(places.shape))
    targets[axis] = places
    return tuple(targets)
