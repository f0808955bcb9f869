"""Cells of a slice under any spec, from few walks: a tuner asks for thousands of specs.

Scales decide what is laid out, and a walk tells how it lies in rows, so cells follow at any number
of columns and digits (zkprep.cost.rows). What wins is asked of EZKL, so an estimate is enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import onnx_ir as ir
from msgspec import UNSET
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.laid import Walk
from zkprep.cost.walk import Loaded
from zkprep.models.model import tensors
from zkprep.passes.repair.draft import known, sizes
from zkprep.tune.choice import Point
from zkprep.tune.descent import exited

_PICKING = ("Gather", "GatherElements", "GatherND")


@dataclass(slots=True)
class Counts:
    """What walks say about a slice's model, each done once."""

    model: ir.Model
    _models: dict[tuple[int, ...], Loaded] = field(default_factory=dict)
    _walks: dict[CircuitSpec, Walk] = field(default_factory=dict)
    _cells: dict[CircuitSpec, int] = field(default_factory=dict)
    _names: list[str] = field(init=False)
    _ends: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """What may land has its place among the tensors."""
        self._names = [value.name or "" for value in tensors(self.model)]
        ends = (*self.model.graph.inputs, *self.model.graph.outputs)
        self._ends = frozenset(value.name or "" for value in ends)

    def scales(self, point: Point) -> Mapping[str, int]:
        """Bits after the binary point of every tensor, by name."""
        return self._walked(reference(point)).scales

    def said(self, point: Point) -> tuple[int | None, ...]:
        """Scales of the outputs, in order, as EZKL says them; None where that is not known."""
        return self._walked(reference(point)).put_out

    def looked_up(self, point: Point) -> int:
        """The largest scale at which a static table is read; 0 where there is none."""
        return max((scale for _, scale in self._walked(reference(point)).tables), default=0)

    def undivided(self, point: Point) -> frozenset[str]:
        """Names of what nodes put out for divisions alone to read."""
        return frozenset(self._names[place] for place, _ in point.landings) - self._ends

    def quotients(self, point: Point) -> frozenset[str]:
        """Names of the tensors that are divided back to a scale."""
        return self._walked(reference(point)).quotients

    def held(self, point: Point) -> float:
        """Largest integer that range checks meet besides the tensors' own."""
        return self._walked(reference(point)).held

    @property
    def joined(self) -> frozenset[str]:
        """Names of the tensors that EZKL's loader does away with."""
        return self._loaded(()).joined

    @property
    def table(self) -> int:
        """Elements of the largest tensor that is read at computed places: a dynamic lookup table.

        A column holds it whole, or EZKL refuses the circuit (`src/tensor/var.rs`
        get_column_flush).
        """
        read = (node.inputs for node in self.model.graph if node.op_type in _PICKING)
        tables = (data for data, places in (ins[:2] for ins in read) if known(places) is None)
        return max((prod(sizes(data)) for data in tables), default=0)

    def squared(self, point: Point) -> Mapping[str, int]:
        """Scales of the tensors whose squares range checks meet, by name."""
        return self._walked(reference(point)).squared

    def divided(self, point: Point) -> list[str]:
        """Names of the nodes that divide, in order."""
        return [one.name for one in self._walked(reference(point)).nodes if one.divided]

    def cells(self, spec: CircuitSpec) -> int:
        """Cells of the slice under `spec`."""
        start = _scaled(spec)
        columns, legs = spec.num_inner_cols, spec.decomp_legs
        asked = replace(start, num_inner_cols=columns, decomp_legs=legs)
        if asked not in self._cells:
            self._cells[asked] = self._walked(start).cells_of(columns, legs)
        return self._cells[asked]

    def decomposes(self, spec: CircuitSpec) -> bool:
        """Whether anything is decomposed under `spec`, and range checks are needed."""
        return self._walked(_scaled(spec)).decomposed > 0

    def _walked(self, spec: CircuitSpec) -> Walk:
        if spec not in self._walks:
            landings = {self._names[place]: scale for place, scale in spec.landings or ()}
            self._walks[spec] = self._loaded(spec.exits or ()).walk(spec, landings=landings)
        return self._walks[spec]

    def _loaded(self, exits: tuple[int, ...]) -> Loaded:
        if exits not in self._models:
            self._models[exits] = Loaded(exited(self.model, exits))
        return self._models[exits]


def _scaled(spec: CircuitSpec) -> CircuitSpec:
    """The spec that decides what is laid out under `spec`: its scales, and what is checked."""
    return replace(
        reference(point_of(spec)),
        checks_boundary=spec.checks_boundary,
        integer_constants=spec.integer_constants,
    )


def reference(point: Point, legs: int = 2, columns: int = 2) -> CircuitSpec:
    """A spec that decides the cells; logrows, base and tables are EZKL's own and do not."""
    return CircuitSpec(
        input_scale=point.input_scale,
        param_scale=point.param_scale,
        scale_rebase_multiplier=point.multiplier,
        decomp_legs=legs,
        num_inner_cols=columns,
        checks_boundary=False,
        integer_constants=True,
        descents=point.descents or UNSET,
        exits=point.exits or UNSET,
        landings=point.landings or UNSET,
    )


def point_of(spec: CircuitSpec) -> Point:
    """What the scales follow from under `spec`."""
    return Point(
        spec.input_scale,
        spec.param_scale,
        spec.scale_rebase_multiplier,
        spec.descents or (),
        spec.exits or (),
        spec.landings or (),
    )
