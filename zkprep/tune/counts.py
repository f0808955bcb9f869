"""Cells of a slice under any spec, from few walks: a tuner asks for hundreds of specs.

Digits enter a circuit through decompositions alone, so a slice of `a` cells at two digits that
decomposes `d` values has

    cells(L) = a + d * (D(L) - D(2)),    D(L) = 2 L + 4 + w * ceil(L / w)

cells at L digits and w inner columns, but for rows that alignment leaves half full. `a` is walked
for every w, `d` follows from a second walk. What wins is asked of EZKL, so an estimate is enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir
from msgspec import UNSET
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import decomposition
from zkprep.cost.walk import Walk, walk
from zkprep.tune.choice import Point

_FEW, _MANY = 2, 4


@dataclass(slots=True)
class Counts:
    """What walks say about a slice's model, each done once."""

    model: ir.Model
    _walks: dict[CircuitSpec, Walk] = field(default_factory=dict)

    def scales(self, point: Point) -> Mapping[str, int]:
        """Bits after the binary point of every tensor, by name."""
        return self._walked(reference(point)).scales

    def held(self, point: Point) -> float:
        """Largest integer that range checks meet besides the tensors' own."""
        return self._walked(reference(point)).held

    def cells(self, spec: CircuitSpec) -> int:
        """Cells of the slice under `spec`."""
        point, legs = point_of(spec), spec.decomp_legs
        start = reference(point, _FEW, spec.num_inner_cols)
        start = replace(start, checks_boundary=spec.checks_boundary)
        start = replace(start, integer_constants=spec.integer_constants)
        more = decomposition(replace(start, decomp_legs=legs)) - decomposition(start)
        total = self._walked(start).total
        return total + (self._decomposed(start) * more if more else 0)

    def decomposes(self, spec: CircuitSpec) -> bool:
        """Whether anything is decomposed under `spec`, and range checks are needed."""
        start = reference(point_of(spec))
        return self._decomposed(replace(start, checks_boundary=spec.checks_boundary)) > 0

    def _decomposed(self, spec: CircuitSpec) -> int:
        """Values that are decomposed; the number of inner columns does not matter."""
        few = replace(spec, num_inner_cols=2, decomp_legs=_FEW)
        many = replace(few, decomp_legs=_MANY)
        grown = decomposition(many) - decomposition(few)
        return (self._walked(many).total - self._walked(few).total) // grown

    def _walked(self, spec: CircuitSpec) -> Walk:
        if spec not in self._walks:
            self._walks[spec] = walk(self.model, spec)
        return self._walks[spec]


def reference(point: Point, legs: int = _FEW, columns: int = 2) -> CircuitSpec:
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
    )


def point_of(spec: CircuitSpec) -> Point:
    """What the scales follow from under `spec`."""
    scales = spec.input_scale, spec.param_scale
    return Point(*scales, spec.scale_rebase_multiplier, spec.descents or ())
