"""What slices take of which only their loads are known: for choosing cuts before circuits exist.

A slice's load is what its operators take and how many public values are at its boundary. A circuit
that looks anything up in a static table or sorts anything (EZKL shuffles sorted values, which
raises the degree) costs more per cell, and one that checks no range costs far less: it has no
lookup arguments.

When to divide back to a scale is chosen later, for each slice, so a price is the least of

- at once: every product is divided back where it is made;
- later: values of L digits of `_DIGIT` bits hold that many products one after the other, and then
  one of so many is divided; every checked value has L digits. What a static table reads is divided
  in any case, because the table would have to hold as many bits (zkprep.tune.landings);
- never: a slice that checks nothing hands its outputs on at the scale they have grown to. A later
  slice that checks ranges anyway divides them, which is added; hence only while they stay below
  what a slice may put out.

Digits fill one table column. For every logrows a circuit of so many cells has a price; the least is
taken of those that keep the memory and hold the public values. No price falls as a load grows.

Cells are rounded up by less than 2 %, to 64 steps per power of two, so that very many slices can be
asked for at once.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from zkprep.circuit import CircuitSpec, Settings
from zkprep.cost.cells import decomposition, division
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout
from zkprep.cost.supposed import LARGEST_TABLE, LEGS, LOGROWS, supposed_settings
from zkprep.cost.work import predict

_STEPS = 64

_DIGIT = 13
"""Bits of a digit, about: the base is near the rows, of which slices have 2**10 to 2**16."""

_VALUE = 5
"""Bits of a value before the binary point, about, and of the margin over it."""

_HANDED_ON_BITS = 53
"""What a slice may put out (zkprep.tune.demand)."""

_HANDED_ON = 1.1e-3
"""CPU seconds per element that leaves undivided: a later slice divides every fifth time or so, when
it could put out no more, at 30 cells of 0.2 ms."""

_LOOKED_UP = 8
"""Largest value that a static table has an entry for, about."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """Loads of many slices, arrays of one entry each.

    Attributes:
        cells: with those of the boundary, without any division.
        values: public values, of inputs and outputs.
        divided: values to be divided back to a scale, if each is at once.
        depth: products one after the other, at most, that call for it.
        handed_on: elements that leave such operators.
        checked: values that are range-checked besides.
        sorted: elements made by sorting; what counts is whether there are any.
        looked_up: elements looked up in static tables.
    """

    cells: Floats
    values: Floats
    divided: Floats
    depth: Floats
    handed_on: Floats
    checked: Floats
    sorted: Floats
    looked_up: Floats

    def __len__(self) -> int:
        """How many slices."""
        return len(self.cells)


@dataclass(frozen=True, slots=True)
class Prices:
    """Least prices of slices under limits.

    Attributes:
        spec: scales and columns; `logrows`, digits and the lookup range are not read, because they
            are chosen later, for each slice.
        memory: most bytes that proving may take.
        max_logrows: rows of a slice fit into 2**max_logrows.
    """

    spec: CircuitSpec
    memory: int | None = None
    max_logrows: int | None = None

    def seconds(self, loads: Loads) -> Floats:
        """CPU seconds to prove each slice on the reference machine; infinite where none fits."""
        every = [self._seconds(loads, way) for way in self._ways(loads)]
        return np.asarray(np.min(every, axis=0))

    def peaks(self, loads: Loads) -> Floats:
        """Least bytes to prove each slice; infinite where its rows exceed the limit."""
        every = [self._least(loads, way, self._prices(way)[..., 1]) for way in self._ways(loads)]
        return np.asarray(np.min(every, axis=0))

    def cells(self, loads: Loads) -> Floats:
        """Cells of each slice at the least price."""
        ways = self._ways(loads)
        best = np.argmin([self._seconds(loads, way) for way in ways], axis=0)
        return np.asarray(np.choose(best, [way.cells for way in ways]))

    def _ways(self, loads: Loads) -> tuple["_Way", "_Way"]:
        """What each slice comes to where it divides, and where it never does."""
        scale = max(self.spec.input_scale, self.spec.param_scale)
        checks = loads.divided + loads.checked + loads.looked_up > 0
        shuffles, tables = loads.sorted > 0, loads.looked_up > 0
        divides = np.full(len(loads), np.inf)
        for legs in LEGS:
            held = (_DIGIT * legs - _VALUE) // scale
            spec = replace(self.spec, decomp_legs=legs)
            if held >= 1:
                divided = np.maximum(loads.divided * _share(loads.depth, held), loads.looked_up)
                taken = loads.cells + loads.checked * decomposition(spec)
                divides = np.minimum(divides, taken + divided * division(spec))
        grown = (1 + loads.depth) * scale + _VALUE
        never = ~shuffles & ~tables & (loads.checked == 0) & (grown <= _HANDED_ON_BITS)
        handed = loads.handed_on * _HANDED_ON
        cells = np.where(never, loads.cells, np.inf)
        return (
            _Way(divides, checks, shuffles, tables, np.zeros_like(divides)),
            _Way(cells, np.zeros_like(checks), shuffles, tables, handed),
        )

    def _seconds(self, loads: Loads, way: "_Way") -> Floats:
        prices = self._prices(way)
        room = np.inf if self.memory is None else self.memory
        fitting = np.where(prices[..., 1] <= room, prices[..., 0], np.inf)
        return self._least(loads, way, fitting) + way.later

    def _least(self, loads: Loads, way: "_Way", prices: Floats) -> Floats:
        sizes = 2.0 ** np.array(LOGROWS)
        prices = np.where(loads.values[:, None] <= sizes - TABLE_RESERVED_ROWS, prices, np.inf)
        if self.max_logrows is not None:
            prices = np.where(sizes <= 2.0**self.max_logrows, prices, np.inf)
            most = self.spec.num_inner_cols << self.max_logrows
            prices = np.where(way.cells[:, None] <= most, prices, np.inf)
        return np.asarray(prices.min(axis=1))

    def _prices(self, way: "_Way") -> Floats:
        """Seconds and bytes for each slice and logrows, shape (slices, logrows, 2)."""
        made = np.full((len(way.cells), len(LOGROWS), 2), np.inf)
        there = np.isfinite(way.cells)
        kinds = 4 * way.checks + 2 * way.shuffles + way.tables
        keys = (_place(way.cells[there]) << 3) | kinds[there]
        distinct, inverse = np.unique(keys, return_inverse=True)
        rows = [_row(int(k >> 3), _Kind.of(int(k)), self.spec) for k in distinct]
        made[there] = np.array(rows).reshape(-1, len(LOGROWS), 2)[inverse]
        return made


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to lay slices out.

    Attributes:
        cells: infinite where there is no such way.
        checks: whether ranges are checked.
        shuffles: whether anything is sorted.
        tables: whether anything is looked up.
        later: CPU seconds that later slices take for it.
    """

    cells: Floats
    checks: NDArray[np.bool_]
    shuffles: NDArray[np.bool_]
    tables: NDArray[np.bool_]
    later: Floats


