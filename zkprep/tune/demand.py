"""What a slice needs of its circuit, whatever the settings: its values, and what EZKL makes of it.

A value v of a tensor at scale s is the integer v * 2**s in the circuit. Range checks hold integers
up to b**L - 1, and cover every operand of a nonlinear operator, every quotient of a rebase and its
divisor; the sum before a rebase they do not.

Source: EZKL 23.0.5 `src/circuit/ops/layouts.rs` decompose, div
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from math import ceil, floor, log2

import onnx_ir as ir

from zkprep.circuit import CircuitSpec, Settings
from zkprep.models.model import output_specs

SettingsOf = Callable[[CircuitSpec], Settings]
"""EZKL's settings of the slice under a spec; raises BackendError where it has none."""

ErrorOf = Callable[[CircuitSpec], float]
"""Largest error of the slice's outputs on the samples under a spec, as a share of their range."""

LookupsOf = Callable[[CircuitSpec], tuple[int, int]]
"""Smallest and largest input of the slice's lookup tables on the samples under a spec."""

LARGEST_OUTPUT = 2.0**53
"""What a slice puts out stays below: EZKL hands a witness's outputs on in double precision, and a
proof of rounded ones does not verify."""

LARGEST_QUOTIENT = 2.0**52
"""What a division makes stays below: EZKL's prover divides in double precision, and finds no proof
where the product is off by the divisor or more."""

_TINY = 2.0**-30

JUST_BELOW = 7 / 8
"""Of a power of two: digits of base 2**k - 8 just miss it."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a slice needs of its settings.

    Attributes:
        name: of the slice.
        model: the slice's model.
        largest: largest |value| of each of its tensors on the samples, by name.
        settings_of: EZKL's settings under a spec.
        lookups_of: extremes of the lookup inputs under a spec.
        error_of: how coarse the slice is under a spec.
    """

    name: str
    model: ir.Model
    largest: Mapping[str, float]
    settings_of: SettingsOf
    lookups_of: LookupsOf
    error_of: ErrorOf

    def squares(self, scales: Mapping[str, int], margin: int) -> float:
        """The largest square of the integers in tensors of these `scales`; 0 without any."""
        integers = (self.largest.get(name, 0.0) * 2.0**scale for name, scale in scales.items())
        return margin * max(integers, default=0.0) ** 2

    def puts_out(self, scales: Mapping[str, int], margin: int) -> float:
        """The largest integer among the outputs; `scales` and `margin` as in `needed`."""
        return self.largest_of([spec.name for spec in output_specs(self.model)], scales, margin)

    def largest_of(self, names: Iterable[str], scales: Mapping[str, int], margin: int) -> float:
        """The largest integer in the tensors `names`; `scales` and `margin` as in `needed`."""
        integers = (self.largest.get(name, 0.0) * 2.0 ** scales.get(name, 0) for name in names)
        return margin * max(integers, default=0.0)

    def exits(self, scales: Mapping[str, int], limit: int, margin: int) -> tuple[int, ...]:
        """For each output the bits that `limit` exceeds the scale by at which it may leave.

        0 where it may leave as it is; `scales` and `margin` as in `needed`.
        """
        found = []
        for spec in output_specs(self.model):
            scale, largest = scales.get(spec.name, 0), self.largest.get(spec.name, 0.0)
            held = margin * largest * 2.0**scale < LARGEST_OUTPUT
            # The power of two above it, so that similar samples make the same circuit.
            finest = floor(log2(LARGEST_QUOTIENT / margin)) - ceil(log2(max(largest, _TINY))) - 1
            found.append(0 if held else limit - finest)
        return tuple(found)

    def needed(
        self, scales: Mapping[str, int], held: float, margin: int, free: Set[str] = frozenset()
    ) -> float:
        """The largest integer that range checks have to hold.

        Args:
            scales: scale of each tensor, by name.
            held: the largest that they meet besides the tensors.
            margin: how many times as large as the samples' the values may be, about.
            free: names of tensors that nothing but divisions reads.
        """
        top = max(scales.values(), default=0)
        largest = max(
            (
                value * 2.0 ** scales.get(name, top)
                for name, value in self.largest.items()
                if name not in free
            ),
            default=0.0,
        )
        # Nearly a power of two, so that similar samples make the same circuit.
        rounded = margin * 2.0 ** ceil(log2(max(largest, 1.0)))
        return float(max(JUST_BELOW * rounded, held))
