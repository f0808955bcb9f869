"""Cells of a slice under any spec, from few walks: a tuner asks for thousands of specs.

Scales decide what is laid out, and a walk tells how it lies in rows, so cells follow at any number
of columns and digits (zkprep.cost.rows). What wins is asked of EZKL, so an estimate is enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir
from msgspec import UNSET
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.walk import Loaded, Walk
from zkprep.descent import exited
from zkprep.tune.choice import Point


@dataclass(slots=True)
class Counts:
    """What walks say about a slice's model, each done once."""

    model: ir.Model
    _models: dict[tuple[int, ...], Loaded] = field(default_factory=dict)
    _walks: dict[CircuitSpec, Walk] = field(default_factory=dict)
    _cells: dict[CircuitSpec, int] = field(default_factory=dict)

    def scales(self, point: Point) -> Mapping[str, int]:
        """Bits after the binary point of every tensor, by name."""
        return self._walked(reference(point)).scales

    def said(self, point: Point) -> tuple[int | None, ...]:
        """Scales of the outputs, in order, as EZKL says them; None where that is not known."""
        return self._walked(reference(point)).put_out

    def quotients(self, point: Point) -> frozenset[str]:
        """Names of the tensors that are divided back to a scale."""
        return self._walked(reference(point)).quotients

    def held(self, point: Point) -> float:
        """Largest integer that range checks meet besides the tensors' own."""
        return self._walked(reference(point)).held

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
            exits = spec.exits or ()
            if exits not in self._models:
                self._models[exits] = Loaded(exited(self.model, exits))
            self._walks[spec] = self._models[exits].walk(spec)
        return self._walks[spec]


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
    )


def point_of(spec: CircuitSpec) -> Point:
    """What the scales follow from under `spec`."""
    scales = spec.input_scale, spec.param_scale
    return Point(*scales, spec.scale_rebase_multiplier, spec.descents or (), spec.exits or ())
