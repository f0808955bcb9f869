"""Clause 4 of the pass contract: a model's inputs, outputs and defaults before and after a pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a pass may change of the interface."""

    narrowing: bool
    coarsening: bool

    def same_type(self, one: ir.Value, other: ir.Value) -> bool:
        """Whether `other` has a type that `one` may have become."""
        both = (one.dtype, other.dtype)
        floats = all(kind is not None and kind.is_floating_point() for kind in both)
        return one.type == other.type or (self.coarsening and floats)

    def same_shape(self, one: ir.Value, other: ir.Value) -> bool:
        """Whether `other` has a shape that `one` may have become."""
        if one.shape is None or other.shape is None:
            return one.shape is None and (self.narrowing or other.shape is None)
        if len(one.shape) != len(other.shape):
            return False
        return all(
            a == b or (self.narrowing and not isinstance(a, int) and isinstance(b, int))
            for a, b in zip(one.shape, other.shape, strict=True)
        )


def interface_breach(before: ir.Model, after: ir.Model, allowed: Allowed) -> str:
    """What of the interface changed that was not allowed to, in words; or ""."""
    defaults = {k for k in _names(before.graph.inputs) if k in before.graph.initializers}
    kept = set(_names(after.graph.inputs)) | set(_names(before.graph.inputs)) - defaults
    inputs = [v for v in before.graph.inputs if v.name in kept or not allowed.narrowing]
    for what, old, new in (
        ("inputs", inputs, after.graph.inputs),
        ("outputs", before.graph.outputs, after.graph.outputs),
    ):
        if _names(old) != _names(new):
            return f"the {what} were {_names(old)} and are {_names(new)}"
        for one, other in zip(old, new, strict=True):
            if not (allowed.same_type(one, other) and allowed.same_shape(one, other)):
                return (
                    f"'{one.name}' of the {what} was {one.type}{one.shape} "
                    f"and is {other.type}{other.shape}"
                )
    for name in sorted(defaults & set(_names(after.graph.inputs))):
        old_value, new_value = _default(before, name), _default(after, name)
        if allowed.coarsening and old_value is not None and new_value is not None:
            old_value = old_value.astype(new_value.dtype)
        if not _same_bytes(old_value, new_value):
            return f"the default of input '{name}' changed"
    return ""


def _names(values: Sequence[ir.Value]) -> list[str]:
    return [str(value.name) for value in values]


def _default(model: ir.Model, name: str) -> NDArray[Any] | None:
    """The default of input `name`, or None when it has none."""
    value = model.graph.initializers.get(name)
    return None if value is None or value.const_value is None else value.const_value.numpy()


def _same_bytes(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
