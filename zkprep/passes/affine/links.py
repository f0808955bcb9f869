"""May a tensor between two nodes change its values? Only if one node alone of its graph sees it."""

import onnx_ir as ir

from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.graphs import holder
from zkprep.passes.names import shown


def not_private(value: ir.Value, reader: ir.Node) -> Refusal | None:
    """Who else than `reader` would see it if the values of `value` changed."""
    graph = reader.graph
    assert graph is not None
    if value.is_graph_output():
        return Refusal(f"'{value.name}' is an output of the model")
    producer = value.producer()
    home = graph if producer is None or producer.graph is None else producer.graph
    if home is not graph:
        return _used_inside(value, reader, home)
    others = [use.node for use in value.uses() if use.node is not reader]
    for other in others:
        if other.graph is not graph:
            return _used_inside(value, other, graph)
    if len(value.uses()) == 1:
        return None
    return Refusal(f"'{value.name}' is also read by {shown(others[0] if others else reader)}")


def _used_inside(value: ir.Value, node: ir.Node, graph: ir.Graph) -> Refusal:
    outer = holder(node, graph)
    return Refusal(f"'{value.name}' is used inside {shown(outer or node)}")
