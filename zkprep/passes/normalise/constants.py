"""Constant nodes become initializers, of every size and form (onnx-ir's LiftConstants pass).

A Constant that is itself an output of its graph stays: an output needs a node.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir
from onnx_ir.passes import common

from zkprep.passes.base import PassResult, Site


@dataclass(frozen=True, slots=True)
class LiftConstants:
    """No Constant node is left but those that are outputs."""

    name: ClassVar[str] = "lift-constants"

    def __call__(self, model: ir.Model) -> PassResult:
        """Lift every Constant node of every graph."""
        lifted = model.clone()
        sites = []
        for graph in lifted.graphs():
            for node in graph:
                if node.op_type != "Constant" or node.domain != "":
                    continue
                output = node.outputs[0]
                reason = f"'{output.name}' is an output of its graph"
                reason = reason if output.is_graph_output() else ""
                sites.append(Site("Constant to initializer", (str(node.name),), reason))
                if not reason:
                    _own_value(node)
        lift = common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)
        lift(lifted)
        return PassResult(lifted, tuple(sites))


def _own_value(node: ir.Node) -> None:
    """Give `node` a tensor object of its own: clones share them, and lifting renames it."""
    value = node.attributes.get_tensor("value")
    if value is None:
        return
    if value.dtype == ir.DataType.STRING:
        copy: ir.TensorProtocol = ir.StringTensor(value.numpy(), name=value.name)
    else:
        copy = ir.Tensor(value.numpy(), dtype=value.dtype, name=value.name)
    node.attributes["value"] = ir.AttrTensor("value", copy)
