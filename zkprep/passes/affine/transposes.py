"""Two Transposes in a row become one, or none: a fusion between them leaves them side by side.

First p, then q moves axis p[q[i]] to i, so both are one Transpose by [p[i] for i in q]; when that
changes nothing, the readers of the second read what the first reads. A missing perm reverses the
axes. Source: ONNX operator Transpose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import shown
from zkprep.passes.normalise.identity import bypass


@dataclass(frozen=True, slots=True)
class MergeTransposes:
    """No Transpose is left that reads the output of another."""

    name: ClassVar[str] = "merge-transposes"

    def __call__(self, model: ir.Model) -> PassResult:
        """Merge every pair; a first one that something else reads stays."""
        result = model.clone()
        sites = []
        for graph in result.graphs():
            for node in tuple(graph):
                first = node.inputs[0].producer() if node.inputs and node.inputs[0] else None
                if first is None or not (_is_transpose(node) and _is_transpose(first)):
                    continue
                names = (str(first.name), str(node.name))
                reason = _merge(first, node, graph)
                kept = f"kept {shown(first)} apart from {shown(node)}: {reason}"
                sites.append(Site("Transpose into Transpose", names, kept if reason else ""))
        return PassResult(result, tuple(sites))


def _merge(first: ir.Node, second: ir.Node, graph: ir.Graph) -> str:
    """Let `second` read what `first` reads, or say why not."""
    data, output = first.inputs[0], second.outputs[0]
    if data is None or output.shape is None:
        return f"the shape of '{output.name}' is not known"
    rank = len(output.shape)
    outer = _perm(first, rank)
    perm = [outer[axis] for axis in _perm(second, rank)]
    if perm == list(range(rank)):
        reason = bypass(graph, second, data)
        if reason:
            return reason
    else:
        second.replace_input_with(0, data)
        second.attributes["perm"] = ir.AttrInt64s("perm", perm)
    if first.graph is not None and not _is_read(first.outputs[0]):
        first.graph.remove(first, safe=True)
    return ""


def _is_transpose(node: ir.Node) -> bool:
    return node.op_type == "Transpose" and node.domain == ""


def _perm(node: ir.Node, rank: int) -> Sequence[int]:
    return node.attributes.get_ints("perm", range(rank)[::-1])


def _is_read(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()
