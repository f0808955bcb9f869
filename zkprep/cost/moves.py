"""Cuts and strides where tract leaves them: they move up to where a tensor is made.

Before EZKL lays a model out, tract takes what cuts apart (zkprep.cost.apart). Then, until nothing
changes:

1. a Cut of a Cut along the same axis is one Cut;
2. a Downsample whose source nothing else reads moves up over an operator that acts on each element
   along its axis alone, and over a Cut; the stride of a Conv before it takes it in;
3. where all that reads a tensor are Cuts along one axis, the operator that makes it is laid out
   once per part, if it is a sum, product or comparison of two operands, an einsum or a Concat.

What is laid out is a copy of the model with all that done, its nodes named as those they came from.
An operator that tract lays out as several is not followed: what is cut behind it is an estimate.

Source: sonos/tract `core/src/optim/slice.rs`, `core/src/ops/downsample/`,
`core/src/ops/array/slice.rs`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise

import onnx_ir as ir

from zkprep.cost import cuts, loader
from zkprep.cost.apart import is_copy, is_cutting, take_all_apart, take_strides
from zkprep.cost.axes import Axes, is_followed, passes, splits
from zkprep.cost.call import shape_of
from zkprep.cost.cuts import CUT, DOWNSAMPLE, Taken, first, known, taken

Nodes = frozenset[ir.Node]

_SEVERAL = frozenset({"BatchNormalization", "Clip", "Max", "Min"})
_OR_EQUAL = frozenset({"GreaterOrEqual", "LessOrEqual"})


@dataclass(frozen=True, slots=True)
class Moved:
    """A model as tract leaves it, as far as cuts are concerned.

    Attributes:
        model: to lay out.
        unsettled: its nodes that may be laid out otherwise.
    """

    model: ir.Model
    unsettled: Nodes


def moved(model: ir.Model) -> Moved:
    """Move every cut of `model`, which is left as it is; of a malformed one nothing is settled."""
    try:
        return _moved(model) if any(map(is_cutting, model.graph)) else Moved(model, frozenset())
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return Moved(model, frozenset(model.graph))


def _moved(model: ir.Model) -> Moved:
    made = model.clone()
    graph = made.graph
    take_all_apart(graph)
    while _sweep(graph, _move_one) or _sweep(graph, _move_several):
        pass
    return Moved(made, frozenset(node for node in graph if not _is_settled(node)))


def _is_settled(node: ir.Node) -> bool:
    """Whether a cut is known to stay behind what makes the tensor it cuts."""
    if is_cutting(node):
        return is_copy(node)
    maker = first(node).producer() if taken(node) else None
    if maker is None or taken(maker):
        return True
    stays = node.op_type == CUT or not (_shares(maker) or _is_summed(maker))
    return is_followed(maker) and stays


def _shares(maker: ir.Node) -> bool:
    """Whether tract lays `maker` out as several and its last alone would be doubled."""
    operands = sum(value is not None for value in maker.inputs)
    several = maker.op_type in _OR_EQUAL or (maker.op_type in _SEVERAL and operands > 2)
    return several and maker.outputs[0].is_graph_output()


def _is_summed(maker: ir.Node) -> bool:
    """Whether `maker` is an einsum with a sum behind it, over which a Downsample would move."""
    for position, value in enumerate(maker.inputs):
        joined = None if value is None else value.producer()
        if joined is not None and joined.op_type == "Concat":
            axis = joined.attributes.get_int("axis", 0) % len(known(joined.outputs[0]))
            if loader.reads_parts(maker, position, axis):
                return True
    einsum = maker.op_type == "Gemm" or (maker.op_type == "Conv" and loader.is_einsum(maker))
    return einsum and len(maker.inputs) > 2


def _sweep(graph: ir.Graph, rule: Callable[[ir.Graph, ir.Node, Nodes], bool]) -> bool:
    """Apply `rule` to every node until it changes nothing; whether it has changed anything."""
    changed, absorbed = False, _absorbed(graph)
    while [node for node in list(graph) if node.graph is graph and rule(graph, node, absorbed)]:
        changed, absorbed = True, _absorbed(graph)
    return changed


def _absorbed(graph: ir.Graph) -> Nodes:
    """Nodes that a Conv has absorbed before any cut moves over them."""
    return frozenset(chain.from_iterable(loader.absorbed(graph).values()))


def _move_one(graph: ir.Graph, node: ir.Node, absorbed: Nodes) -> bool:
    """Rules 1 and 2, which tract exhausts before the third."""
    what = taken(node)
    if what is None:
        return False
    if node.op_type == CUT:
        return _merge(graph, node, what)
    stays = (what.axis < 2 or what.stride < 0) and first(node).producer() in absorbed
    return not stays and _pull(graph, node, what)


def _move_several(graph: ir.Graph, node: ir.Node, absorbed: Nodes) -> bool:
    """Rule 3."""
    if node in absorbed:
        return False
    cutters = list(node.outputs[0].consumers()) if len(node.outputs) == 1 else []
    found = [taken(user) for user in cutters if user.op_type == CUT]
    axes = {one.axis for one in found if one is not None}
    if len(axes) != 1 or len(found) < len(cutters) or shape_of(node.outputs[0]) is None:
        return False
    return _split(graph, node, axes.pop(), cutters)


def _merge(graph: ir.Graph, node: ir.Node, what: Taken) -> bool:
    """Rule 1."""
    source = node.inputs[0]
    maker = None if source is None else source.producer()
    before = taken(maker)
    if maker is None or before is None or (before.axis, before.stride) != (what.axis, 1):
        return False
    both = Taken(what.axis, before.start + what.start, before.start + what.end)
    cuts.replace(graph, node.outputs[0], cuts.cut(node, first(maker), both))
    return True


def _pull(graph: ir.Graph, node: ir.Node, what: Taken) -> bool:
    """Rule 2."""
    maker, output = first(node).producer(), node.outputs[0]
    readers = 0 if maker is None else sum(len(value.uses()) for value in maker.outputs)
    if maker is None or readers != 1 or _shares(maker):
        return False
    window = taken(maker)
    if window is not None and window.axis == what.axis:
        made = _over_cut(node, maker, what, window)
    elif maker.op_type == "Conv" and not loader.is_einsum(maker):
        made = _into_conv(node, maker, what)
    else:
        axes = (what.axis,) if maker.op_type == CUT else passes(maker, what.axis)
        made = None if axes is None else _applied(node, maker, axes, what)
    if made is None:
        return False
    cuts.replace(graph, output, made)
    conv = made.producer()
    if conv is not None and conv.op_type == "Conv" and loader.outer_strides(conv):
        take_strides(graph, conv)
    return True


def _over_cut(node: ir.Node, maker: ir.Node, what: Taken, window: Taken) -> ir.Value | None:
    """The Downsample first, then a Cut of it."""
    if what.stride < 0 or maker.op_type == DOWNSAMPLE:
        return None
    source, size = first(maker), known(node.outputs[0])[what.axis]
    left, modulo = divmod(what.start + window.start, what.stride)
    every = Taken(what.axis, modulo, known(source)[what.axis], what.stride)
    return cuts.cut(maker, cuts.cut(node, source, every), Taken(what.axis, left, left + size))


def _into_conv(node: ir.Node, maker: ir.Node, what: Taken) -> ir.Value | None:
    """The Conv of a larger stride."""
    shape = known(node.outputs[0])
    if what.axis < 2 or what.stride < 0:
        return None
    strides = list(maker.attributes.get_ints("strides", [1] * (len(shape) - 2)))
    strides[what.axis - 2] *= what.stride
    return cuts.again(maker, list(maker.inputs), shape, strides=strides)


def _applied(node: ir.Node, maker: ir.Node, axes: Axes, what: Taken) -> ir.Value:
    """The operator `maker` on what `node` takes of its inputs, along their axes."""
    shape = known(maker.outputs[0])
    size = len(range(shape[what.axis])[what.places])
    whole = shape[what.axis] == 1 and maker.op_type != "Transpose"
    inputs = [
        value
        if value is None or axis is None or whole
        else cuts.cut(node, value, replace(what, axis=axis))
        for value, axis in zip(maker.inputs, axes, strict=True)
    ]
    return cuts.again(maker, inputs, cuts.resized(shape, what.axis, size))


def _split(graph: ir.Graph, node: ir.Node, axis: int, cutters: Sequence[ir.Node]) -> bool:
    """Lay `node` out once per part that the `cutters` take along `axis`."""
    whole = node.outputs[0]
    size = known(whole)[axis]
    windows = {cutter: what for cutter in cutters if (what := taken(cutter))}
    ends = {0, size, *(end for what in windows.values() for end in (what.start, what.end))}
    parts = [Taken(axis, *ends_of_part) for ends_of_part in pairwise(sorted(ends))]
    if not all(_is_divisible(node, part) for part in parts):
        return False
    pieces: dict[Taken, ir.Value] = {}
    shown = [(whole, Taken(axis, 0, size))] if whole.is_graph_output() else []
    for value, what in [*((cutter.outputs[0], one) for cutter, one in windows.items()), *shown]:
        held = [part for part in parts if what.start <= part.start and part.end <= what.end]
        user = value.producer() or node
        pieces.update((part, _part(user, node, part)) for part in held if part not in pieces)
        cuts.replace(graph, value, cuts.joined(node, [pieces[part] for part in held], axis))
    return True


def _is_divisible(node: ir.Node, part: Taken) -> bool:
    """Whether `part` of what `node` puts out can be had alone."""
    return splits(node, part.axis) is not None or _holder(node, part) is not None


def _part(user: ir.Node, node: ir.Node, part: Taken) -> ir.Value:
    """`part` of what `node` puts out, for `user`: for a Concat along the axis, of one input."""
    if (axes := splits(node, part.axis)) is not None:
        return _applied(user, node, axes, part)
    if (found := _holder(node, part)) is None:
        raise ValueError(f"no input of '{node.name}' holds all of a part")
    value, before = found
    return cuts.cut(user, value, Taken(part.axis, part.start - before, part.end - before))


def _holder(node: ir.Node, part: Taken) -> tuple[ir.Value, int] | None:
    """The input of a Concat along the axis that holds `part`, and how much lies before it."""
    rank = len(known(node.outputs[0]))
    if node.op_type != "Concat" or node.attributes.get_int("axis", 0) % rank != part.axis:
        return None
    inputs = [value for value in node.inputs if value is not None]
    ends = accumulate((known(value)[part.axis] for value in inputs), initial=0)
    for value, (start, end) in zip(inputs, pairwise(ends), strict=True):
        if start <= part.start and part.end <= end:
            return value, start
    return None
