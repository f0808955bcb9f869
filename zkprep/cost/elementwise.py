"""Arithmetic, activations and comparisons as EZKL nodes.

Smooth functions are static tables, one cell per element; piecewise linear ones take the sign, which
is a decomposition; Div is a product with an inverse, Clip a Max and a Min.

Source: EZKL 23.0.5 `src/graph/utilities.rs` new_op_from_onnx; tract's lowering in `ezkl.table`.
"""

from collections.abc import Callable
from functools import partial, reduce

import numpy as np
import onnx_ir as ir

from zkprep.cost import gadgets, loader
from zkprep.cost.call import Call
from zkprep.cost.gadgets import Region
from zkprep.cost.nodes import Circuit, Wire

Operation = Callable[[Circuit, Call], Wire]


def unchanged(_circuit: Circuit, call: Call) -> Wire:
    """Identity and Dropout vanish."""
    return call[0]


def cast(circuit: Circuit, call: Call) -> Wire:
    """Cast between floating point types places its input and, like Identity, is never rebased.

    Raises:
        ValueError: to or from another type, which quantises anew.
    """
    source = call.node.inputs[0]
    before = None if source is None else source.dtype
    target = ir.DataType(call.integer("to", 0))
    if before is None or not (before.is_floating_point() and target.is_floating_point()):
        raise ValueError(f"a Cast from {before} to {target} quantises anew")
    circuit.region.assign(call[0].size)
    return Wire(call[0].shape, call[0].scale)


def add(circuit: Circuit, call: Call) -> Wire:
    """Add, Sum."""
    return reduce(circuit.add, call.present)


def mean(circuit: Circuit, call: Call) -> Wire:
    """Mean of several tensors."""
    return circuit.multiply(add(circuit, call), circuit.constant(1 / len(call.present)))


def subtract(circuit: Circuit, call: Call) -> Wire:
    """Sub."""
    return circuit.subtract(call[0], call[1])


def multiply(circuit: Circuit, call: Call) -> Wire:
    """Mul."""
    if loader.is_averaged_square(call.node):
        return call[0]
    return circuit.multiply(call[0], call[1])


def divide(circuit: Circuit, call: Call) -> Wire:
    """Div: a product with the inverse, which is a constant for a constant divisor."""
    x, divisor = call[0], call[1]
    if not divisor.is_constant:
        return circuit.multiply(x, circuit.inverse(divisor))
    values = None
    if divisor.values is not None and np.all(divisor.values != 0):
        values = np.float32(1) / divisor.values
    return circuit.multiply(x, circuit.folded(divisor.shape, values, f"1/{divisor.name}"))


def power(circuit: Circuit, call: Call) -> Wire:
    """Pow by a constant.

    Raises:
        ValueError: the exponent is not known.
    """
    x, values = call[0], call[1].values
    if loader.is_averaged_square(call.node):
        return x
    if values is None or values.size != 1:
        raise ValueError("EZKL takes one constant exponent")
    exponent = float(values.ravel()[0])
    if exponent == 0.5:
        return circuit.each(gadgets.square_root, x)
    if exponent >= 1 and exponent == int(exponent):
        return circuit.power(x, int(exponent))
    return circuit.lookup(x, f"{call.node.op_type} {exponent}")


def maximum(circuit: Circuit, call: Call) -> Wire:
    """Max of tensors."""
    return reduce(partial(circuit.extreme, largest=True), call.present)


def minimum(circuit: Circuit, call: Call) -> Wire:
    """Min of tensors."""
    return reduce(partial(circuit.extreme, largest=False), call.present)


def clip(circuit: Circuit, call: Call) -> Wire:
    """Clip: Max with the lower bound, Min with the upper, as far as they are given."""
    x = call[0]
    for position, name, largest in ((1, "min", True), (2, "max", False)):
        bound = call.get(position)
        if bound is None and name in call.node.attributes:
            bound = circuit.constant(call.number(name, 0.0))
        if bound is not None:
            x = circuit.extreme(x, bound, largest=largest)
    return x


