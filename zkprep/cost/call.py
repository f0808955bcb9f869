"""One ONNX node as the operators' lowerings read it: wires in, shapes out, attributes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import onnx_ir as ir

from zkprep.cost.nodes import Circuit, Shape, Wire


@dataclass(frozen=True, slots=True)
class Call:
    """A node applied to wires.

    Attributes:
        node: the ONNX node.
        inputs: its input wires; None where an optional input is left out.
        opset: version of the default operator set.
    """

    node: ir.Node
    inputs: tuple[Wire | None, ...]
    opset: int

    def __getitem__(self, index: int) -> Wire:
        """Input `index`, which has to be there.

        Raises:
            KeyError: it is not.
        """
        wire = self.get(index)
        if wire is None:
            raise KeyError(f"node '{self.node.name}' has no input {index}")
        return wire

    def get(self, index: int) -> Wire | None:
        """Input `index`, or None when it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def present(self) -> list[Wire]:
        """The inputs that are there, in order."""
        return [wire for wire in self.inputs if wire is not None]

    @property
    def output(self) -> Shape:
        """Shape of the first output.

        Raises:
            ValueError: it is not known.
        """
        shape = shape_of(self.node.outputs[0])
        if shape is None:
            raise ValueError(f"the output shape of node '{self.node.name}' is not known")
        return shape

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return int(self.node.attributes.get_int(name, default))

    def integers(self, name: str, default: list[int]) -> list[int]:
        """A list of integers."""
        return [int(item) for item in self.node.attributes.get_ints(name, default)]

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        return float(self.node.attributes.get_float(name, default))

    def indices(self, position: int, name: str) -> list[int] | None:
        """Integers that older operator sets hold in attribute `name`, newer in input `position`.

        Raises:
            ValueError: the input is there, but not known.
        """
        given = self.get(position)
        if given is None:
            found = self.node.attributes.get_ints(name, None)
            return None if found is None else [int(item) for item in found]
        if given.values is None:
            raise ValueError(f"input {position} of node '{self.node.name}' is not known")
        return [int(item) for item in given.values.ravel()]


Lowering = Callable[[Circuit, Call], Wire | list[Wire]]
"""What an operator costs: lays its nodes out and returns its first output, or all of them."""


def shape_of(value: ir.Value | None) -> Shape | None:
    """The value's shape when every dimension is known."""
    if value is None:
        return None
    tensor = constant_of(value) if value.shape is None else None
    shape = value.shape if tensor is None else tensor.shape
    dims = (None,) if shape is None else tuple(shape)
    return cast(Shape, dims) if all(isinstance(dim, int) for dim in dims) else None


def constant_of(value: ir.Value | None) -> ir.TensorProtocol | None:
    """The tensor of an initializer or a Constant node; None for anything else."""
    try:
        return None if value is None else ir.convenience.get_const_tensor(value)
    except ValueError:
        return None
