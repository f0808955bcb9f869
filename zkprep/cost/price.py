"""What proving a whole model takes under the settings that suit it best: the measure of a rewrite.

Cells alone do not say it: a sort raises the degree of the whole circuit, a static table keeps it
from having few rows, a deferred rebase takes longer digits. So a model is laid out as one circuit
for every rebase multiplier and number of rows, with the digits that hold its largest integers,
and, as rebases are not deferred beyond a static table, with divisions in front of these as well
(zkprep.tune.landings tries more places). At the best of these other numbers of inner columns are
tried, and the least work counts. Values are not known here: integers are taken to be HEADROOM bits
longer than the scale of the tensor that has the most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx_ir as ir
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec, Settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout
from zkprep.cost.laid import Walk
from zkprep.cost.lowerings import TABLES
from zkprep.cost.supposed import LARGEST_TABLE, LEGS, LOGROWS, supposed_settings
from zkprep.cost.walk import Loaded
from zkprep.cost.work import predict
from zkprep.models.model import tensors

SCALE = 8
"""Bits after the binary point."""

HEADROOM = 7
"""Bits of an integer before the binary point: values up to 32, times a margin of 4."""

TABLE_REACH = 24
"""Width of what a table holds: values from -6 to 6, times a margin of 2."""

LARGEST_BITS = 80
"""What range checks may reach."""

MULTIPLIERS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
WIDTHS = (1, 3, 5, 7)
"""Inner columns that are tried besides two (zkprep.tune.circuits)."""


@dataclass(frozen=True, slots=True)
class Price:
    """The least work of a circuit, and what it then is.

    Attributes:
        seconds: CPU seconds to prove it on the reference machine.
        cells: of the circuit with its boundary.
        degree: of its constraint system.
        spec: the settings.
    """

    seconds: float
    cells: int
    degree: int
    spec: CircuitSpec


def price(model: ir.Model, spare: int = 0) -> Price:
    """The cheapest circuit of `model` as one slice, with `spare` bits more per integer."""
    best, laid = min(_plans(model, HEADROOM + spare), key=lambda plan: _order(plan[0]))
    return min((best, *_of_other_widths(laid, best.spec, HEADROOM + spare)), key=_order)


def _order(one: Price) -> tuple[float, int]:
    return one.seconds, one.cells


def _plans(model: ir.Model, headroom: int) -> Iterator[tuple[Price, Walk]]:
    """One per multiplier that makes a difference, landings and number of rows that has room."""
    loaded = Loaded(model)
    for walks in (_plain(loaded), _landed(loaded, model)):
        before: dict[str, int] = {}
        for start, laid in walks:
            scales = dict(laid.scales)
            too_large = _bits(laid, headroom) > LARGEST_BITS or _entries(laid) > LARGEST_TABLE
            if scales == before or (before and too_large):
                break
            before = scales
            for logrows in LOGROWS:
                if (made := _price(laid, replace(start, logrows=logrows), headroom)) is not None:
                    yield made, laid


def _plain(loaded: Loaded) -> Iterator[tuple[CircuitSpec, Walk]]:
    """Under every multiplier."""
    for multiplier in MULTIPLIERS:
        spec = _spec(multiplier)
        yield spec, loaded.walk(spec)


def _landed(loaded: Loaded, model: ir.Model) -> Iterator[tuple[CircuitSpec, Walk]]:
    """Under every multiplier, divided in front of static tables, where scales exceed SCALE."""
    read = [
        (place, value.name or "")
        for place, value in enumerate(tensors(model))
        if any(node.op_type in TABLES for node in value.consumers())
        and value.name not in loaded.joined
        and value.dtype in (None, ir.DataType.FLOAT)
    ]
    for spec, laid in _plain(loaded) if read else ():
        above = _above(read, laid)
        lands = _above(read, loaded.walk(spec, landings=_to_scale(above)))
        if lands:
            places = tuple((place, SCALE) for place, _ in lands)
            yield replace(spec, landings=places), loaded.walk(spec, landings=_to_scale(lands))


def _above(read: Sequence[tuple[int, str]], laid: Walk) -> list[tuple[int, str]]:
    return [(place, name) for place, name in read if laid.scales.get(name, 0) > SCALE]


def _to_scale(lands: Sequence[tuple[int, str]]) -> dict[str, int]:
    return {name: SCALE for _, name in lands}


def _of_other_widths(laid: Walk, best: CircuitSpec, headroom: int) -> Iterator[Price]:
    """With other inner columns; what rows are best then may be far from what they are with two."""
    for width in WIDTHS:
        for logrows in LOGROWS:
            spec = replace(best, num_inner_cols=width, logrows=logrows)
            if (made := _price(laid, spec, headroom)) is not None:
                yield made


def _bits(laid: Walk, headroom: int) -> int:
    """Of the largest integers."""
    return max(laid.scales.values(), default=0) + headroom


def _entries(laid: Walk) -> int:
    """Of the largest static table."""
    return max((TABLE_REACH << scale for _, scale in laid.tables), default=0)


def _price(laid: Walk, spec: CircuitSpec, headroom: int) -> Price | None:
    """Of the circuit with the fewest digits that hold its integers, if its tables have room."""
    base = 2**spec.logrows - TABLE_RESERVED_ROWS
    legs = next((n for n in LEGS if base**n > 2 ** _bits(laid, headroom)), None)
    if legs is None or (_entries(laid) > base and spec.logrows != LOGROWS[-1]):
        return None
    spec = replace(spec, decomp_legs=legs)
    cells = laid.cells_of(spec.num_inner_cols, legs)
    made = layout(_supposed(laid, cells, spec))
    return Price(predict(made).prove_cpu_seconds, cells, made.degree, spec)


def _supposed(laid: Walk, cells: int, spec: CircuitSpec) -> Settings:
    """The settings of the circuit, with its sorts and tables."""
    return supposed_settings(
        cells,
        spec,
        spec.logrows,
        shuffled=laid.shuffled,
        tables=sorted(laid.tables),
        lookup_range=(0, 2**spec.logrows - TABLE_RESERVED_ROWS - 1),
    )


def _spec(multiplier: int) -> CircuitSpec:
    return CircuitSpec(
        input_scale=SCALE,
        param_scale=SCALE,
        scale_rebase_multiplier=multiplier,
        checks_boundary=False,
        integer_constants=True,
    )