class _Kind(NamedTuple):
    """Which arguments a circuit has."""

    checks: bool
    shuffles: bool
    tables: bool

    @classmethod
    def of(cls, bits: int) -> "_Kind":
        """Of the three lowest bits of a key."""
        return cls(bool(bits & 4), bool(bits & 2), bool(bits & 1))


def _share(depth: Floats, held: int) -> Floats:
    """Of the values that could be divided, those that are, where digits hold `held` products.

    All where they hold one; else none of the first held - 1 products, and then one of as many.
    """
    if held == 1:
        return np.ones_like(depth)
    return np.clip(1 / (held - 1) - 1 / np.maximum(depth, 1), 0, 1)


def _place(cells: Floats) -> NDArray[np.int64]:
    """The step of each number of cells, rounded up."""
    whole = np.ceil(cells).astype(np.int64)
    bits = np.ceil(np.log2(np.maximum(whole, 1) + 1)).astype(np.int64)
    exponent = np.maximum(0, bits - int(np.log2(2 * _STEPS)))
    return np.asarray(exponent * _STEPS + -(-whole >> exponent))


def _cells(place: int) -> int:
    """The number of cells of a step."""
    exponent = max(0, place // _STEPS - 1)
    return (place - exponent * _STEPS) << exponent


@cache
def _row(place: int, kind: _Kind, spec: CircuitSpec) -> list[tuple[float, float]]:
    """Seconds and bytes of a circuit of that many cells, for each logrows."""
    works = [predict(layout(_supposed(_cells(place), kind, spec, k))) for k in LOGROWS]
    return [(work.prove_cpu_seconds, float(work.peak_bytes)) for work in works]


def _supposed(cells: int, kind: _Kind, spec: CircuitSpec, logrows: int) -> Settings:
    bound = min(_LOOKED_UP << max(spec.input_scale, spec.param_scale), LARGEST_TABLE // 2)
    return supposed_settings(
        cells,
        spec,
        logrows,
        checked=kind.checks,
        shuffled=int(kind.shuffles),
        tables=["table"] * kind.tables,
        lookup_range=(-bound, bound),
    )
