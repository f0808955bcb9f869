"""Static shapes and types on every tensor, by ONNX's own shape inference.

Recorded shapes of inner tensors are dropped first: one that went stale in an exporter contradicts
the truth, and makes tract fail. Names stay.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.model import serialize
from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import shown


@dataclass(frozen=True, slots=True)
class InferShapes:
    """Every tensor of every graph has a static shape and a type."""

    name: ClassVar[str] = "infer-shapes"
    narrows: ClassVar[str] = "symbolic dimensions of the outputs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Infer, then require.

        Raises:
            InputError: a shape contradicts the operators, or depends on the data.
        """
        inferred = model.clone()
        infer_shapes(inferred)
        for graph in inferred.graphs():
            for node in graph:
                for output in node.outputs:
                    _require_static(node, output)
        changed = serialize(inferred) != serialize(model)
        return PassResult(inferred, (Site("shapes inferred", ()),) if changed else ())


def infer_shapes(model: ir.Model) -> None:
    """Write inferred shapes and types on the values of `model`, in place.

    Raises:
        InputError: the operators contradict each other or the declared interface.
    """
    proto = ir.to_proto(model)
    _drop_inner_shapes(proto.graph)
    try:
        found = onnx.shape_inference.infer_shapes(
            proto, check_type=True, strict_mode=True, data_prop=True
        )
    except Exception as error:  # noqa: BLE001 - onnx documents no closed set of errors
        raise InputError(
            f"the shapes of the model do not fit its operators: {first_line(error)}",
            hint="check the input shapes, and the dimensions given with --dim",
        ) from None
    for graph, other in zip(model.graphs(), ir.from_proto(found).graphs(), strict=True):
        values = {output.name: output for node in other for output in node.outputs}
        for node in graph:
            for output in node.outputs:
                inferred = values[output.name]
                output.shape = inferred.shape or output.shape
                output.type = inferred.type or output.type


def _drop_inner_shapes(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _drop_inner_shapes(inner)


def _require_static(node: ir.Node, output: ir.Value) -> None:
    if not output.name:
        return
    known = output.shape is not None and output.shape.is_static() and output.dtype is not None
    if not known:
        shape = "unknown" if output.shape is None else str(output.shape)
        raise InputError(
            f"tensor '{output.name}' has shape {shape}: {shown(node)} ({node.op_type}) makes a "
            "tensor whose size depends on the data",
            hint="a circuit has fixed sizes; remove the operator or export with fixed shapes",
        )
