"""Pooling, reductions, Softmax and normalisations as EZKL nodes.

The largest of a window is found by sorting it; AveragePool is a Conv with ones and a division; a
mean is a sum and a product with 1 / count, which for a count of 2**j only moves the scale by j; the
variance of a normalisation is EZKL's mean of squares.

Source: EZKL 23.0.5 `src/circuit/ops/layouts.rs` max_pool, sumpool, axes_wise_op, softmax_axes,
mean_of_squares_axes; tract's lowering as `ezkl.table` shows it.
"""

from collections.abc import Callable, Iterable
from functools import partial
from math import prod

from zkprep.cost import gadgets, loader
from zkprep.cost.call import Call
from zkprep.cost.gadgets import Region
from zkprep.cost.linear import per_channel
from zkprep.cost.movement import reshaped
from zkprep.cost.nodes import Circuit, Wire

Gadget = Callable[[Region, int], None]


def max_pool(circuit: Circuit, call: Call) -> Wire:
    """The largest of every window of x (N, C, ...)."""
    window = prod(call.integers("kernel_shape", []))
    circuit.region.repeat(prod(call.output), partial(gadgets.sort, circuit.region, window))
    return circuit.emit(call.output, call[0].scale)


def average_pool(circuit: Circuit, call: Call) -> Wire:
    """The mean of every window of x (N, C, ...), channel by channel."""
    region, shape = circuit.region, call.output
    window = prod(call.integers("kernel_shape", []))
    region.assign(window)
    held = max(window, prod(call[0].shape[2:]))
    body = partial(gadgets.convolve, region, prod(shape[2:]), window, held, biased=False)
    region.repeat(prod(shape[:2]), body)
    if window > 1:
        gadgets.divide(region, prod(shape))
    return circuit.emit(shape, call[0].scale)


def global_average_pool(circuit: Circuit, call: Call) -> Wire:
    """The mean of every channel of x (N, C, ...)."""
    return _average(circuit, call, range(2, len(call[0].shape)))


def global_max_pool(circuit: Circuit, call: Call) -> Wire:
    """The largest of every channel of x (N, C, ...)."""
    return _reduce(circuit, call[0], range(2, len(call[0].shape)), gadgets.sort)


def reduce_sum(circuit: Circuit, call: Call) -> Wire:
    """Sums along axes."""
    return reshaped(circuit, call, _reduce(circuit, call[0], _axes(call), gadgets.add_up))


def reduce_mean(circuit: Circuit, call: Call) -> Wire:
    """Means along axes."""
    return reshaped(circuit, call, _average(circuit, call, _axes(call)))


def reduce_extreme(circuit: Circuit, call: Call) -> Wire:
    """Largest or smallest along axes."""
    return reshaped(circuit, call, _reduce(circuit, call[0], _axes(call), gadgets.sort))


def softmax(circuit: Circuit, call: Call) -> Wire:
    """Softmax along one axis; from that axis on, before operator set 13."""
    x = call[0]
    axis = call.integer("axis", -1 if call.opset >= 13 else 1) % max(1, len(x.shape))
    length = x.shape[axis] if call.opset >= 13 else prod(x.shape[axis:])
    circuit.region.assign(x.size)
    circuit.tables.add(("Exp", x.scale))
    body = partial(gadgets.softmax, circuit.region, length)
    circuit.region.repeat(x.size // max(1, length), body)
    return circuit.emit(x.shape, x.scale + max(circuit.base_scale, x.scale))


def log_softmax(circuit: Circuit, call: Call) -> Wire:
    """Softmax and a logarithm table."""
    return circuit.lookup(softmax(circuit, call), "Log")


def layer_normalization(circuit: Circuit, call: Call) -> Wire:
    """Over the axes from `axis` on, then a factor and an offset of those axes' shape."""
    rank = len(call[0].shape)
    made = _standardised(circuit, call, range(call.integer("axis", -1) % max(1, rank), rank))
    for position, combine in ((1, circuit.multiply), (2, circuit.add)):
        if (parameter := call.get(position)) is not None:
            made = combine(made, parameter)
    return made


def instance_normalization(circuit: Circuit, call: Call) -> Wire:
    """Over all axes but batch and channel, then a factor and an offset per channel."""
    rank = len(call[0].shape)
    made = _standardised(circuit, call, range(2, rank))
    scaled = circuit.multiply(made, per_channel(call[1], rank))
    return circuit.add(scaled, per_channel(call[2], rank))


def _standardised(circuit: Circuit, call: Call, axes: Iterable[int]) -> Wire:
    """(x - mean) / sqrt(variance + epsilon)."""
    x, along = call[0], list(axes)
    centred = circuit.subtract(x, _mean(circuit, x, along))
    variance = _mean_of_squares(circuit, call, centred, along)
    shifted = circuit.add(variance, circuit.constant(call.number("epsilon", 1e-5)))
    root = circuit.each(gadgets.square_root, shifted)
    return circuit.multiply(centred, circuit.inverse(root))


def _average(circuit: Circuit, call: Call, axes: Iterable[int]) -> Wire:
    """The mean, or the mean of squares of a tensor that is squared for it."""
    source = call.node.inputs[0]
    squared = source is not None and loader.is_averaged_square(source.producer())
    if squared:
        return _mean_of_squares(circuit, call, call[0], axes)
    return _mean(circuit, call[0], axes)


def _mean_of_squares(circuit: Circuit, call: Call, x: Wire, axes: Iterable[int]) -> Wire:
    circuit.region.assign(x.size)
    total = _reduce(circuit, x, axes, gadgets.add_up)
    if total.size < x.size:
        gadgets.divide(circuit.region, total.size)
        read = call.node.inputs[0]
        if read is not None and x.scale > circuit.base_scale:
            circuit.squared[read.name or ""] = x.scale  # at the base scale they are no larger
    return circuit.emit(total.shape, 2 * x.scale)


def _mean(circuit: Circuit, x: Wire, axes: Iterable[int]) -> Wire:
    total = _reduce(circuit, x, axes, gadgets.add_up)
    return circuit.multiply(total, circuit.constant(total.size / max(1, x.size)))


def _reduce(circuit: Circuit, x: Wire, axes: Iterable[int], gadget: Gadget) -> Wire:
    """`gadget` along `axes`, which are kept with length 1."""
    along = {axis % max(1, len(x.shape)) for axis in axes}
    shape = tuple(1 if axis in along else size for axis, size in enumerate(x.shape))
    body = partial(gadget, circuit.region, x.size // max(1, prod(shape)))
    circuit.region.repeat(prod(shape), body)
    return circuit.emit(shape, x.scale)


def _axes(call: Call) -> Iterable[int]:
    axes = call.indices(1, "axes")
    return range(len(call[0].shape)) if axes is None else axes
