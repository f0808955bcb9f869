"""Convolutions and pools: output places from the input places their windows cover (a halo).

Along a spatial axis, outputs [a, b) with stride s, kernel k, dilation d and padding p before read

    [a s - p, (b - 1) s - p + (k - 1) d + 1)

What of it lies outside the input is padding, and stays padding. Along the channels a pool reads
what it writes; a Conv of one group reads all of them and takes its own rows of the kernel and bias;
of several groups it takes whole groups, or a part of one. Source: ONNX operators Conv,
ConvTranspose, MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool.
"""

import onnx_ir as ir

from zkprep.passes.split.regions import Interval, Region, shape_of
from zkprep.passes.split.restrictions import Restriction, Rule


def _covered(
    node: ir.Node, kernel: tuple[int, ...], region: Region
) -> tuple[tuple[Interval, ...], ir.Attr] | str:
    """The spatial input intervals that windows cover, and the pads that are left of them."""
    count = len(kernel)
    if node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        return f"the auto_pad of '{node.name}' is not made explicit"
    if node.attributes.get_int("ceil_mode", 0):
        return f"'{node.name}' has windows beyond its padding"
    strides = node.attributes.get_ints("strides", [1] * count)
    dilations = node.attributes.get_ints("dilations", [1] * count)
    pads = node.attributes.get_ints("pads", [0] * (2 * count))
    assert node.inputs[0] is not None
    covered, before, after = [], [], []
    for axis, size in enumerate(shape_of(node.inputs[0])[2:]):
        first, last = region[axis + 2]
        start = first * strides[axis] - pads[axis]
        stop = (last - 1) * strides[axis] - pads[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        inside = (max(start, 0), min(stop, size))
        if inside[0] >= inside[1]:
            return f"a part of '{node.name}' would read padding alone"
        covered.append(inside)
        before.append(inside[0] - start)
        after.append(stop - inside[1])
    return tuple(covered), ir.AttrInt64s("pads", [*before, *after])


def _conv(node: ir.Node, region: Region) -> Restriction | str:
    data, weight = node.inputs[0], node.inputs[1]
    assert data is not None and weight is not None
    kernel = shape_of(weight)
    found = _covered(node, kernel[2:], region)
    if isinstance(found, str):
        return found
    spatial, pads = found
    first, last = region[1]
    groups = node.attributes.get_int("group", 1)
    made, read = kernel[0] // groups, kernel[1]
    held = (first // made, (last - 1) // made + 1)
    if held[1] - held[0] > 1 and (first % made or last % made):
        return f"a part of '{node.name}' would hold parts of several groups"
    channels = (held[0] * read, held[1] * read)
    inputs: list[Region | None] = [
        (region[0], channels, *spatial),
        ((first, last), *((0, size) for size in kernel[1:])),
    ]
    if len(node.inputs) > 2:
        inputs.append(None if node.inputs[2] is None else ((first, last),))
    group = ir.AttrInt64("group", held[1] - held[0])
    return Restriction(tuple(inputs), {"pads": pads, "group": group})


def _conv_transpose(node: ir.Node, region: Region) -> Restriction | str:
    """By output channels alone: an output place gathers from places that strides leave out."""
    data, weight = node.inputs[0], node.inputs[1]
    assert data is not None and weight is not None
    shape = shape_of(node.outputs[0])
    if node.attributes.get_int("group", 1) != 1 or region[2:] != tuple((0, n) for n in shape[2:]):
        return f"'{node.name}' can be parted by output channels alone, and in one group alone"
    kernel, own = shape_of(weight), region[1]
    inputs: list[Region | None] = [
        (region[0], *((0, size) for size in shape_of(data)[1:])),
        ((0, kernel[0]), own, *((0, size) for size in kernel[2:])),
    ]
    if len(node.inputs) > 2:
        inputs.append(None if node.inputs[2] is None else (own,))
    return Restriction(tuple(inputs))


def _pool(node: ir.Node, region: Region) -> Restriction | str:
    found = _covered(node, tuple(node.attributes["kernel_shape"].as_ints()), region)
    if isinstance(found, str):
        return found
    return Restriction(((region[0], region[1], *found[0]),), {"pads": found[1]})


def _global_pool(node: ir.Node, region: Region) -> Restriction:
    assert node.inputs[0] is not None
    places = ((0, size) for size in shape_of(node.inputs[0])[2:])
    return Restriction(((region[0], region[1], *places),))


RULES: dict[str, Rule] = {
    "AveragePool": _pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "MaxPool": _pool,
}
