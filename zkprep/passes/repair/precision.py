"""Half-precision models compute in single precision: EZKL's importer mixes the types up.

Every tensor of type float16 or bfloat16 becomes float32: constants exactly, results without the
rounding between. The interface stays: an input of such a type goes through a Cast to float32, an
output through a Cast back. A circuit computes in neither of them, so nothing is lost.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import infer_shapes
from zkprep.passes.names import Names

_HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
_SINGLE = ir.DataType.FLOAT
# Operators with an attribute that names the type of their result.
_TYPE_ATTRIBUTES = {"Cast": "to", "EyeLike": "dtype", "SequenceEmpty": "dtype"}


@dataclass(frozen=True, slots=True)
class SinglePrecision:
    """Only Casts at the interface know half precision."""

    name: ClassVar[str] = "single-precision"

    def __call__(self, model: ir.Model) -> PassResult:
        """Compute in float32 between the inputs and the outputs."""
        result = model.clone()
        nodes = [node for graph in result.graphs() for node in graph]
        halves = [node for node in nodes if _computes_in_half(node)]
        if not halves:
            return PassResult(result, ())
        names = Names(result)
        for node in halves:
            _widen(node)
        for graph in result.graphs():
            for value in graph.initializers.values():
                _widen_constant(value)
        created = [*_cast_inputs(result.graph, names), *_cast_outputs(result.graph, names)]
        infer_shapes(result)
        touched = tuple(str(node.name) for node in halves)
        return PassResult(result, (Site("computed in float32", touched, created=tuple(created)),))


def _is_half(value: ir.Value | None) -> bool:
    return value is not None and value.dtype in _HALVES


def _computes_in_half(node: ir.Node) -> bool:
    """Whether `node` has halves but is no Cast between float32 and the interface."""
    data, result = node.inputs[0] if node.inputs else None, node.outputs[0]
    if node.op_type == "Cast" and data is not None:
        into = data.is_graph_input() and result.dtype == _SINGLE
        if into or (result.is_graph_output() and data.dtype == _SINGLE):
            return False
    return any(_is_half(value) for value in (*node.inputs, *node.outputs))


def _widen(node: ir.Node) -> None:
    for output in node.outputs:
        if _is_half(output) and not output.is_graph_output():
            output.type = ir.TensorType(_SINGLE)
    name = _TYPE_ATTRIBUTES.get(node.op_type, "")
    if name in node.attributes and node.attributes[name].as_int() in [int(one) for one in _HALVES]:
        node.attributes[name] = ir.AttrInt64(name, int(_SINGLE))


def _widen_constant(value: ir.Value) -> None:
    tensor = value.const_value
    if tensor is None or not _is_half(value) or value.is_graph_input() or value.is_graph_output():
        return
    array = tensor.numpy().astype(_SINGLE.numpy())
    value.const_value = ir.Tensor(array, dtype=_SINGLE, name=value.name)
    value.type = ir.TensorType(_SINGLE)


def _cast_inputs(graph: ir.Graph, names: Names) -> list[str]:
    created = []
    for value in graph.inputs:
        uses = [use for use in value.uses() if _computes_in_half(use.node)]
        if _is_half(value) and uses:
            cast = ir.node("Cast", [value], {"to": int(_SINGLE)}, num_outputs=1)
            cast.outputs[0].type, cast.outputs[0].shape = ir.TensorType(_SINGLE), value.shape
            created.append(_named(cast, f"{value.name}_single", names))
            graph.insert_before(graph[0], cast)
            for use in uses:
                use.node.replace_input_with(use.idx, cast.outputs[0])
    return created


def _cast_outputs(graph: ir.Graph, names: Names) -> list[str]:
    created = []
    for value in list(graph.outputs):
        producer = value.producer()
        if not _is_half(value) or producer is None:
            continue
        if not _computes_in_half(producer):
            for use in list(value.uses()):
                use.node.replace_input_with(use.idx, producer.inputs[0])
            continue
        cast = ir.node("Cast", [value], {"to": int(value.dtype or _SINGLE)}, num_outputs=1)
        copy, wanted = cast.outputs[0], str(value.name)
        copy.shape, copy.type, copy.doc_string = value.shape, value.type, value.doc_string
        graph.append(cast)
        value.replace_all_uses_with(copy, replace_graph_outputs=True)
        cast.replace_input_with(0, value)
        for use in list(copy.uses()):
            use.node.replace_input_with(use.idx, value)
        value.type = ir.TensorType(_SINGLE)
        created.append(_named(cast, f"{wanted}_half", names))
        value.name, copy.name = str(copy.name), wanted
    return created


def _named(cast: ir.Node, wanted: str, names: Names) -> str:
    cast.name = names.fresh(f"Cast_{wanted}")
    cast.outputs[0].name = names.fresh(wanted)
    return str(cast.name)
