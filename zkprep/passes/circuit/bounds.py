"""Upper and lower bounds by Relu: Clip, Max, Min, and Where as a Max with a constant.

    max(x, c) = c + Relu(x - c),  max(x, 0) = Relu(x),  max(a, b) = b + Relu(a - b)
    min(x, c) = x - Relu(x - c),  min(a, b) = a - Relu(a - b)
    Clip(x, low, high) = min(max(x, low), high)
A bound by EZKL's comparison costs D + 21 cells per element, one by Relu D + 8, where D is what a
decomposition into digits costs; max(x, 0) is a Relu to both. What is added or taken away by
constants is folded into the linear operators around. Source: ONNX operators Clip, Max, Min, Where;
EZKL `src/circuit/ops/layouts.rs`, max, min and relu.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.fuse import FuseAffine
from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.repair.draft import Array, Draft, known, operand, sizes

TITLE = "bounds by Relu"

Operand = ir.Value | Array
"""A tensor, or the values of a constant."""


@dataclass(frozen=True, slots=True)
class BoundsByRelu:
    """No bound is found by comparison where a Relu is cheaper."""

    name: ClassVar[str] = "bounds-by-relu"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write bounds by Relu where that is cheaper."""
        fold = (FuseAffine(keeps_shifts=True),)
        return where_cheaper(model, TITLE, _rule, _kind, finish=fold)


def _kind(node: ir.Node) -> str:
    return node.op_type


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    kind = node.outputs[0].dtype
    if node.op_type not in _RULES or kind is None or not kind.is_floating_point():
        return None
    return _RULES[node.op_type](node, draft)


def _clip(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    result = node.inputs[0]
    assert result is not None
    for position, bounded in ((1, largest), (2, smallest)):
        bound = operand(node, position)
        if bound is None:
            continue
        limit = known(bound)
        if limit is None:
            return f"its bound '{bound.name}' is computed"
        # The type's own extremes stand for no bound.
        if np.abs(limit) < np.finfo(limit.dtype).max:
            result = bounded(draft, result, limit)
    return None if result is node.inputs[0] else result


def _max(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    return _combined(node, draft, largest, np.maximum)


def _min(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    return _combined(node, draft, smallest, np.minimum)


def _combined(
    node: ir.Node,
    draft: Draft,
    bounded: Callable[[Draft, ir.Value, Operand], ir.Value],
    constant: Callable[[Array, Array], Array],
) -> ir.Value | None:
    """Tensors two by two, and the constants among the operands as one."""
    given = [value for value in node.inputs if value is not None]
    tensors = [value for value in given if known(value) is None]
    constants = [array for array in map(known, given) if array is not None]
    if not tensors or len(given) < 2 or any(sizes(v) != sizes(node.outputs[0]) for v in tensors):
        return None
    result = reduce(lambda one, other: bounded(draft, one, other), tensors)
    return bounded(draft, result, reduce(constant, constants)) if constants else result


def _where(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    """Where(x > c, x, c), as normalisation writes a Max with a constant tensor."""
    mask, data, limit = node.inputs
    compared = mask.producer() if mask is not None else None
    if compared is None or compared.op_type != "Greater" or mask is None or data is None:
        return None
    bound = known(limit)
    if tuple(compared.inputs) != (data, limit) or bound is None or len(mask.uses()) != 1:
        return None
    if mask.is_graph_output():
        return None
    draft.absorb(compared)
    return largest(draft, data, bound)


_RULES = {"Clip": _clip, "Max": _max, "Min": _min, "Where": _where}


def largest(draft: Draft, one: ir.Value, other: Operand) -> ir.Value:
    """The larger of a tensor and another or a constant."""
    if not isinstance(other, ir.Value) and not np.any(other):
        return draft.op("Relu", one)
    bound = _value(draft, other)
    return draft.op("Add", draft.op("Relu", draft.op("Sub", one, bound)), bound)


def smallest(draft: Draft, one: ir.Value, other: Operand) -> ir.Value:
    """The smaller of a tensor and another or a constant."""
    return draft.op("Sub", one, draft.op("Relu", draft.op("Sub", one, _value(draft, other))))


def _value(draft: Draft, given: Operand) -> ir.Value:
    """A constant that is the same everywhere as one number."""
    if isinstance(given, ir.Value):
        return given
    first = given.ravel()[:1]
    values = first.reshape(()) if np.all(given == first) else given
    return draft.constant("bound", values, draft.node.outputs[0].dtype)
