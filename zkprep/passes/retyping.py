"""A model in another floating-point type: its tensors, constants and attributes."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

# Attributes that name the type of a result, of Cast and of others.
_TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype")


@dataclass(frozen=True, slots=True)
class Retyping:
    """Tensors of one of `kinds` become `target`."""

    kinds: tuple[ir.DataType, ...]
    target: ir.DataType

    def applied(self, model: ir.Model) -> ir.Model:
        """The model with every tensor retyped; no node comes or goes."""
        result = model.clone()
        for graph in result.graphs():
            values = [*graph.inputs, *graph.initializers.values()]
            for value in dict.fromkeys(values):
                self._retype(value)
            for node in graph:
                for output in node.outputs:
                    self._retype(output)
                self._rewrite(node)
        return result

    def concerns(self, node: ir.Node) -> bool:
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
            value.type = ir.TensorType(self.target)
            if value.const_value is not None:
                value.const_value = self._converted(value.const_value)

    def _rewrite(self, node: ir.Node) -> None:
        for name in self._named(node):
            node.attributes[name] = ir.AttrInt64(name, int(self.target))
        for name, tensor in self._held(node).items():
            node.attributes[name] = ir.AttrTensor(name, self._converted(tensor))

    def _converted(self, tensor: ir.TensorProtocol) -> ir.TensorProtocol:
        with np.errstate(over="ignore"):  # what is beyond the type becomes infinite
            array = tensor.numpy().astype(self.target.numpy())
        return ir.Tensor(array, dtype=self.target, name=tensor.name)
