"""Operators along some axes: parts along the others, whole along theirs.

    softmax(x, axis)[r] = softmax(x[r], axis)    where r is whole along the axis

So for Softmax and LogSoftmax along one axis, LayerNormalization from an axis on and
InstanceNormalization over all places of a channel; a Concat passes on what it does not join; a
Transpose and a Pad with zeros move places. Source: the ONNX operators of these names.
"""

import onnx_ir as ir

from zkprep.passes.split.regions import Region, shape_of, whole
from zkprep.passes.split.restrictions import Restriction, Rule


def _is_whole(node: ir.Node, region: Region, axes: range) -> bool:
    full = whole(shape_of(node.outputs[0]))
    return all(region[axis] == full[axis] for axis in axes)


def _softmax(node: ir.Node, region: Region) -> Restriction | str:
    axis = node.attributes.get_int("axis", -1) % len(region)
    if not _is_whole(node, region, range(axis, axis + 1)):
        return f"'{node.name}' takes all of axis {axis} together"
    return Restriction((region,))


def _layer_normalization(node: ir.Node, region: Region) -> Restriction | str:
    axis = node.attributes.get_int("axis", -1) % len(region)
    if not _is_whole(node, region, range(axis, len(region))):
        return f"'{node.name}' takes all from axis {axis} on together"
    return Restriction((region, *[None] * (len(node.inputs) - 1)))


def _instance_normalization(node: ir.Node, region: Region) -> Restriction | str:
    if not _is_whole(node, region, range(2, len(region))):
        return f"'{node.name}' takes all places of a channel together"
    return Restriction((region, (region[1],), (region[1],)))


def _concat(node: ir.Node, region: Region) -> Restriction | str:
    axis = node.attributes["axis"].as_int() % len(region)
    if not _is_whole(node, region, range(axis, axis + 1)):
        return f"'{node.name}' joins along axis {axis}"
    shapes = [shape_of(value) for value in node.inputs if value is not None]
    return Restriction(
        tuple((*region[:axis], (0, shape[axis]), *region[axis + 1 :]) for shape in shapes)
    )


def _transpose(node: ir.Node, region: Region) -> Restriction:
    axes = node.attributes.get_ints("perm", range(len(region))[::-1])
    own = dict(zip(axes, region, strict=True))
    return Restriction((tuple(own[axis] for axis in range(len(region))),))


RULES: dict[str, Rule] = {
    "Concat": _concat,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _softmax,
    "Softmax": _softmax,
    "Transpose": _transpose,
}
