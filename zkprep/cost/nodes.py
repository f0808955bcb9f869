"""EZKL's graph nodes as cell counts: scales, rebasing and shared constants around the gadgets.

The rules, with base = max(input_scale, param_scale) and limit = base * scale_rebase_multiplier:
1. products add scales, and a node whose scale exceeds the limit is divided back to it;
2. operands of a sum are brought to the largest scale among them, constants of one use for free;
3. Mul by a constant 2**-j of one element moves the scale by j instead, and is not divided back;
4. adding 0 and multiplying by 1 vanish;
5. a constant with several uses is placed once, and decomposed when the boundary is *not* checked:
   EZKL reads that flag the other way round for constants. Equal constants that are read at one
   rank are one constant: tract gives an operand the rank of what it is combined with;
6. an einsum over a Concat along the axis it sums is one einsum per part, and their sum.

Source: EZKL 23.0.5 `src/graph/node.rs` (Node::new, RebaseScale), `src/graph/utilities.rs`
(new_op_from_onnx, homogenize_input_scales), `src/graph/model.rs` layout_nodes; tract's declutter.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import log2, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkprep.circuit import CircuitSpec
from zkprep.cost import gadgets
from zkprep.cost.gadgets import Region

Shape = tuple[int, ...]
Key = tuple[Any, ...]

_LARGEST_COMPARED = 4096


@dataclass(frozen=True, slots=True)
class Wire:
    """A tensor of the circuit, or a constant that a node may read.

    Attributes:
        shape: its dimensions.
        scale: bits after the binary point.
        name: of a constant; "" for a tensor of the circuit.
        values: of a constant, when they are known.
        parts: the wires it joins, when it is a Concat that an einsum may read in parts.
        axis: along which it joins them.
    """

    shape: Shape
    scale: int
    name: str = ""
    values: NDArray[Any] | None = None
    parts: "tuple[Wire, ...]" = ()
    axis: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def is_constant(self) -> bool:
        """Whether it is known before the circuit is built."""
        return bool(self.name)

    def is_uniformly(self, value: float) -> bool:
        """Whether every element of this constant is `value`."""
        return self.values is not None and bool(np.all(self.values == np.float32(value)))


@dataclass(slots=True)
class Circuit:
    """Lays nodes out, in EZKL's order, on `region`.

    Attributes:
        spec: scales, digits and columns.
        region: where cells are counted.
        shared: constants with several uses, from a first pass.
        uses: uses of every constant so far.
        tables: static lookup tables so far: one per function and scale of what it reads.
        held: largest integer range-checked besides: divisors, constants decomposed or compared.
        squared: scales of tensors of which a mean of squares is divided at twice as many bits.
    """

    spec: CircuitSpec
    region: Region
    shared: frozenset[Key] = frozenset()
    uses: Counter[Key] = field(default_factory=Counter)
    tables: set[tuple[str, int]] = field(default_factory=set)
    held: float = 0.0
    squared: dict[str, int] = field(default_factory=dict)

    @property
    def base_scale(self) -> int:
        """What scales are rebased to, times the multiplier."""
        return max(self.spec.input_scale, self.spec.param_scale)

    def emit(self, shape: Shape, scale: int) -> Wire:
        """A node's output, rebased when its scale exceeds the limit."""
        if scale > self.spec.limit:
            gadgets.divide(self.region, prod(shape))
            self.held = max(self.held, 2.0 ** (scale - self.spec.limit))
        return Wire(shape, min(scale, self.spec.limit))

    def constant(self, values: Any) -> Wire:
        """A float constant that the loader makes."""
        array = np.asarray(values, dtype=np.float32)
        return self.folded(array.shape, array, "made by the loader")

    def folded(self, shape: Shape, values: NDArray[Any] | None, name: str) -> Wire:
        """A constant of `shape`; without `values` when they are not known."""
        return Wire(shape, constant_scale(values, self.spec), name, values)

    def read(self, wire: Wire, rank: int = 0) -> Wire:
        """Count a use of `wire` as a tensor of `rank`; a shared constant is placed at the first."""
        if wire.is_constant:
            key = _key(wire, rank)
            self.uses[key] += 1
            if key in self.shared and self.uses[key] == 1:
                if self.spec.checks_boundary:
                    self.region.assign(wire.size)
                else:
                    gadgets.decompose(self.region, wire.size)
                self.hold(wire, wire.scale)
        return wire

    def hold(self, wire: Wire, scale: int) -> None:
        """Note the integers of a constant at `scale`; no wider than a float32 can mean."""
        if wire.is_constant and wire.values is not None and wire.values.size:
            largest = float(np.max(np.abs(wire.values.astype(np.float64))))
            self.held = max(self.held, largest * 2.0**scale)

    def align(self, wires: Sequence[Wire], *, others: Sequence[Wire] = ()) -> int:
        """Bring `wires` to the largest scale among them and `others`; return it."""
        top = max(wire.scale for wire in (*wires, *others))
        rank = max(len(wire.shape) for wire in (*wires, *others))
        for wire in wires:
            self.read(wire, rank)
            free = wire.is_constant and _key(wire, rank) not in self.shared
            if wire.scale < top and not free:
                self.region.assign(wire.size)
                self.region.rebased += wire.size
        return top

    def each(
        self, gadget: Callable[[Region, int], None], x: Wire, scale: int | None = None
    ) -> Wire:
        """One operand's `gadget`; `scale`: of the result, by default the operand's."""
        gadget(self.region, x.size)
        return self.emit(x.shape, x.scale if scale is None else scale)

    def lookup(self, x: Wire, function: str) -> Wire:
        """`function` by static table, one cell per element."""
        self.tables.add((function, x.scale))
        return self.each(Region.assign, x)

    def product(self, operands: "tuple[Wire, Wire]", axes: tuple[int, int], shape: Shape) -> Wire:
        """An einsum: dot products along `axes` of two operands; over a Concat, one per part."""
        for side, (operand, axis) in enumerate(zip(operands, axes, strict=True)):
            if operand.parts and operand.axis == axis:
                return self._product_in_parts(operands, axes, shape, side)
        if operands[0].is_constant and operands[1].is_constant:
            return self.folded(shape, None, f"{operands[0].name} @ {operands[1].name}")
        for operand in operands:
            self.read(operand)
        self.region.dot(prod(shape), operands[0].shape[axes[0]])
        return self.emit(shape, sum(operand.scale for operand in operands))

    def add(self, a: Wire, b: Wire) -> Wire:
        """Sum, with broadcasting."""
        for one, other in ((a, b), (b, a)):
            if self._vanishes(one, other, 0.0):
                return other
        return self._combine(a, b)

    def subtract(self, a: Wire, b: Wire) -> Wire:
        """Difference, with broadcasting."""
        return a if self._vanishes(b, a, 0.0) else self._combine(a, b)

    def multiply(self, a: Wire, b: Wire) -> Wire:
        """Product, with broadcasting."""
        for one, other in ((a, b), (b, a)):
            if self._vanishes(one, other, 1.0):
                return other
            if (bits := _shift(one)) is not None:
                self.region.assign(other.size)
                return Wire(other.shape, other.scale + bits)
        shape = broadcast(a.shape, b.shape)
        self.read(a, len(shape))
        self.read(b, len(shape))
        self.region.assign(prod(shape))
        return self.emit(shape, a.scale + b.scale)

    def power(self, x: Wire, exponent: int) -> Wire:
        """x**exponent by repeated products."""
        self.region.assign((exponent - 1) * x.size)
        return self.emit(x.shape, exponent * x.scale)

    def inverse(self, x: Wire) -> Wire:
        """1 / x."""
        return self.each(gadgets.reciprocal, x, max(self.base_scale, x.scale))

    def extreme(self, a: Wire, b: Wire, *, largest: bool) -> Wire:
        """Max or Min of two tensors; Max with a scalar constant 0 is ReLU."""
        for one, other in ((a, b), (b, a)):
            if largest and one.is_constant and one.size == 1 and one.is_uniformly(0.0):
                return self.each(gadgets.relu, other)
        scale = self._compared(a, b)
        shape = broadcast(a.shape, b.shape)
        gadgets.extreme(self.region, prod(shape))
        return self.emit(shape, scale)

    def compare(self, a: Wire, b: Wire) -> Wire:
        """Greater or Less: 0 or 1, at scale 0."""
        self._compared(a, b)
        shape = broadcast(a.shape, b.shape)
        gadgets.greater(self.region, prod(shape))
        return Wire(shape, 0)

    def select(self, mask: Wire, a: Wire, b: Wire) -> Wire:
        """Where(mask, a, b)."""
        scale = self.align([a, b], others=[mask])
        shape = broadcast(mask.shape, broadcast(a.shape, b.shape))
        gadgets.select(self.region, prod(shape), mask.size)
        return self.emit(shape, scale)

    def _product_in_parts(
        self, operands: "tuple[Wire, Wire]", axes: tuple[int, int], shape: Shape, side: int
    ) -> Wire:
        whole, other = operands[side], operands[1 - side]
        terms, start = [], 0
        for part in whole.parts:
            size = part.shape[axes[side]]
            piece = self._piece(other, axes[1 - side], start, size)
            pair = (piece, part) if side else (part, piece)
            terms.append(self.product(pair, axes, shape))
            start += size
        return reduce(self.add, terms)

    def _piece(self, wire: Wire, axis: int, start: int, size: int) -> Wire:
        """`size` elements along `axis`, cut from a constant or placed as a Slice."""
        shape = (*wire.shape[:axis], size, *wire.shape[axis + 1 :])
        if wire.is_constant:
            return Wire(shape, wire.scale, f"{wire.name}[{start}:{start + size}]")
        self.region.assign(wire.size)
        return self.emit(shape, wire.scale)

    def _compared(self, a: Wire, b: Wire) -> int:
        scale = self.align([a, b])
        for wire in (a, b):
            self.hold(wire, scale)
        return scale

    def _combine(self, a: Wire, b: Wire) -> Wire:
        scale = self.align([a, b])
        shape = broadcast(a.shape, b.shape)
        self.region.assign(prod(shape))
        return self.emit(shape, scale)

    def _vanishes(self, one: Wire, other: Wire, neutral: float) -> bool:
        fits = broadcast(one.shape, other.shape) == other.shape
        return fits and one.is_constant and not other.is_constant and one.is_uniformly(neutral)


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape of an elementwise operation on shapes `a` and `b`; a mismatch takes the larger."""
    rank = max(len(a), len(b))
    sides = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return tuple(max(pair) for pair in sides)


def constant_scale(values: NDArray[Any] | None, spec: CircuitSpec) -> int:
    """Scale at which EZKL quantises a constant: 0 for integers."""
    if values is None or values.dtype.kind == "f":
        whole = spec.integer_constants and values is not None and np.all(np.mod(values, 1) == 0)
        return 0 if whole else spec.param_scale
    return 0


def _key(wire: Wire, rank: int) -> Key:
    """Equal constants read as one shape are one: by value when small, else by name."""
    shape = (1,) * (rank - len(wire.shape)) + wire.shape
    if wire.values is None or wire.size > _LARGEST_COMPARED:
        return (shape, wire.name)
    return (shape, wire.values.tobytes())


def _shift(wire: Wire) -> int | None:
    """The j > 0 for which `wire` is the constant 2**-j of one element."""
    if not wire.is_constant or wire.values is None or wire.size != 1:
        return None
    value = float(wire.values.reshape(-1)[0])
    bits = -log2(value) if 0 < value < 1 else 0.0
    return int(bits) if bits > 0 and bits == int(bits) else None
