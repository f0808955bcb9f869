"""Static shapes and types on every tensor, or a refusal that names the tensor without one."""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.models.outline import outline
from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import infer_shapes
from zkprep.passes.names import shown


@dataclass(frozen=True, slots=True)
class InferShapes:
    """Every tensor that is read has a static shape and a type."""

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
        changed = outline(inferred)[0] != outline(model)[0]
        return PassResult(inferred, (Site("shapes inferred", ()),) if changed else ())


def _require_static(node: ir.Node, output: ir.Value) -> None:
    if not output.name or not (output.uses() or output.is_graph_output()):
        return
    known = output.shape is not None and output.shape.is_static() and output.dtype is not None
    if not known:
        shape = "unknown" if output.shape is None else str(output.shape)
        raise InputError(
            f"tensor '{output.name}' has shape {shape}: {shown(node)} ({node.op_type}) makes a "
            "tensor whose size depends on the data",
            hint="a circuit has fixed sizes; remove the operator or export with fixed shapes",
        )
