"""Cuts of a tensor along one axis, as nodes of a graph that zkprep.cost.moves rewrites.

A Cut takes the elements from `start` to before `end`. A Downsample takes every `stride`-th, from
`start` on, or backwards from the last. Equal ones of one tensor are one, a Cut of everything is
none, constants are cut at once, and a node that nothing reads any more is taken out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from zkprep.cost.call import constant_of, shape_of
from zkprep.cost.nodes import Shape

CUT, DOWNSAMPLE = "Cut", "Downsample"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a node takes along `axis`; of a Downsample `end` is the length of the axis."""

    axis: int
    start: int
    end: int
    stride: int = 1

    @property
    def places(self) -> slice:
        """The elements, as Python slices them."""
        return (
            slice(None, None, self.stride)
            if self.stride < 0
            else slice(self.start, self.end, self.stride)
        )


def taken(node: ir.Node | None) -> Taken | None:
    """What a Cut or a Downsample takes; None for another node."""
    if node is None or node.op_type not in (CUT, DOWNSAMPLE):
        return None
    return Taken(*(node.attributes.get_int(name, 1) for name in ("axis", "start", "end", "stride")))


def cut(user: ir.Node, source: ir.Value, what: Taken) -> ir.Value:
    """`what` of `source`, made before `user` and named as it is."""
    shape = known(source)
    if what.stride == 1 and (what.start, what.end) == (0, shape[what.axis]):
        return source
    if (tensor := constant_of(source)) is not None:
        array = tensor.numpy()[(slice(None),) * what.axis + (what.places,)]
        return ir.Value(
            name=f"{source.name}[{what.axis}:{what.start}:{what.end}:{what.stride}]",
            shape=ir.Shape(array.shape),
            const_value=ir.tensor(array),
        )
    for other in source.consumers():
        if taken(other) == what:
            return other.outputs[0]
    size = len(range(shape[what.axis])[what.places])
    numbers = {"axis": what.axis, "start": what.start, "end": what.end, "stride": what.stride}
    node = ir.node(
        CUT if what.stride == 1 else DOWNSAMPLE, [source], attributes=numbers, name=user.name
    )
    return made(user, node, resized(shape, what.axis, size), like=source)


def again(
    node: ir.Node, inputs: Sequence[ir.Value | None], shape: Shape, **attributes: Any
) -> ir.Value:
    """The first output, of `shape`, of another node like `node`, placed before it."""
    copy = ir.Node(
        node.domain, node.op_type, inputs, attributes=node.attributes.values(), name=node.name
    )
    for attribute in ir.convenience.convert_attributes(attributes):
        copy.attributes[attribute.name] = attribute
    return made(node, copy, shape)


def joined(node: ir.Node, pieces: Sequence[ir.Value], axis: int) -> ir.Value:
    """`pieces` along `axis`, for what `node` puts out."""
    if len(pieces) == 1:
        return pieces[0]
    size = sum(known(piece)[axis] for piece in pieces)
    concat = ir.node("Concat", list(pieces), attributes={"axis": axis}, name=node.name)
    return made(node, concat, resized(known(pieces[0]), axis, size))


def replace(graph: ir.Graph, old: ir.Value, new: ir.Value) -> None:
    """Let `new` be read, and put out, where `old` was."""
    if new.producer() is not None and not new.is_graph_output():
        new.name = old.name
    for place, value in enumerate(graph.outputs):
        if value is old:
            graph.outputs[place] = new
    old.replace_all_uses_with(new)
    _drop(graph, old.producer())


def known(value: ir.Value) -> Shape:
    """The value's shape.

    Raises:
        ValueError: it is not known.
    """
    shape = shape_of(value)
    if shape is None:
        raise ValueError(f"the shape of '{value.name}' is not known")
    return shape


def first(node: ir.Node) -> ir.Value:
    """The first input of `node`.

    Raises:
        ValueError: it has none.
    """
    value = node.inputs[0] if node.inputs else None
    if value is None:
        raise ValueError(f"node '{node.name}' has no input")
    return value


def resized(shape: Shape, axis: int, size: int) -> Shape:
    """`shape` with `size` elements along `axis`."""
    return (*shape[:axis], size, *shape[axis + 1 :])


def made(user: ir.Node, node: ir.Node, shape: Shape, *, like: ir.Value | None = None) -> ir.Value:
    """The output of `node`, placed before `user`; name and type are those of `like`.

    `like`: by default what `user` puts out.
    """
    value, model = node.outputs[0], user.outputs[0] if like is None else like
    value.name, value.shape = model.name, ir.Shape(shape)
    if model.dtype is not None:
        value.dtype = model.dtype
    if user.graph is not None:
        user.graph.insert_before(user, node)
    return value


def _drop(graph: ir.Graph, node: ir.Node | None) -> None:
    """Take `node` out, and what only it has read."""
    if node is None or any(value.uses() or value.is_graph_output() for value in node.outputs):
        return
    makers = [value.producer() for value in node.inputs if value is not None]
    graph.remove(node, safe=True)
    for maker in makers:
        if maker is not None and maker.graph is graph:
            _drop(graph, maker)
