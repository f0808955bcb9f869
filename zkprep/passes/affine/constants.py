"""Constants as float64: read, or a reason why they are not known; written with one cast at the end.

A folded value is written in the element type of the operator that holds it, and remembered exactly:
a second fold of the same weight starts from float64 again, so the pass rounds each weight once.
What is remembered is how it is made. Where the weights of the model are on disk, it is made
whenever it is asked for: they may be more than fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.models.outline import is_lazy
from zkprep.passes.affine.normal_form import Array, Refusal
from zkprep.passes.names import Names

_FOLDED_TYPES = frozenset(
    (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
)
_IR_WITH_CONSTANTS = 4


@dataclass(frozen=True, slots=True)
class Recipe:
    """A constant in float64 that is computed when it is asked for, the same each time.

    Attributes:
        make: computes it.
        shape: its shape.
        on_disk: whether it rests on weights that are not in memory, and should not be either.
    """

    make: Callable[[], Array]
    shape: tuple[int, ...]
    on_disk: bool = False

    @classmethod
    def of(cls, values: Array) -> Recipe:
        """`values`, which are kept."""
        return cls(lambda: values, values.shape)

    def times(self, factor: Array) -> Recipe:
        """Each value times its part of `factor`, which is broadcast to it."""
        return Recipe(lambda: self.make() * factor, self.shape, self.on_disk)


class Constants:
    """The constants of one model while a pass folds them."""

    def __init__(self, model: ir.Model) -> None:
        """Read and write the constants of `model`."""
        self._names = Names(model)
        self._ir_version = model.ir_version
        self._exact: dict[ir.Value, Recipe] = {}

    def read(self, value: ir.Value, role: str) -> Array | Refusal:
        """`value` in float64, or why it is not known; `role` is what it is to its operator."""
        recipe = self.recipe(value, role)
        return recipe if isinstance(recipe, Refusal) else recipe.make()

    def recipe(self, value: ir.Value, role: str) -> Recipe | Refusal:
        """How to make `value` in float64, or why it is not known."""
        if value in self._exact:
            return self._exact[value]
        if value.is_graph_input():
            return Refusal(self._why_input(value))
        tensor = stored(value)
        if tensor is None:
            return Refusal(_why_computed(value, role))
        if tensor.dtype not in _FOLDED_TYPES:
            kind = type_name(tensor.dtype)
            return Refusal(f"'{value.name}' is stored as {kind}, which is not folded")
        on_disk = is_lazy(tensor) or isinstance(tensor, ir.ExternalTensor)
        shape = tuple(tensor.shape.numpy())
        return Recipe(lambda: tensor.numpy().astype(np.float64), shape, on_disk)

    def write(self, graph: ir.Graph, wanted: str, values: Recipe, dtype: ir.DataType) -> ir.Value:
        """A new initializer of `graph` with `values` cast to `dtype`, named by `fresh(wanted)`."""
        name, shape = self.fresh(wanted), ir.Shape(values.shape)

        def rounded() -> ir.Tensor[Any]:
            return ir.Tensor(cast(values.make(), dtype), dtype=dtype, name=name)

        lazy = ir.LazyTensor(rounded, dtype, shape, name=name)
        tensor = lazy if values.on_disk else rounded()
        value = ir.Value(name=name, shape=shape, type=ir.TensorType(dtype), const_value=tensor)
        graph.register_initializer(value)
        self._exact[value] = values
        return value

    def wrote(self, value: ir.Value) -> bool:
        """Whether `value` was made by `write`, so that nothing outside the pass knows its name."""
        return value in self._exact

    def fresh(self, wanted: str) -> str:
        """A name nothing in the model has."""
        return self._names.fresh(wanted)

    def drop_if_unread(self, value: ir.Value | None) -> None:
        """Remove an initializer that nothing reads any more."""
        if value is None or value.uses() or not value.is_initializer():
            return
        if value.is_graph_input() or value.is_graph_output():
            return
        assert value.graph is not None and value.name is not None
        del value.graph.initializers[value.name]
        if self._exact.pop(value, None) is not None:
            self._names.release(value.name)

    def _why_input(self, value: ir.Value) -> str:
        if not value.is_initializer():
            return f"'{value.name}' is a model input, so its value is not known here"
        if self._ir_version < _IR_WITH_CONSTANTS:
            return (
                f"in IR version {self._ir_version} weights are inputs with defaults, which the "
                "caller may override"
            )
        return f"'{value.name}' is an input with a default, which the caller may override"


def type_name(dtype: ir.DataType) -> str:
    """The element type as NumPy calls it."""
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(dtype.name, dtype.name.lower())


def cast(values: Array, dtype: ir.DataType) -> NDArray[Any]:
    """`values` rounded to `dtype`, which may overflow to infinity."""
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(dtype.numpy())


def not_finite(named: dict[str, Array]) -> Refusal | None:
    """The first channel in which one of the `named` vectors has NaN or infinity."""
    for name, values in named.items():
        bad = np.flatnonzero(~np.isfinite(values.ravel()))
        if bad.size:
            return Refusal(f"channel {bad[0]} has a non-finite {name}")
    return None


def stored(value: ir.Value) -> ir.TensorProtocol | None:
    """The tensor behind an initializer or a Constant node, None for anything computed or fed."""
    if value.is_initializer():
        return value.const_value
    return _of_constant_node(value)


def _of_constant_node(value: ir.Value) -> ir.TensorProtocol | None:
    node = value.producer()
    if node is None or node.op_type != "Constant" or node.domain != "":
        return None
    name, attribute = next(iter(node.attributes.items()))
    if name == "value":
        return attribute.as_tensor()
    if name in ("value_float", "value_floats"):
        return ir.tensor(np.asarray(attribute.value, dtype=np.float32))
    return None


def _why_computed(value: ir.Value, role: str) -> str:
    """Why a computed `value` is not known: the input it depends on, or what could not be folded."""
    pending, seen = [value], set[ir.Value]()
    while pending:
        one = pending.pop()
        if one in seen:
            continue
        seen.add(one)
        if one.is_graph_input() and not one.is_initializer():
            return f"its {role} depends on the input '{one.name}'"
        node = one.producer()
        if node is not None:
            pending += [v for v in reversed(node.inputs) if v is not None]
    return f"'{value.name}' is constant but could not be evaluated"
