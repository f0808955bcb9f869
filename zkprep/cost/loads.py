"""What slices take of which only their loads are known: for choosing cuts before circuits exist.

A slice's load is its cells, the public values at its boundary, and whether it looks anything up in
a static table or sorts anything (EZKL shuffles sorted values, which raises the degree). Digits fill
one table column. For every logrows a circuit of so many cells has a price; the least is taken of
those that keep the memory and hold the public values, so that no price falls as a load grows.

Cells are rounded up by less than 2 %, to 64 steps per power of two, so that very many slices can be
asked for at once.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zkprep.circuit import CircuitSpec, Settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout
from zkprep.cost.supposed import LOGROWS, supposed_settings
from zkprep.cost.work import predict

_STEPS = 64
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Loads:
    """Loads of many slices, arrays of one entry each.

    Attributes:
        cells: with those of the boundary.
        values: public values, of inputs and outputs.
        sorted: elements made by sorting; what counts is whether there are any.
        looked_up: elements looked up in static tables, likewise.
    """

    cells: Floats
    values: Floats
    sorted: Floats
    looked_up: Floats

    @classmethod
    def of_cells(cls, cells: ArrayLike) -> "Loads":
        """Loads of cells alone."""
        array = np.atleast_1d(np.asarray(cells, dtype=np.float64))
        return cls(array, np.zeros_like(array), np.zeros_like(array), np.zeros_like(array))


@dataclass(frozen=True, slots=True)
class Prices:
    """Least prices of slices under limits.

    Attributes:
        spec: scales, digits and columns; `logrows`, `decomp_base` and the lookup range are not
            read, because they are chosen later, for each slice.
        memory: most bytes that proving may take.
        max_logrows: rows of a slice fit into 2**max_logrows.
    """

    spec: CircuitSpec
    memory: int | None = None
    max_logrows: int | None = None

    def seconds(self, loads: Loads) -> Floats:
        """CPU seconds to prove each slice on the reference machine; infinite where none fits."""
        prices = self._prices(loads)
        room = np.inf if self.memory is None else self.memory
        return self._least(np.where(prices[..., 1] <= room, prices[..., 0], np.inf), loads)

    def peaks(self, loads: Loads) -> Floats:
        """Least bytes to prove each slice; infinite where its rows exceed the limit."""
        return self._least(self._prices(loads)[..., 1], loads)

    def _least(self, prices: Floats, loads: Loads) -> Floats:
        sizes = 2.0 ** np.array(LOGROWS)
        prices = np.where(loads.values[:, None] <= sizes - TABLE_RESERVED_ROWS, prices, np.inf)
        if self.max_logrows is not None:
            prices = np.where(sizes <= 2.0**self.max_logrows, prices, np.inf)
            most = self.spec.num_inner_cols << self.max_logrows
            prices = np.where(loads.cells[:, None] <= most, prices, np.inf)
        return np.asarray(prices.min(axis=1))

    def _prices(self, loads: Loads) -> Floats:
        """Seconds and bytes for each slice and logrows, shape (slices, logrows, 2)."""
        places = _place(loads.cells)
        keys = (places << 2) | (2 * (loads.sorted > 0)) | (loads.looked_up > 0)
        distinct, inverse = np.unique(keys, return_inverse=True)
        rows = [_row(int(k >> 2), bool(k & 2), bool(k & 1), self.spec) for k in distinct]
        return np.array(rows).reshape(-1, len(LOGROWS), 2)[inverse]


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
def _row(place: int, sorts: bool, looks_up: bool, spec: CircuitSpec) -> list[tuple[float, float]]:
    """Seconds and bytes of a circuit of that many cells, for each logrows."""
    cells = _cells(place)
    works = [
        predict(layout(_supposed(cells, sorts, looks_up, spec, logrows))) for logrows in LOGROWS
    ]
    return [(work.prove_cpu_seconds, float(work.peak_bytes)) for work in works]


def _supposed(cells: int, sorts: bool, looks_up: bool, spec: CircuitSpec, logrows: int) -> Settings:
    return supposed_settings(cells, spec, logrows, shuffled=int(sorts), tables=["table"] * looks_up)
