"""Floating-point numbers are single precision, in the model and at its interface.

Every tensor of type float16, bfloat16 or double becomes float32: what is narrower exactly, and
without the rounding between; what is wider by one rounding, after constants are folded in double.
A circuit computes in none of these types but in fixed point, whose steps are far coarser than those
of float32, and a proof's inputs and outputs are integers anyway. The interface becomes float32 too,
since EZKL's importer mixes the types up: an input is read in float32, and outputs are compared with
those of the model as given.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site

HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
DOUBLES = (ir.DataType.DOUBLE,)
_SINGLE = ir.DataType.FLOAT
# Attributes that name the type of a result, of Cast and of others.
_TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype")


@dataclass(frozen=True, slots=True)
class SinglePrecision:
    """No tensor is of one of `kinds`.

    Attributes:
        kinds: the types that become float32.
    """

    kinds: tuple[ir.DataType, ...]
    name: ClassVar[str] = "single-precision"
    coarsens: ClassVar[str] = "floating-point types"

    def __call__(self, model: ir.Model) -> PassResult:
        """Retype every tensor; no node comes or goes."""
        result = model.clone()
        touched = [node for graph in result.graphs() for node in graph if self._concerns(node)]
        for graph in result.graphs():
            values = [*graph.inputs, *graph.initializers.values()]
            for value in dict.fromkeys(values):
                self._retype(value)
            for node in graph:
                for output in node.outputs:
                    self._retype(output)
                self._rewrite(node)
        if not self._held_by(model):
            return PassResult(result, ())
        names = " and ".join(kind.name.lower() for kind in self.kinds)
        nodes = tuple(str(node.name) for node in touched if node.name)
        return PassResult(result, (Site(f"computed in float32 instead of {names}", nodes),))

    def _held_by(self, model: ir.Model) -> bool:
        return any(
            value.dtype in self.kinds
            for graph in model.graphs()
            for value in (*graph.inputs, *graph.initializers.values())
        ) or any(self._concerns(node) for graph in model.graphs() for node in graph)

    def _concerns(self, node: ir.Node) -> bool:
        """Whether `node` reads, makes or holds one of the types."""
        read = any(value is not None and value.dtype in self.kinds for value in node.inputs)
        made = any(value.dtype in self.kinds for value in node.outputs)
        return read or made or bool(self._named(node) or self._held(node))

    def _named(self, node: ir.Node) -> list[str]:
        """The attributes of `node` that name one of the types."""
        return [
            name
            for name in _TYPE_ATTRIBUTES
            if name in node.attributes
            and node.attributes[name].type == ir.AttributeType.INT
            and node.attributes[name].as_int() in map(int, self.kinds)
        ]

    def _held(self, node: ir.Node) -> dict[str, ir.TensorProtocol]:
        """The attributes of `node` that are tensors of one of the types."""
        tensors = {
            name: one.as_tensor()
            for name, one in node.attributes.items()
            if one.type == ir.AttributeType.TENSOR and not one.is_ref()
        }
        return {name: tensor for name, tensor in tensors.items() if tensor.dtype in self.kinds}

    def _retype(self, value: ir.Value) -> None:
        if value.dtype in self.kinds:
            value.type = ir.TensorType(_SINGLE)
            if value.const_value is not None:
                value.const_value = _single(value.const_value)

    def _rewrite(self, node: ir.Node) -> None:
        for name in self._named(node):
            node.attributes[name] = ir.AttrInt64(name, int(_SINGLE))
        for name, tensor in self._held(node).items():
            node.attributes[name] = ir.AttrTensor(name, _single(tensor))


def _single(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is refused
        array = tensor.numpy().astype(_SINGLE.numpy())
    return ir.Tensor(array, dtype=_SINGLE, name=tensor.name)
