"""Walking a model's graphs: the main one, the bodies inside nodes, and model-local functions."""

from collections.abc import Iterator

import onnx_ir as ir


def every_graph(model: ir.Model) -> Iterator[ir.Graph]:
    """The main graph, its subgraphs, and those of the model's functions, in a fixed order."""
    yield from model.graphs()
    for function in model.functions.values():
        yield function.graph
        yield from function.subgraphs()


def bodies(node: ir.Node) -> Iterator[ir.Graph]:
    """The graphs that are attributes of `node`: the branches of an If, the body of a Loop."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()


def holder(node: ir.Node, graph: ir.Graph) -> ir.Node | None:
    """The node of `graph` in whose bodies, at any depth, `node` lies."""
    for outer in graph:
        if any(inner is node for body in bodies(outer) for inner in body.all_nodes()):
            return outer
    return None
