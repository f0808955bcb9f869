"""Operators that EZKL lacks but that ONNX defines by other operators are written out.

The definition is the function body that the operator's schema carries for the model's own operator
set, with the node's attributes and types in it. Celu is one only where its alpha is not 1: that
much EZKL computes. Source: the operator schemas of ONNX (`onnx.defs`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import onnx
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, repair

_LACKING = frozenset(
    (
        "Attention",
        "Celu",
        "CenterCropPad",
        "Gelu",
        "MeanVarianceNormalization",
        "Mish",
        "RMSNormalization",
        "RotaryEmbedding",
        "Swish",
    )
)


@dataclass(frozen=True, slots=True)
class ExpandFunctions:
    """Of the operators EZKL lacks, those are left that ONNX does not define by others."""

    name: ClassVar[str] = "expand-functions"
    narrows: ClassVar[str] = "symbolic dimensions of the outputs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the definitions in."""
        return repair(model, "operator written as ONNX defines it", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type not in _LACKING:
        return None
    if node.op_type == "Celu" and node.attributes.get_float("alpha", 1.0) == 1.0:
        return None
    schema = onnx.defs.get_schema(node.op_type, draft.opset)
    body = _body(schema, node, draft.opset)
    if body is None:
        return f"ONNX defines {node.op_type} by no other operators in operator set {draft.opset}"
    return _instance(body, schema, node, draft)


def _body(schema: Any, node: ir.Node, opset: int) -> ir.Function | None:
    """The newest definition that the operator set allows, for the types of this node.

    `schema` is an `onnx.defs.OpSchema`, whose stubs leave functions out.
    """
    proto = onnx.FunctionProto()
    if schema.has_function:
        versions = [one for one in schema.function_opset_versions if one <= opset]
        if not versions:
            return None
        proto.ParseFromString(schema.get_function_with_opset_version(max(versions)))
    else:
        versions = [one for one in schema.context_dependent_function_opset_versions if one <= opset]
        if not versions:
            return None
        proto.ParseFromString(
            schema.get_context_dependent_function_with_opset_version(
                max(versions), ir.to_proto(node).SerializeToString(), _types(node)
            )
        )
    made = {name for one in proto.node for name in one.output}
    # A body names the outputs that it leaves out for this node, and no domain of its own.
    outputs = [name for name in proto.output if name in made]
    proto.ClearField("output")
    proto.output.extend(outputs)
    proto.domain = proto.domain or "zkprep"
    return ir.from_proto(proto)


def _types(node: ir.Node) -> list[bytes]:
    """Serialised types of the inputs; where one is not known, it is that of another input."""
    kinds = [value.dtype for value in node.inputs if value is not None and value.dtype is not None]
    types = []
    for value in node.inputs:
        kind = ir.DataType.FLOAT if not kinds else kinds[0]
        kind = kind if value is None or value.dtype is None else value.dtype
        shape = None if value is None or value.shape is None else value.shape.numpy()
        types.append(onnx.helper.make_tensor_type_proto(int(kind), shape).SerializeToString())
    return types


def _instance(
    body: ir.Function, schema: onnx.defs.OpSchema, node: ir.Node, draft: Draft
) -> ir.Value:
    """The nodes of `body` on the inputs of `node`; its first output."""
    defaults = {name: one.default_value for name, one in schema.attributes.items()}
    given = {**{n: ir.from_proto(d) for n, d in defaults.items() if d.name}, **node.attributes}
    values: dict[ir.Value | None, ir.Value | None] = {None: None}
    values.update(dict.fromkeys(body.inputs))
    values.update(zip(body.inputs, node.inputs, strict=False))
    for one in body:
        inputs = [values[value] for value in one.inputs]
        attributes = list(_settled(one, given))
        kind = inputs[1].dtype if one.op_type == "CastLike" and inputs[1] is not None else None
        if kind is None:
            made = ir.Node("", one.op_type, inputs, attributes, num_outputs=len(one.outputs))
        else:
            made = ir.node("Cast", inputs[:1], {"to": int(kind)})
        draft.append(made)
        values.update(zip(one.outputs, made.outputs, strict=True))
    result = values[body.outputs[0]]
    assert result is not None
    return result


def _settled(node: ir.Node, given: Mapping[str, ir.Attr]) -> Iterator[ir.Attr]:
    """The node's attributes, with those that refer to the function's own looked up in `given`."""
    for attribute in node.attributes.values():
        if not attribute.is_ref():
            yield attribute
        elif str(attribute.ref_attr_name) in given:
            source = given[str(attribute.ref_attr_name)]
            yield ir.Attr(attribute.name, source.type, source.value)
