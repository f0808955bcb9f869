"""A model without its large weights: all that checkers and shape inference need of it.

Weights are most of a model's bytes and none of its structure. An outline is the model as a protobuf
in which every large weight is a declared input of the same name, type and shape, so that it is as
valid as the model itself, and small however large the model is.
"""

from collections.abc import Callable

import onnx
import onnx_ir as ir

LARGE = 1024
"""Bytes from which on a weight is left out. A smaller one may be a shape, which inference reads."""

Weights = dict[str, ir.TensorProtocol]


def outline(model: ir.Model) -> tuple[onnx.ModelProto, Weights]:
    """`model` without its large weights, and those, by name."""
    return declared(referring(model, lambda _: ("", 0))), large_weights(model)


def referring(model: ir.Model, place: Callable[[str], tuple[str, int]]) -> onnx.ModelProto:
    """`model` as a protobuf with references for its large weights: file and offset by name."""
    weights = large_weights(model)
    initializers = model.graph.initializers
    try:
        for name, tensor in weights.items():
            initializers[name].const_value = _reference(tensor, *place(name))
        return ir.to_proto(model)
    finally:
        for name, tensor in weights.items():
            initializers[name].const_value = tensor


def declared(proto: onnx.ModelProto) -> onnx.ModelProto:
    """`proto` with a declared input in the place of every weight that is in another file."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    graph = made.graph
    inputs = {value.name for value in graph.input}
    del graph.initializer[:]
    for weight in proto.graph.initializer:
        if weight.data_location != onnx.TensorProto.EXTERNAL:
            graph.initializer.append(weight)
        elif weight.name not in inputs:
            kind = onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
            graph.input.append(kind)
    return made


def _reference(tensor: ir.TensorProtocol, location: str, offset: int) -> ir.ExternalTensor:
    return ir.ExternalTensor(
        location,
        offset,
        tensor.nbytes,
        tensor.dtype,
        shape=ir.Shape(tensor.shape.numpy()),
        name=str(tensor.name),
        doc_string=tensor.doc_string,
        metadata_props=dict(tensor.metadata_props),
    )


def large_weights(model: ir.Model) -> Weights:
    """The weights of the main graph of `model` that an outline leaves out, by name."""
    tensors = {name: value.const_value for name, value in model.graph.initializers.items()}
    return {
        name: tensor
        for name, tensor in tensors.items()
        if tensor is not None and tensor.nbytes >= LARGE and tensor.dtype != ir.DataType.STRING
    }


def weight_bytes(model: ir.Model) -> int:
    """Bytes of all weights of `model`, those of subgraphs too."""
    tensors = (v.const_value for graph in model.graphs() for v in graph.initializers.values())
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)


def is_lazy(tensor: ir.TensorProtocol) -> bool:
    """Whether the values of `tensor` are made anew whenever they are asked for."""
    return isinstance(tensor, ir.LazyTensor) and not tensor.cache
