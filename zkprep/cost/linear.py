"""Conv, ConvTranspose, Gemm, MatMul, Einsum and BatchNormalization as EZKL nodes.

EZKL places kernel and image of a Conv once, side by side; every output is then a dot product from a
full row on, and its bias takes a row. An einsum is such dot products alone, its bias an Add behind
the rebase; of more than two operands every term is a product of its own, and the terms are added
one by one. BatchNormalization that no Conv absorbs is a Mul and an Add.

Source: EZKL 23.0.5 `src/circuit/ops/layouts.rs` conv, deconv, einsum, downsample; sonos/tract
`onnx/src/ops/nn/batch_norm.rs`; rewrites in zkprep.cost.loader.
"""

from functools import partial
from math import prod

import numpy as np

from zkprep.cost import gadgets, loader
from zkprep.cost.call import Call, shape_of
from zkprep.cost.gadgets import Region
from zkprep.cost.nodes import Circuit, Wire


def conv(circuit: Circuit, call: Call) -> Wire:
    """Image (N, C, ...) and kernel (O, C / group, ...)."""
    kernel, bias, shape = call[1], call.get(2), call.output
    image = call[0]
    if loader.is_einsum(call.node):
        made = circuit.product((image, kernel), (1, 1), shape)
        if bias is None or bias.is_uniformly(0.0):
            return made
        return circuit.add(made, per_channel(bias, len(shape)))
    unpadded = shape_of(loader.padded_source(call.node.inputs[0]))
    image_size = image.size if unpadded is None else prod(unpadded)
    return _convolved(circuit, call, image_size, prod(kernel.shape[1:]))


def conv_transpose(circuit: Circuit, call: Call) -> Wire:
    """A Conv over the image spread by the stride and padded by the kernel; kernel (C, O, ...)."""
    image, kernel, shape = call[0], call[1], call.output
    spread = [size + width - 1 for size, width in zip(shape[2:], kernel.shape[2:], strict=True)]
    length = image.shape[1] * prod(kernel.shape[2:])
    return _convolved(circuit, call, prod(image.shape[:2]) * prod(spread), length)


def gemm(circuit: Circuit, call: Call) -> Wire:
    """A @ B * alpha + C * beta; C is added behind the rebase of the product."""
    a, b, c = call[0], call[1], call.get(2)
    axes = (1 - call.integer("transA", 0), call.integer("transB", 0))
    made = circuit.product((a, b), axes, call.output)
    made = circuit.multiply(made, circuit.constant(call.number("alpha", 1.0)))
    beta = np.float32(call.number("beta", 1.0))
    if c is None or beta == 0:
        return made
    if not c.is_constant:
        return circuit.add(made, circuit.multiply(c, circuit.constant(beta)))
    values = None if c.values is None else c.values * beta
    return circuit.add(made, circuit.folded(c.shape, values, c.name))


def matmul(circuit: Circuit, call: Call) -> Wire:
    """A (..., M, K) @ B (..., K, N)."""
    axes = (len(call[0].shape) - 1, max(0, len(call[1].shape) - 2))
    return circuit.product((call[0], call[1]), axes, call.output)


def einsum(circuit: Circuit, call: Call) -> Wire:
    """Two operands or more, an output in the equation, no ellipsis and no axis twice in one.

    Raises:
        ValueError: another form, whose cells are not known.
    """
    equation = str(call.node.attributes.get_string("equation", "")).replace(" ", "")
    left, _, output = equation.partition("->")
    operands = left.split(",")
    plain = all(len(set(axes)) == len(axes) for axes in operands)
    if len(operands) < 2 or not output or "." in equation or not plain:
        raise ValueError(f"the cells of the equation '{equation}' are not known")
    size: dict[str, int] = {}
    for axes, wire in zip(operands, call.present, strict=True):
        circuit.read(wire)
        size.update(zip(axes, wire.shape, strict=True))
    summed = set(size) - set(output)
    terms = prod(size[axis] for axis in summed)
    region, results = circuit.region, prod(call.output)
    if len(operands) == 2 and summed <= set(operands[0]) & set(operands[1]):
        region.dot(results, terms)
    else:
        region.repeat(results, partial(_add_products, region, terms, len(operands)))
    return circuit.emit(call.output, sum(wire.scale for wire in call.present))


def _add_products(region: Region, terms: int, factors: int) -> None:
    for term in range(terms):
        region.dot(1, factors)
        region.assign(min(term, 1))


def batch_normalization(circuit: Circuit, call: Call) -> Wire:
    """A slope and a shift per channel of x (N, C, ...)."""
    x, gamma, rank = call[0], call[1], len(call[0].shape)
    known = [wire.values for wire in call.present[1:] if wire.values is not None]
    slope, shift = None, None
    if len(known) == 4:
        slope, shift = loader.affine(known, call.number("epsilon", 1e-5))
    factor = circuit.folded(gamma.shape, slope, f"{call.node.name}: slope")
    offset = circuit.folded(gamma.shape, shift, f"{call.node.name}: shift")
    return circuit.add(circuit.multiply(x, per_channel(factor, rank)), per_channel(offset, rank))


def per_channel(wire: Wire, rank: int) -> Wire:
    """A wire of shape (C,) or () along axis 1 of a tensor of `rank` dimensions."""
    shape = (1, *wire.shape, *(1,) * (rank - 2))[:rank]
    return Wire(shape, wire.scale, wire.name, wire.values)


def _convolved(circuit: Circuit, call: Call, image_size: int, length: int) -> Wire:
    image, kernel, bias = call[0], call[1], call.get(2)
    circuit.read(kernel)
    circuit.read(circuit.constant(0.0) if bias is None else bias)
    held = max(kernel.size, image_size)
    gadgets.convolve(circuit.region, prod(call.output), length, held)
    return circuit.emit(call.output, image.scale + kernel.scale)
