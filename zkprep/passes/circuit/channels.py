"""Channels that nothing feeds or nothing reads leave the graph, exactly.

    y = C(f(P(x))),    P: Conv or Gemm, f: what acts channel by channel, C: Conv or Gemm
A channel of P whose weights are all 0 (a pruned filter, a BatchNormalization with gamma 0) holds
its bias b everywhere; f makes v of it, and C adds W[:, c] * v, summed over the kernel, which goes
into C's bias. Where C or a depthwise Conv of f pads, the border would get less, so then v has to
be 0. A channel for which all weights of C are 0 is not read. Either way P, f and C do without it:
EZKL does not skip zeros. f is a Relu, LeakyRelu or Clip, a pool, a depthwise Conv, a Flatten, and
nothing else reads what lies between. Source: ONNX operators Conv, Gemm.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.cost.price import price
from zkprep.passes.base import PassResult, Site
from zkprep.passes.circuit.choice import saving
from zkprep.passes.inference import infer_shapes
from zkprep.passes.names import Names
from zkprep.passes.repair.draft import Array, is_read_once, known, operand, sizes

TITLE = "dead channels removed"

_POOLS = frozenset(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))


@dataclass(frozen=True, slots=True)
class RemoveDeadChannels:
    """No operator computes a channel that is constant, or that nothing reads."""

    name: ClassVar[str] = "remove-dead-channels"

    def __call__(self, model: ir.Model) -> PassResult:
        """Remove them between every pair of linear operators, first to last."""
        result, sites = model.clone(), list[Site]()
        names = Names(result)
        for node in tuple(result.graph):
            link = _link(node)
            alive = None if link is None else link.alive()
            if link is None or alive is None:
                continue
            before = price(result)
            link.keep(alive, names)
            infer_shapes(result)
            nodes = tuple(str(one.name) for one in (link.first, *link.between, link.last))
            sites.append(Site(TITLE, nodes, saving=saving(before, price(result))))
        return PassResult(result, tuple(sites))


@dataclass(slots=True)
class _Link:
    """Two linear operators and what acts on single channels between them.

    Attributes:
        first: P.
        last: C.
        between: f, in order.
        values: v, of every channel of P, if its weights were 0.
        constant: which channels would hold v everywhere.
        width: columns of C per channel, behind a Flatten.
    """

    first: ir.Node
    last: ir.Node
    values: Array
    constant: Array
    between: list[ir.Node] = field(default_factory=list)
    width: int = 1

    def alive(self) -> Array | None:
        """The channels that have to stay, one at least; None when all do, or nothing is certain."""
        weights = _weights(self.first)
        dead = ~np.any(weights.reshape(len(weights), -1), axis=1) & self.constant
        if _is_padded(self.last):
            dead &= self.values == 0
        read = np.any(self._columns(), axis=(0, 2))
        alive = np.flatnonzero(read & ~dead)
        kept = alive if len(alive) else np.array([0])
        return None if len(kept) == len(weights) else kept

    def keep(self, alive: Array, names: Names) -> None:
        """Remove all channels but these."""
        gone = np.setdiff1d(np.arange(len(self.values)), alive)
        columns = self._columns()
        constant = columns[:, gone].sum(axis=2) @ self.values[gone]
        _write(self.last, _bias(self.last) + constant, columns[:, alive], names)
        _write(self.first, _bias(self.first)[alive], _weights(self.first)[alive], names)
        for node in self.between:
            if node.op_type == "Conv":
                _write(node, _bias(node)[alive], _weights(node)[alive], names)
                node.attributes.add(ir.AttrInt64("group", len(alive)))

    def _columns(self) -> Array:
        """The weights of C as (outputs, channels, all that a channel meets)."""
        weights = _weights(self.last)
        return weights.reshape(len(weights), len(self.values), -1)


def _link(first: ir.Node) -> _Link | None:
    """The link that starts at `first`, if it is linear and ends at another."""
    if not _is_linear(first) or first.attributes.get_int("group", 1) != 1:
        return None
    bias = _bias(first)
    link = _Link(first, first, bias, np.ones(len(bias), bool))
    value = first.outputs[0]
    while is_read_once(value):
        node = value.consumers()[0]
        if node.domain != "" or node.inputs[0] is not value:
            return None
        if _is_linear(node) and node.attributes.get_int("group", 1) == 1:
            link.last = node
            return link
        if len(node.outputs) > 1 or not _crosses(link, node):
            return None
        link.between.append(node)
        value = node.outputs[0]
    return None


def _crosses(link: _Link, node: ir.Node) -> bool:
    """Whether `node` acts on single channels; what constant channels become behind it."""
    if node.op_type in ("Relu", "LeakyRelu"):
        slope = node.attributes.get_float("alpha", 0.01) if node.op_type == "LeakyRelu" else 0.0
        link.values = np.where(link.values > 0, link.values, slope * link.values)
    elif node.op_type == "Clip":
        low, high = (_bound(node, 1, -np.inf), _bound(node, 2, np.inf))
        if low is None or high is None:
            return False
        link.values = np.clip(link.values, low, high)
    elif node.op_type in _POOLS:
        if node.op_type == "AveragePool" and _is_padded(node):
            link.constant &= link.values == 0
    elif node.op_type == "Flatten" and node.attributes.get_int("axis", 1) == 1:
        link.width *= int(np.prod(sizes(node.inputs[0])[2:]))
    elif _is_linear(node) and node.attributes.get_int("group", 1) == len(link.values):
        weights = _weights(node)
        if len(weights) != len(link.values):
            return False
        if _is_padded(node):
            link.constant &= link.values == 0
        link.values = _bias(node) + weights.reshape(len(weights), -1).sum(axis=1) * link.values
    else:
        return False
    return True


def _bound(node: ir.Node, position: int, absent: float) -> float | None:
    """A bound of a Clip; None when it is computed."""
    bound = operand(node, position)
    values = known(bound)
    if values is None:
        return absent if bound is None else None
    return float(values.item())


def _is_linear(node: ir.Node) -> bool:
    """Whether `node` is a Conv or Gemm by constants, of the plain kind."""
    if node.domain != "" or node.op_type not in ("Conv", "Gemm") or len(node.outputs) != 1:
        return False
    weights, bias = known(node.inputs[1]), operand(node, 2)
    if weights is None or weights.dtype.kind != "f":
        return False
    if bias is not None and (known(bias) is None or _size(bias) != len(_weights(node))):
        return False
    numbers = [node.attributes.get_float(name, 1.0) for name in ("alpha", "beta")]
    return node.op_type == "Conv" or (
        numbers == [1.0, 1.0] and not node.attributes.get_int("transA", 0)
    )


def _size(value: ir.Value) -> int:
    shape = sizes(value)
    return int(np.prod(shape)) if all(size == 1 for size in shape[:-1]) else -1


def _is_padded(node: ir.Node) -> bool:
    same = node.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID")
    return same or any(node.attributes.get_ints("pads", ()))


def _is_turned(node: ir.Node) -> bool:
    return node.op_type == "Gemm" and not node.attributes.get_int("transB", 0)


def _weights(node: ir.Node) -> Array:
    """In float64, outputs first."""
    values = known(node.inputs[1])
    assert values is not None
    return (values.T if _is_turned(node) else values).astype(np.float64)


def _bias(node: ir.Node) -> Array:
    """In float64, one per output."""
    values = known(operand(node, 2))
    return np.zeros(len(_weights(node))) if values is None else values.ravel().astype(np.float64)


def _write(node: ir.Node, bias: Array, weights: Array, names: Names) -> None:
    """Give `node` these weights, outputs first, and this bias."""
    old, graph = node.inputs[1], node.graph
    assert old is not None and old.dtype is not None and isinstance(graph, ir.Graph)
    spatial = sizes(old)[2:] if node.op_type == "Conv" else ()
    shaped = weights.reshape(len(weights), -1, *spatial)
    for position, role, values in (
        (1, "weights", shaped.T if _is_turned(node) else shaped),
        (2, "bias", bias),
    ):
        if position == 2 and not np.any(values) and operand(node, 2) is None:
            continue
        name = names.fresh(f"{node.name}_{role}")
        tensor = ir.Tensor(np.ascontiguousarray(values.astype(old.dtype.numpy())), name=name)
        value = ir.Value(
            name=name,
            shape=ir.Shape(values.shape),
            type=ir.TensorType(old.dtype),
            const_value=tensor,
        )
        graph.register_initializer(value)
        if position == len(node.inputs):
            node.resize_inputs(position + 1)
        node.replace_input_with(position, value)
