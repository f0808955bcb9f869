"""What only copies goes: Identity, inference-mode Dropout, Cast to the type a tensor has already.

A Dropout copies when its mask is unread and it is not training: from opset 12 on training_mode is
absent or constant false, before opset 7 is_test is 1, in between always.

Where the copy is an output of its graph, the copied tensor takes its name, unless the copied tensor
has a name to keep: as an input, an initializer, another output, or a tensor of an outer graph. Then
an Identity stays.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.opset import standard_opset


@dataclass(frozen=True, slots=True)
class RemoveIdentities:
    """No node is left that only copies, but those that two names of the interface need."""

    name: ClassVar[str] = "remove-identities"

    def __call__(self, model: ir.Model) -> PassResult:
        """Bypass every copy."""
        result = model.clone()
        opset = standard_opset(result)
        sites = []
        for graph in result.graphs():
            for node in graph:
                if node.domain != "" or not _may_copy(node):
                    continue
                reason = why_no_copy(node, opset)
                left = reason or bypass(graph, node, node.inputs[0])
                title = f"{node.op_type} removed"
                if left and not reason and node.op_type != "Identity":
                    title, left = f"{node.op_type} written as an Identity", ""
                    _write_as_identity(node)
                sites.append(Site(title, (str(node.name),), left))
        return PassResult(result, tuple(sites))


def _may_copy(node: ir.Node) -> bool:
    if node.op_type != "Cast":
        return node.op_type in ("Identity", "Dropout")
    source = node.inputs[0]
    return source is not None and source.dtype is not None and source.dtype == node.outputs[0].dtype


def _write_as_identity(node: ir.Node) -> None:
    node.op_type = "Identity"
    node.attributes.clear()
    node.resize_inputs(1)
    node.resize_outputs(1)


def why_no_copy(node: ir.Node, opset: int) -> str:
    """Why `node`, which may be a copy, is more than that; or ""."""
    if node.op_type != "Dropout":
        return ""
    for mask in node.outputs[1:]:
        if mask.uses() or mask.is_graph_output():
            return f"its mask '{mask.name}' is read"
    if opset < 7 and node.attributes.get_int("is_test", 0) != 1:
        return f"is_test is not set, so in opset {opset} it runs in training mode"
    mode = node.inputs[2] if opset >= 12 and len(node.inputs) > 2 else None
    if mode is None:
        return ""
    known = mode.is_initializer() and not mode.is_graph_input() and mode.const_value is not None
    if not known:
        return f"its training_mode '{mode.name}' is not constant"
    assert mode.const_value is not None
    return "it is in training mode" if np.any(mode.const_value.numpy()) else ""


def bypass(graph: ir.Graph, node: ir.Node, source: ir.Value | None) -> str:
    """Let the readers of `node` read `source`, which holds the same values; or say why not.

    Where the output of `node` is an output of its graph, `source` takes over its name.
    """
    copy = node.outputs[0]
    if source is None:
        return "it copies nothing"
    if not copy.is_graph_output():
        copy.replace_all_uses_with(source)
        graph.remove(node, safe=True)
        return ""
    producer = source.producer()
    if producer is None or producer.graph is not graph or source.is_graph_output():
        return f"'{source.name}' and '{copy.name}' are both names that others rely on"
    source.shape, source.type = copy.shape or source.shape, copy.type or source.type
    name = copy.name
    copy.replace_all_uses_with(source, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    source.name = name
    source.doc_string = copy.doc_string
    source.metadata_props.update(copy.metadata_props)
    return ""
