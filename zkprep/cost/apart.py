"""Slice, Split, Gather of one element and strides of a Conv, taken apart as tract takes them.

Each becomes a Cut and a Downsample per axis, in order; the stride of a Conv along an unpadded axis
of kernel 1 becomes a Downsample of its image. A Sum of several becomes Adds of two. A Slice that
takes everything vanishes, unless its source and what it puts out are both outputs of the model.

Source: sonos/tract `core/src/ops/array/strided_slice.rs`, `core/src/ops/array/gather.rs`,
`core/src/ops/cnn/conv/conv.rs` declutter_stride_slice_to_downsample.
"""

from itertools import accumulate, pairwise

import onnx_ir as ir

from zkprep.cost import cuts, loader
from zkprep.cost.call import constant_of, shape_of
from zkprep.cost.cuts import Taken, first, known
from zkprep.cost.nodes import Shape, broadcast


def take_all_apart(graph: ir.Graph) -> None:
    """Take apart every node of `graph` that can be."""
    for node in list(graph):
        if is_cutting(node):
            _take_apart(graph, node)


def is_cutting(node: ir.Node) -> bool:
    """Whether it is to be taken apart."""
    if node.op_type == "Gather":
        indices = constant_of(node.inputs[1])
        return indices is not None and tuple(indices.shape) == (1,)
    if node.op_type == "Conv":
        return bool(loader.outer_strides(node))
    return node.op_type in {"Slice", "Split"} or (node.op_type == "Sum" and len(node.inputs) > 2)


def is_copy(node: ir.Node) -> bool:
    """Whether it takes everything of an output for another output, which tract lets be."""
    value, source = node.outputs[0], first(node)
    shown = value.is_graph_output() and source.is_graph_output()
    return shown and shape_of(value) == shape_of(source)


def take_strides(graph: ir.Graph, conv: ir.Node) -> None:
    """Take strides out of a Conv."""
    image = first(conv)
    strides = list(conv.attributes.get_ints("strides", []))
    for axis, stride in loader.outer_strides(conv):
        image = cuts.cut(conv, image, Taken(axis, 0, known(image)[axis], stride))
        strides[axis - 2] = 1
    inputs = [image, *conv.inputs[1:]]
    cuts.replace(
        graph, conv.outputs[0], cuts.again(conv, inputs, known(conv.outputs[0]), strides=strides)
    )


def _take_apart(graph: ir.Graph, node: ir.Node) -> None:
    """Replace `node` by Cuts and Downsamples; one whose numbers are not known stays."""
    source = node.inputs[0]
    if source is None or shape_of(source) is None or shape_of(node.outputs[0]) is None:
        return
    if node.op_type in _OTHERS:
        _OTHERS[node.op_type](graph, node)
        return
    if is_copy(node):
        return
    for value, steps in zip(list(node.outputs), _steps(node), strict=False):
        made = source
        for step in steps:
            made = cuts.cut(node, made, step)
        cuts.replace(graph, value, made)


def _add_in_turn(graph: ir.Graph, node: ir.Node) -> None:
    """A Sum as Adds of two."""
    made, *others = (value for value in node.inputs if value is not None)
    shapes = [shape_of(value) for value in node.inputs if value is not None]
    if None in shapes:
        return
    for other in others:
        shape = broadcast(known(made), known(other))
        made = cuts.made(node, ir.node("Add", [made, other], name=node.name), shape)
    cuts.replace(graph, node.outputs[0], made)


def _steps(node: ir.Node) -> list[list[Taken]]:
    """For each output of a Slice, Split or Gather, what is taken one after the other."""
    shape = known(first(node))
    if node.op_type == "Gather":
        axis = node.attributes.get_int("axis", 0) % len(shape)
        (index,) = _integers(node, 1, "indices") or [0]
        return [[Taken(axis, index % shape[axis], index % shape[axis] + 1)]]
    if node.op_type == "Split":
        axis = node.attributes.get_int("axis", 0) % len(shape)
        ends = accumulate((known(value)[axis] for value in node.outputs), initial=0)
        return [[Taken(axis, *ends_of_part)] for ends_of_part in pairwise(ends)]
    return _slice_steps(node, shape)


def _slice_steps(node: ir.Node, shape: Shape) -> list[list[Taken]]:
    """Axis by axis: what lies between the ends, then every so many of it."""
    given = [_integers(node, *place) for place in enumerate(("starts", "ends", "axes", "steps"), 1)]
    starts, ends, axes, strides = given
    if starts is None or ends is None:
        return []
    made = []
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = place if axes is None else axes[place] % len(shape)
        stride = 1 if strides is None else strides[place]
        first, last, _ = slice(start, end, stride).indices(shape[axis])
        between = (first, max(first, last)) if stride > 0 else (last + 1, first + 1)
        made.append(Taken(axis, *between))
        if stride != 1:
            made.append(Taken(axis, 0, between[1] - between[0], stride))
    return [made]


def _integers(node: ir.Node, position: int, name: str) -> list[int] | None:
    """Integers that older operator sets hold in attribute `name`, newer in input `position`."""
    if name in node.attributes:
        return [int(item) for item in node.attributes.get_ints(name, [])]
    tensor = constant_of(node.inputs[position]) if position < len(node.inputs) else None
    return None if tensor is None else [int(item) for item in tensor.numpy().ravel()]


_OTHERS = {"Conv": take_strides, "Sum": _add_in_turn}
