"""Names: how a node is shown to a user, and fresh names that clash with nothing in the model.

A fresh name is unique over the tensors of all graphs and subgraphs (inputs, outputs, initializers
and node outputs) and over node names: `wanted`, then `wanted_1`, `wanted_2`...
"""

import onnx_ir as ir

from zkprep.passes.graphs import every_graph


def shown(node: ir.Node) -> str:
    """The node's quoted name, or `<OpType> producing '<tensor>'` when it has none."""
    if node.name:
        return f"'{node.name}'"
    return f"{node.op_type} producing '{next((o.name for o in node.outputs if o.name), '')}'"


class Names:
    """The names a model uses; grows as fresh ones are handed out."""

    def __init__(self, model: ir.Model) -> None:
        """Collect every tensor and node name of `model`."""
        self._used: set[str | None] = set()
        for graph in every_graph(model):
            self._used.update(value.name for value in (*graph.inputs, *graph.initializers.values()))
            for node in graph:
                self._used.add(node.name)
                self._used.update(output.name for output in node.outputs)

    def fresh(self, wanted: str) -> str:
        """`wanted` itself if free, else with the first free number; taken from now on."""
        name, count = wanted, 0
        while name in self._used:
            count += 1
            name = f"{wanted}_{count}"
        self._used.add(name)
        return name

    def release(self, name: str) -> None:
        """Give back a name that was handed out and is in the model no more."""
        self._used.discard(name)
