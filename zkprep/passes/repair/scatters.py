"""EZKL scatters no constants: data and updates are put in one row and gathered from there.

With d elements of data and the updates behind them, output p is element
    s(p) = p, or d + u where update u goes to p;
s is the same scatter done to the numbers 0, 1, 2... A Gather with constant places costs no cells.
Sources: ONNX operators ScatterND and ScatterElements.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class GatherScatters:
    """No ScatterND or ScatterElements with constant places is left."""

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
    if node.attributes.get_string("reduction", "none") != "none":
        return "it combines its updates with the data"
    shape = sizes(data)
    count = int(np.prod(shape))
    numbers = np.arange(count).reshape(shape)
    fresh = count + np.arange(int(np.prod(sizes(updates)))).reshape(sizes(updates))
    if node.op_type == "ScatterND":
        targets = tuple(np.moveaxis(places, -1, 0))
    else:
        targets = _element_targets(places, node.attributes.get_int("axis", 0))
    if np.unique(numbers[targets]).size != fresh.size:
        return "several of its updates go to one place"
    numbers[targets] = fresh
    joined = draft.op("Concat", _row(draft, data), _row(draft, updates), axis=0)
    gathered = draft.gather(joined, 0, numbers.ravel())
    return draft.op("Reshape", gathered, draft.constant("shape", shape))


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
