"""What has to be settled before a circuit can exist: weights that are inputs, symbolic dimensions.

The two passes here narrow the interface and say so (`zkprep.passes.base.NarrowingPass`).

Dimensions: a symbol takes its value from `dims`; without one, a symbol of axis 0 of an input, or
one named like a batch, is 1; any other is asked for. `dims` also takes "input:axis" for a dimension
without a name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import infer_shapes

# The first IR version in which an initializer need not be an input.
_IR_WITH_CONSTANTS = 4

_BATCH = re.compile(r"n|b|bs|(.*_)?batch(_?(size|dim|n))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FreezeWeights:
    """No initializer is an input: their values are fixed.

    In IR versions before 4 every initializer had to be an input; freezing them raises the version
    to 4. From there on it is the exporter's choice (`keep_initializers_as_inputs`), but an input
    file gives what has no default and nothing else, so a proof is about the defaults.
    """

    name: ClassVar[str] = "freeze-weights"
    narrows: ClassVar[str] = "inputs that have a default"

    def __call__(self, model: ir.Model) -> PassResult:
        """Drop the inputs that are initializers."""
        frozen = model.clone()
        graph = frozen.graph
        old = model.ir_version < _IR_WITH_CONSTANTS
        weights = [value for value in graph.inputs if value.name in graph.initializers]
        for value in weights:
            graph.inputs.remove(value)
        raised = f", IR version raised from {model.ir_version} to {_IR_WITH_CONSTANTS}"
        sites = [Site(f"'{v.name}' is no input any more: its value is fixed", ()) for v in weights]
        if old:
            frozen.ir_version = _IR_WITH_CONSTANTS
            sites.append(Site(f"weights are constants{raised}", ()))
        return PassResult(frozen, tuple(sites))


@dataclass(frozen=True, slots=True)
class FixDimensions:
    """Every input has a static shape.

    Attributes:
        dims: value of each symbol, or of "input:axis"; values are at least 1.
    """

    dims: Mapping[str, int] = field(default_factory=dict)
    name: ClassVar[str] = "fix-dimensions"
    narrows: ClassVar[str] = "symbolic dimensions"

    def __call__(self, model: ir.Model) -> PassResult:
        """Bind the symbols of the inputs and infer every other shape.

        Raises:
            InputError: a dimension has no value, `dims` names none of the model's dimensions, or
                its values do not fit the operators.
        """
        fixed = model.clone()
        bindings = _bindings(fixed, self.dims)
        sites = []
        for value in fixed.graph.inputs:
            shape = _rank_known(value)
            if shape.is_static():
                continue
            value.shape = ir.Shape([_bound(value, axis, bindings) for axis in range(len(shape))])
            sites.append(Site(f"input '{value.name}': shape {shape} is {value.shape}", ()))
        if sites:
            infer_shapes(fixed)
        return PassResult(fixed, tuple(sites))


def _bindings(model: ir.Model, dims: Mapping[str, int]) -> dict[str, int]:
    """Value of every symbol and of every "input:axis" without one.

    Raises:
        InputError: `dims` has a value below 1 or names no dimension of the model.
    """
    known: dict[str, int] = {}
    named: set[str] = set()
    for value in model.graph.inputs:
        for axis, dim in enumerate(_rank_known(value)):
            if isinstance(dim, int):
                continue
            place = f"{value.name}:{axis}"
            symbols = dim.free_symbols() or {place}
            named |= {place, *symbols}
            known.update({s: 1 for s in symbols if axis == 0 or _BATCH.fullmatch(s)})
    for name, size in dims.items():
        if name not in named:
            has = ", ".join(f"'{one}'" for one in sorted(named)) or "none"
            raise InputError(
                f"--dim {name}={size}: the model has no dimension of that name",
                hint=f"its symbolic dimensions are: {has}",
            )
        if size < 1:
            raise InputError(f"--dim {name}={size}: a dimension is at least 1")
    return known | dict(dims)


def _bound(value: ir.Value, axis: int, bindings: Mapping[str, int]) -> int:
    dim = _rank_known(value)[axis]
    place = f"{value.name}:{axis}"
    if isinstance(dim, int):
        return dim
    if place in bindings:
        return bindings[place]
    size = dim.evaluate(bindings) if dim.value is not None else dim
    if isinstance(size, int):
        return size
    symbol = next((s for s in sorted(dim.free_symbols()) if s not in bindings), place)
    raise InputError(
        f"input '{value.name}' has a dimension without a size: axis {axis}, symbol '{symbol}'",
        hint=f"give it a value: --dim {symbol}=VALUE",
    )


def _rank_known(value: ir.Value) -> ir.Shape:
    if value.shape is None:
        raise InputError(
            f"input '{value.name}' has no shape, not even a rank",
            hint="export the model with input shapes",
        )
    return value.shape
