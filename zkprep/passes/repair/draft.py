"""One node replaced by others: how every repair is written down and put into the model.

A rule looks at one node. It answers None when the node is none of its business, a reason (a string)
when it is but cannot be repaired, and otherwise the value that takes the place of the node's first
output, or those of several, after drafting the operators that compute them. Nothing of a draft is
in the model before it is accepted; the node that makes the first result keeps the name of the node
it stands for, and every result keeps the name of the tensor.

Drafted operators follow the standard operator set of version 13 and later, in which axes of
Squeeze, Unsqueeze, Split and ReduceSum are inputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import infer_shapes
from zkprep.passes.names import Names
from zkprep.passes.opset import standard_opset

OLDEST_OPSET = 13
"""The first operator set that drafts can be written in."""

Array = NDArray[Any]


class Draft:
    """The operators and constants that are to replace `node`, in the order they were asked for."""

    def __init__(self, node: ir.Node, opset: int) -> None:
        """Start with nothing."""
        self.node, self.opset = node, opset
        self.nodes: list[ir.Node] = []
        self.absorbed: list[ir.Node] = []
        self._constants: list[tuple[str, ir.Value]] = []

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """The one output of a new operator; attributes are Python values or `ir.Attr`."""
        return self.append(ir.node(op_type, inputs, attributes, num_outputs=1)).outputs[0]

    def append(self, node: ir.Node) -> ir.Node:
        """A new operator as it is; it gets its names when the draft is accepted."""
        self.nodes.append(node)
        return node

    def absorb(self, node: ir.Node) -> None:
        """`node`, which nothing but the replaced nodes reads, goes too; the nearest one first."""
        self.absorbed.append(node)

    def constant(self, role: str, values: Any, dtype: ir.DataType | None = None) -> ir.Value:
        """A new constant, cast once to `dtype` (int64 when none is given)."""
        kind = dtype or ir.DataType.INT64
        array = np.asarray(values).astype(kind.numpy())
        value = ir.Value(shape=ir.Shape(array.shape), type=ir.TensorType(kind))
        value.const_value = ir.Tensor(array, dtype=kind)
        self._constants.append((role, value))
        return value

    def gather(self, data: ir.Value, axis: int, places: Any) -> ir.Value:
        """The slices of `data` at `places` of `axis`: a copy, which costs no cells."""
        return self.op("Gather", data, self.constant(f"places_{axis}", places), axis=axis)

    def reshaped(self, value: ir.Value, role: str, shape: Sequence[int]) -> ir.Value:
        """`value` in another shape; a constant is reshaped here and now."""
        values = known(value)
        if values is not None:
            return self.constant(role, values.reshape(shape), value.dtype)
        return self.op("Reshape", value, self.constant(f"{role}_shape", shape))

    def accept(self, results: "Results", names: Names) -> tuple[str, ...]:
        """Put the draft in the node's place; the names of the nodes that are new."""
        node, graph = self.node, self.node.graph
        assert isinstance(graph, ir.Graph)
        taken = [(old, new) for old, new in zip(node.outputs, results, strict=False) if new]
        for role, value in self._constants:
            value.name = names.fresh(f"{taken[0][0].name}_{role}")
            graph.register_initializer(value)
        for one in self.nodes:
            one.name = names.fresh(f"{node.name}_{one.op_type}")
            for output in one.outputs:
                output.name = names.fresh(f"{taken[0][0].name}_{one.op_type}")
        graph.insert_before(node, self.nodes)
        for old, new in taken:
            new.shape, new.type, new.doc_string = old.shape, old.type, old.doc_string
            new.metadata_props.update(old.metadata_props)
            old.replace_all_uses_with(new, replace_graph_outputs=True)
        graph.remove(node, safe=True)
        for one in self.absorbed:
            graph.remove(one, safe=True)
        for old, new in taken:
            new.name = old.name
        last = taken[0][1].producer()
        assert last in self.nodes
        last.name = node.name
        return tuple(str(one.name) for one in self.nodes if one is not last)


Results = Sequence[ir.Value | None]
"""What takes the place of each output of a node; None where nothing reads it."""
Answer = ir.Value | Results | str | None
"""A rule: what replaces the node, why it must stay, or None where it is none of its business."""
Rule = Callable[[ir.Node, Draft], Answer]


def repair(model: ir.Model, title: str, rule: Rule, domain: str = "") -> PassResult:
    """Apply `rule` to every node of `domain` in every graph; shapes are known again afterwards."""
    result = model.clone()
    names, opset = Names(result), standard_opset(result)
    sites = []
    for node in [node for graph in result.graphs() for node in graph if node.domain == domain]:
        draft = Draft(node, opset)
        found = rule(node, draft)
        if found is None:
            continue
        created: tuple[str, ...] = ()
        if isinstance(found, str):
            reason = found
        else:
            results = [found] if isinstance(found, ir.Value) else found
            reason = _why_not(node, results, opset)
            created = () if reason else draft.accept(results, names)
        gone = (node,) if reason else (*reversed(draft.absorbed), node)
        sites.append(Site(title, tuple(str(one.name) for one in gone), reason, created))
    if any(site.applied for site in sites):
        infer_shapes(result)
    return PassResult(result, tuple(sites))


def is_read(value: ir.Value) -> bool:
    """Whether a node reads it, or the graph puts it out."""
    return bool(value.uses()) or value.is_graph_output()


def is_read_once(value: ir.Value) -> bool:
    """Whether one node reads it, at one place, and the graph does not put it out."""
    return len(value.uses()) == 1 and not value.is_graph_output()


def maker_for_one(value: ir.Value | None, *operators: str) -> ir.Node | None:
    """The node of one of the standard `operators` that makes `value` for one reader, if it does.

    What replaces the reader can absorb it.
    """
    node = None if value is None else value.producer()
    if value is None or node is None or not is_read_once(value):
        return None
    return node if node.domain == "" and node.op_type in operators else None


def known(value: ir.Value | None) -> Array | None:
    """The constant `value`, or None when the caller or another node gives it."""
    if value is None or value.is_graph_input() or not value.is_initializer():
        return None
    return None if value.const_value is None else value.const_value.numpy()


def sizes(value: ir.Value | None) -> tuple[int, ...]:
    """The shape of `value`, which normalisation has made static."""
    assert value is not None and value.shape is not None
    return tuple(value.shape.numpy())


def operand(node: ir.Node, position: int) -> ir.Value | None:
    """Input `position` of `node`, or None when it is left out."""
    return node.inputs[position] if position < len(node.inputs) else None


def _why_not(node: ir.Node, results: Results, opset: int) -> str:
    if opset < OLDEST_OPSET:
        return f"it is written in operator set {opset}, older than {OLDEST_OPSET}"
    for output in node.outputs[len(results) :]:
        if is_read(output):
            return f"its output '{output.name}' is read"
    return ""
