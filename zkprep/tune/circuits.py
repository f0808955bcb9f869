"""The circuits that a slice may have: every sound choice of settings, priced before it is built.

For an input scale, a constant scale and a rebase multiplier (a `Point`) the scale of each tensor
follows, and with it the largest integer to hold. For each logrows k the digit base is the largest
that fills one table column, b = 2**k - 8, and the legs the fewest that hold that integer. Prices
are the reference machine's, so that every machine chooses the same circuits (docs/adr/0005).

EZKL is asked for the settings of one spec per slice, and then of those that win: cells in between
follow by the ratio of `zkprep.cost.walk`'s counts, which are exact on common operators.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from zkprep.circuit import CircuitSpec, Settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, Layout, layout, with_layout
from zkprep.cost.walk import Walk, walk
from zkprep.cost.work import predict
from zkprep.errors import BackendError, RangeExceeded
from zkprep.model import output_specs
from zkprep.tune.choice import Choice, Limits, Point, SliceTooLarge
from zkprep.tune.demand import Demand
from zkprep.wellformed import LARGEST_DEFERRED_SCALE

LEGS = range(1, 7)
# With one column EZKL counts cells in the order its threads run: eight runs of gen_settings gave
# two or three different settings, and a verifier could not make the keys again; with two, one.
# Three cost more, and nothing shows that they are always counted alike.
INNER_COLUMNS = (2, 4)
LOOKUP_MARGIN = 2
LARGEST_TABLE = 1 << 20
"""Entries of a lookup table: EZKL keeps a table in memory, whatever fits into a column."""

LARGEST_INTEGER = 1 << 80
"""What range checks may reach (zkprep.wellformed)."""


@dataclass(slots=True)
class Circuits:
    """The circuits of one slice; learns from EZKL what its estimates need."""

    demand: Demand
    limits: Limits
    _known: dict[CircuitSpec, Settings] = field(default_factory=dict)
    _tables: dict[Point, tuple[int, int]] = field(default_factory=dict)
    _refused: dict[Point, BackendError] = field(default_factory=dict)
    _walks: dict[CircuitSpec, Walk] = field(default_factory=dict)
    _choices: dict[Point, tuple[Choice, ...]] = field(default_factory=dict)
    _least_peak: int | None = None

    def points(self, input_scale: int, param_scale: int) -> Iterator[Point]:
        """Every multiplier that makes a difference and keeps values within what can be held."""
        before: dict[str, int] = {}
        for multiplier in range(1, self.limits.multiplier + 1):
            point = Point(input_scale, param_scale, multiplier)
            scales = dict(self._walk(_reference(point)).scales)
            if scales == before or self._needed(point) >= LARGEST_INTEGER:
                return
            if multiplier > 1 and point.limit > LARGEST_DEFERRED_SCALE:
                return
            before = scales
            yield point

    def choices(self, point: Point) -> tuple[Choice, ...]:
        """The circuits at `point`, one per logrows and number of inner columns."""
        if not self._known:
            self.learn(_reference(point))
        if point not in self._choices:
            self._choices[point] = tuple(self._priced(point))
        return self._choices[point]

    def learn(self, spec: CircuitSpec) -> None:
        """Ask EZKL for the settings of a spec, and for its lookups' extremes if it has any.

        Raises:
            BackendError: EZKL refuses the slice even where it rebases at once.
        """
        point = Point(spec.input_scale, spec.param_scale, spec.scale_rebase_multiplier)
        reference = _reference(point, spec.decomp_legs, spec.num_inner_cols)
        self._choices.clear()
        try:
            settings = self.demand.settings_of(reference)
            if settings.required_lookups and point not in self._tables:
                wide = replace(reference, decomp_legs=LEGS[-2])
                self._tables[point] = self.demand.lookups_of(wide)
            self._known[reference] = settings
        except BackendError as error:
            if point.multiplier == 1:
                raise
            self._refused[point] = error

    @property
    def looks_up(self) -> bool:
        """Whether the slice has lookup tables, as far as EZKL has been asked."""
        return any(settings.required_lookups for settings in self._known.values())

    @property
    def instances(self) -> int:
        """Public values of a proof, as far as EZKL has been asked."""
        return max((settings.instances for settings in self._known.values()), default=0)

    def price(self, spec: CircuitSpec) -> tuple[Layout, float]:
        """Layout and seconds of any spec of this slice, estimated from what is known."""
        settings, _ = self._settings(_reference_of(spec))
        made = layout(with_layout(settings, spec))
        return made, predict(made).prove_cpu_seconds

    def legs(self, point: Point, base: int) -> int | None:
        """The fewest digits of `base` that hold the values at `point`, if any do."""
        needed = self._needed(point)
        return next((n for n in LEGS if needed < base**n <= LARGEST_INTEGER), None)

    def refusal(self, point: Point) -> BackendError:
        """Why there is no circuit at `point`."""
        if self._least_peak is not None:
            return SliceTooLarge(self.demand.name, self._least_peak, self.limits.memory)
        if point in self._refused:
            return self._refused[point]
        largest = max(self.demand.largest.values(), default=0.0)
        return RangeExceeded(
            f"slice {self.demand.name}: values up to {largest:.3g} at scale "
            f"{max(point.input_scale, point.param_scale)} exceed every circuit layout",
            stage="tune",
            slice_name=self.demand.name,
            hint="lower --scale",
        )

    def _priced(self, point: Point) -> Iterator[Choice]:
        if point in self._refused:
            return
        top = self.limits.logrows
        for logrows in range(min(self.limits.least, top), top + 1):
            base = 2**logrows - TABLE_RESERVED_ROWS
            legs = self.legs(point, base)
            if legs is None:
                continue
            for columns in INNER_COLUMNS:
                choice = self._choice(point, logrows, legs, columns)
                if choice is not None:
                    yield choice

    def _choice(self, point: Point, logrows: int, legs: int, columns: int) -> Choice | None:
        reference = _reference(point, legs, columns)
        settings, exact = self._settings(reference)
        lookups = self._lookup_range(point) if settings.required_lookups else None
        base = 2**logrows - TABLE_RESERVED_ROWS
        spec = replace(
            reference,
            logrows=logrows,
            decomp_base=base,
            lookup_range=lookups or reference.lookup_range,
        )
        entries = lookups[1] - lookups[0] if lookups else 0
        if entries > LARGEST_TABLE or max(entries, settings.instances) > base:
            return None
        made = layout(with_layout(settings, spec))
        peak = predict(made, self.limits.machine).peak_bytes
        if peak > self.limits.memory:
            self._least_peak = min(peak, self._least_peak or peak)
            return None
        return Choice(
            spec=spec,
            layout=made,
            input_scales=tuple(settings.model_input_scales),
            output_scales=tuple(settings.model_output_scales),
            seconds=predict(made).prove_cpu_seconds,
            peak=peak,
            headroom=spec.largest_value * self.limits.margin / self._needed(point),
            exact=exact,
        )

    def _settings(self, reference: CircuitSpec) -> tuple[Settings, bool]:
        """The settings of `reference`, and whether they are EZKL's own."""
        if reference in self._known:
            return self._known[reference], True
        nearest = max(self._known, key=lambda known: _likeness(known, reference))
        settings, laid = self._known[nearest], self._walk(reference)
        cells = settings.total_assignments * laid.total / max(1, self._walk(nearest).total)
        outputs = [spec.name for spec in output_specs(self.demand.model)]
        scales = settings.model_output_scales
        inputs = [
            reference.input_scale if scale == nearest.input_scale else scale
            for scale in settings.model_input_scales
        ]
        columns = reference.num_inner_cols
        return replace(
            settings,
            run_args=replace(settings.run_args, num_inner_cols=columns),
            total_assignments=round(cells),
            num_rows=-(-round(cells) // columns),
            model_input_scales=inputs,
            model_output_scales=[
                laid.scales.get(name, scale) for name, scale in zip(outputs, scales, strict=True)
            ],
        ), False

    def _lookup_range(self, point: Point) -> tuple[int, int]:
        """Bounds of the tables: twice what the samples look up, there or at the nearest point."""
        nearest = min(self._tables, key=lambda known: abs(known.limit - point.limit))
        low, high = self._tables[nearest]
        grown = 2.0 ** (point.limit - nearest.limit)
        return (
            LOOKUP_MARGIN * min(round(low * grown), -1),
            LOOKUP_MARGIN * max(round(high * grown), 1),
        )

    def _needed(self, point: Point) -> float:
        scales = self._walk(_reference(point)).scales
        divisor = point.input_scale + point.param_scale
        return self.demand.needed(scales, divisor, self.limits.margin)

    def _walk(self, reference: CircuitSpec) -> Walk:
        if reference not in self._walks:
            self._walks[reference] = walk(self.demand.model, reference)
        return self._walks[reference]


def _reference(point: Point, legs: int = 2, columns: int = 2) -> CircuitSpec:
    """A spec that decides the cells; logrows, base and tables are EZKL's own and do not."""
    return CircuitSpec(
        input_scale=point.input_scale,
        param_scale=point.param_scale,
        scale_rebase_multiplier=point.multiplier,
        decomp_legs=legs,
        num_inner_cols=columns,
        checks_boundary=False,
        integer_constants=True,
    )


def _reference_of(spec: CircuitSpec) -> CircuitSpec:
    """`spec` with EZKL's own logrows, base and tables."""
    plain = CircuitSpec()
    return replace(
        spec,
        logrows=plain.logrows,
        decomp_base=plain.decomp_base,
        lookup_range=plain.lookup_range,
    )


def _likeness(one: CircuitSpec, other: CircuitSpec) -> tuple[bool, ...]:
    """How good a start the settings of `one` are for those of `other`."""
    return (
        one.scale_rebase_multiplier == other.scale_rebase_multiplier,
        one.input_scale == other.input_scale,
        one.decomp_legs == other.decomp_legs,
        one.num_inner_cols == other.num_inner_cols,
    )
