"""What proving a whole model takes under the settings that suit it best: the measure of a rewrite.

Cells alone do not say it: a sort raises the degree of the whole circuit, a static table keeps it
from having few rows and from deferring rebases, a deferred rebase takes longer digits. So a model
is laid out as one circuit for every rebase multiplier and number of rows, with the digits that
hold its largest integers, and the least work counts. Values are not known here: integers are taken
to be HEADROOM bits longer than the scale of the tensor that has the most.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec, Settings
from zkprep.cost.cells import boundary_input
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout
from zkprep.cost.supposed import LARGEST_TABLE, LEGS, LOGROWS, supposed_settings
from zkprep.cost.walk import Walk, walk
from zkprep.cost.work import predict

SCALE = 8
"""Bits after the binary point."""

HEADROOM = 7
"""Bits of an integer before the binary point: values up to 32, times a margin of 4."""

TABLE_REACH = 24
"""Width of what a table holds: values from -6 to 6, times a margin of 2."""

LARGEST_BITS = 80
"""What range checks may reach."""

MULTIPLIERS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
_FEW, _MANY = 2, 4


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
    return min(_prices(model, HEADROOM + spare), key=lambda one: (one.seconds, one.cells))


def _prices(model: ir.Model, headroom: int) -> Iterator[Price]:
    """One per multiplier that makes a difference and number of rows that has room."""
    before: dict[str, int] = {}
    for multiplier in MULTIPLIERS:
        laid = walk(model, _spec(multiplier, _FEW))
        scales = dict(laid.scales)
        entries = max((TABLE_REACH << scale for _, scale in laid.tables), default=0)
        bits = max(scales.values(), default=0) + headroom
        too_large = bits > LARGEST_BITS or entries > LARGEST_TABLE
        if scales == before or (before and too_large):
            return
        before = scales
        other = walk(model, _spec(multiplier, _MANY))
        for logrows in LOGROWS:
            base = 2**logrows - TABLE_RESERVED_ROWS
            legs = next((n for n in LEGS if base**n > 2**bits), None)
            if legs is not None and (entries <= base or logrows == LOGROWS[-1]):
                spec = replace(_spec(multiplier, legs), logrows=logrows)
                yield _price(laid, _between(laid, other, legs), spec)


def _between(few: Walk, many: Walk, legs: int) -> int:
    """Cells at a number of legs from those at two others: they grow with the decomposition.

    Exact but for rows that an odd number of cells leaves half full.
    """
    start, end = (boundary_input(_checked(n)) for n in (_FEW, _MANY))
    share = (boundary_input(_checked(legs)) - start) / (end - start)
    return round(few.total + share * (many.total - few.total))


def _price(laid: Walk, cells: int, spec: CircuitSpec) -> Price:
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


def _checked(legs: int) -> CircuitSpec:
    """A circuit that decomposes its inputs."""
    return CircuitSpec(decomp_legs=legs)


def _spec(multiplier: int, legs: int) -> CircuitSpec:
    return CircuitSpec(
        input_scale=SCALE,
        param_scale=SCALE,
        scale_rebase_multiplier=multiplier,
        decomp_legs=legs,
        checks_boundary=False,
        integer_constants=True,
    )
