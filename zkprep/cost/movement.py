"""Operators that move elements: free in the circuit, except where EZKL places a tensor again.

Resize and what cuts a tensor (zkprep.cost.moves) place their input, Expand its output; Reshape,
Transpose, Concat, Pad and Gather by constant indices place nothing. A node that moves a tensor of
too large a scale is rebased like any other; one that only adds or drops axes of length 1 is carried
along to the next node by tract, unless it is a graph output.

Source: EZKL 23.0.5 `src/circuit/ops/layouts.rs` slice, downsample, resize, expand, concat.
"""

from dataclasses import replace
from itertools import chain
from math import prod

from zkprep.cost import loader
from zkprep.cost.call import Call
from zkprep.cost.nodes import Circuit, Shape, Wire


def reshape(circuit: Circuit, call: Call) -> Wire:
    """Reshape, Flatten, Squeeze, Unsqueeze."""
    return reshaped(circuit, call, call[0])


def reshaped(circuit: Circuit, call: Call, x: Wire) -> Wire:
    """`x` in the shape of the call's output."""
    shape = call.output
    only_axes = _without_ones(shape) == _without_ones(x.shape)
    if shape == x.shape or (only_axes and not call.node.outputs[0].is_graph_output()):
        return Wire(shape, x.scale)
    return circuit.emit(shape, x.scale)


def transpose(circuit: Circuit, call: Call) -> Wire:
    """Transpose; the identity vanishes."""
    order = call.integers("perm", list(reversed(range(len(call[0].shape)))))
    if order == sorted(order):
        return call[0]
    return circuit.emit(call.output, call[0].scale)


def move(circuit: Circuit, call: Call) -> Wire:
    """Pad with zeros, DepthToSpace, SpaceToDepth."""
    return circuit.emit(call.output, call[0].scale)


def concat(circuit: Circuit, call: Call) -> Wire:
    """Concat: brings its inputs to one scale.

    An einsum that sums along the axis reads the parts instead, and another Concat along it takes
    them over. If only such read it, there is no whole; otherwise every part that an einsum reads is
    cut out of the whole by a Slice.
    """
    value, rank = call.node.outputs[0], len(call.output)
    axis = call.integer("axis", 0) % rank
    parts = tuple(chain.from_iterable(_parts(wire, axis) for wire in call.present))
    reads = {use.node: loader.reads_parts(use.node, use.idx, axis) for use in value.uses()}
    if not any(reads.values()):
        return circuit.emit(call.output, circuit.align(parts))
    whole = Wire(call.output, max(part.scale for part in parts))
    if value.is_graph_output() or not all(reads.values()):
        whole = circuit.emit(call.output, circuit.align(parts))
    if not all(reads.values()):
        parts = tuple(Wire(part.shape, whole.scale) for part in parts)
        if any(found and node.op_type != "Concat" for node, found in reads.items()):
            circuit.region.assign(len(parts) * whole.size)
    return replace(whole, parts=parts, axis=axis)


def cut(circuit: Circuit, call: Call) -> Wire:
    """A Cut, a Downsample (zkprep.cost.moves) or a Slice that takes all: all of x is placed."""
    circuit.region.assign(call[0].size)
    return circuit.emit(call.output, call[0].scale)


def gather(circuit: Circuit, call: Call) -> Wire:
    """Gather by constant indices.

    Raises:
        ValueError: the indices are computed, which takes a dynamic lookup.
    """
    x, indices = call[0], call[1]
    if not indices.is_constant:
        raise ValueError("indices that are computed take a dynamic lookup")
    return circuit.emit(call.output, x.scale)


def expand(circuit: Circuit, call: Call) -> Wire:
    """Expand; to the same shape it vanishes."""
    if call.output == call[0].shape:
        return call[0]
    circuit.region.assign(prod(call.output))
    return circuit.emit(call.output, call[0].scale)


def resize(circuit: Circuit, call: Call) -> Wire:
    """Resize to the nearest element."""
    circuit.region.assign(call[0].size)
    return circuit.emit(call.output, call[0].scale)


def _parts(wire: Wire, axis: int) -> tuple[Wire, ...]:
    return wire.parts if wire.parts and wire.axis == axis else (wire,)


def _without_ones(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)