def table(circuit: Circuit, call: Call) -> Wire:
    """A function by static lookup table."""
    return circuit.lookup(call[0], call.node.op_type)


def shift(circuit: Circuit, call: Call) -> Wire:
    """BitShift to the left by one constant (zkprep.tune.descent): the scale is so much smaller.

    Raises:
        ValueError: by something else.
    """
    bits = call[1].values
    if bits is None or bits.size != 1:
        raise ValueError("EZKL shifts by one constant")
    circuit.region.assign(call[0].size)
    return Wire(call[0].shape, call[0].scale - int(bits.ravel()[0]))


def by_gadget(gadget: Callable[[Region, int], None]) -> Operation:
    """A function that is one gadget and keeps the scale."""
    return lambda circuit, call: circuit.each(gadget, call[0])


def sign(circuit: Circuit, call: Call) -> Wire:
    """Sign, at scale 0."""
    return circuit.each(partial(gadgets.decompose, signed_zero=True), call[0], 0)


def reciprocal(circuit: Circuit, call: Call) -> Wire:
    """Reciprocal."""
    return circuit.inverse(call[0])


def leaky_relu(circuit: Circuit, call: Call) -> Wire:
    """LeakyRelu: both parts at the scale of the slope."""
    x = call[0]
    if call.number("alpha", 0.01) == 0:
        return circuit.each(gadgets.relu, x)
    return circuit.each(gadgets.leaky_relu, x, x.scale + circuit.spec.param_scale)


def prelu(circuit: Circuit, call: Call) -> Wire:
    """PRelu: Where(x > 0, x, slope * x)."""
    x, zero = call[0], circuit.constant(0.0)
    mask = circuit.compare(x, zero)
    return circuit.select(mask, circuit.multiply(x, call[1]), x)


def elu(circuit: Circuit, call: Call) -> Wire:
    """Elu: Where(x < 0, alpha * (exp(x) - 1), x)."""
    x = call[0]
    mask = circuit.compare(x, circuit.constant(0.0))
    below = circuit.subtract(circuit.lookup(x, "Exp"), circuit.constant(1.0))
    return circuit.select(
        mask, circuit.multiply(below, circuit.constant(call.number("alpha", 1.0))), x
    )


def softplus(circuit: Circuit, call: Call) -> Wire:
    """Softplus: log(exp(x) + 1), two tables."""
    raised = circuit.add(circuit.lookup(call[0], "Exp"), circuit.constant(1.0))
    return circuit.lookup(raised, "Log")


def softsign(circuit: Circuit, call: Call) -> Wire:
    """Softsign: x / (1 + |x|)."""
    size = circuit.each(gadgets.absolute, call[0])
    return circuit.multiply(call[0], circuit.inverse(circuit.add(size, circuit.constant(1.0))))


def hard_sigmoid(circuit: Circuit, call: Call) -> Wire:
    """HardSigmoid: alpha * x + beta, clipped to [0, 1]."""
    x = circuit.multiply(call[0], circuit.constant(call.number("alpha", 0.2)))
    x = circuit.add(x, circuit.constant(call.number("beta", 0.5)))
    return circuit.each(gadgets.relu, circuit.extreme(x, circuit.constant(1.0), largest=False))


def compare(circuit: Circuit, call: Call) -> Wire:
    """Greater, Less."""
    return circuit.compare(call[0], call[1])


def compare_or_equal(circuit: Circuit, call: Call) -> Wire:
    """GreaterOrEqual, LessOrEqual: 1 is added to the larger side first."""
    larger = call[0] if call.node.op_type == "GreaterOrEqual" else call[1]
    circuit.region.assign(larger.size)
    return circuit.compare(call[0], call[1])


def where(circuit: Circuit, call: Call) -> Wire:
    """Where."""
    return circuit.select(call[0], call[1], call[2])
