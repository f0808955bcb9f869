"""The circuits that a slice may have: every sound choice of settings, priced before it is built.

For an input scale, a constant scale and a rebase multiplier (a `Point`) the scale of each tensor
follows, and with it the largest integer to hold. For each logrows k the digit base is the largest
that fills one table column, b = 2**k - 8, and the legs the fewest that hold that integer. Prices
are the reference machine's, so that every machine chooses the same circuits (docs/adr/0005).

EZKL is asked for the settings of one spec per slice, and then of those that win, just as they are:
cells in between follow by the ratio of `zkprep.tune.counts`, which is near on common operators.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from msgspec.structs import replace

from zkprep.circuit import CircuitSpec, Settings
from zkprep.claims.allowed import LARGEST_RANGE
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, Layout, layout, with_layout
from zkprep.cost.supposed import LARGEST_TABLE, LEGS
from zkprep.cost.work import predict
from zkprep.errors import BackendError, RangeExceeded, TooLarge
from zkprep.tune.choice import Choice, Limits, Point, SliceTooLarge
from zkprep.tune.counts import Counts, point_of, reference
from zkprep.tune.demand import JUST_BELOW, Demand
from zkprep.tune.landings import landed
from zkprep.tune.points import points

_USUAL_ROWS = 12
_COLUMNS, _NEAR = 2, 2
"""Other numbers of inner columns are tried at rows near those that are best with so many."""

INNER_COLUMNS = range(1, 8)
"""Up to 3 keep the extended domain of E = 4; from 5 on lookups are packed, which pays at E = 8."""

LOOKUP_MARGIN = 2


@dataclass(slots=True)
class Circuits:
    """The circuits of one slice; learns from EZKL what its estimates need.

    Attributes:
        demand: what the slice needs.
        limits: what every circuit has to keep.
        scale: bits of the slice's values where it rescales them; None: as many as the chain's.
        param_scale: bits of its constants; None: as many as its values'.
    """

    demand: Demand
    limits: Limits
    scale: int | None = None
    param_scale: int | None = None
    counts: Counts = field(init=False)
    _known: dict[CircuitSpec, Settings] = field(default_factory=dict)
    _tables: dict[Point, tuple[int, int]] = field(default_factory=dict)
    _refused: dict[Point, BackendError] = field(default_factory=dict)
    _points: dict[tuple[Point, int, bool], tuple[Point, ...]] = field(default_factory=dict)
    _choices: dict[Point, tuple[Choice, ...]] = field(default_factory=dict)
    _largest: dict[Point, float] = field(default_factory=dict)
    _least_peak: int | None = None

    def __post_init__(self) -> None:
        """Walks start from the slice's model."""
        self.counts = Counts(self.demand.model)

    def points(self, start: Point, scale: int, *, last: bool = False) -> tuple[Point, ...]:
        """`start` with every multiplier that makes a difference and keeps values in what holds.

        Args:
            start: with a multiplier of 1, without landings.
            scale: to which values may be divided inside.
            last: no other slice reads the outputs, so those too large to leave are brought down.
        """
        asked = start, scale, last
        if asked not in self._points:
            others = landed(self, start, scale, last=last) if self.limits.lands else ()
            self._points[asked] = (*points(self, start, last=last), *others)
        return self._points[asked]

    def choices(self, point: Point) -> tuple[Choice, ...]:
        """The circuits at `point`, one per logrows and number of inner columns."""
        if not self._known:
            self.learn(reference(point))
        if point not in self._choices:
            self._choices[point] = tuple(self._priced(point))
        return self._choices[point]

    def learn(self, spec: CircuitSpec) -> None:
        """Ask EZKL for the settings of a spec, and for its lookups' extremes if it has any.

        Raises:
            BackendError: EZKL refuses the slice even where it rebases at once.
        """
        point = point_of(spec)
        self._choices.clear()
        try:
            settings = self.demand.settings_of(spec)
            if settings.required_lookups and point not in self._tables:
                self._tables[point] = self.demand.lookups_of(reference(point, LEGS[-2]))
            self._known[spec] = settings
        except BackendError as error:
            if point.multiplier == 1 and not (point.descents or point.exits):
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
        made = layout(self._settings(spec))
        return made, predict(made).prove_cpu_seconds

    def seconds(self, point: Point) -> float:
        """Of the cheapest circuit at `point` with the usual columns, estimated."""
        if not self._known:
            self.learn(reference(point._replace(multiplier=1, landings=(), exits=())))
        if not self._known:
            return inf
        sizes = range(min(self.limits.least, self.limits.logrows), self.limits.logrows + 1)
        found = (self._laid(point, logrows, _COLUMNS) for logrows in sizes)
        return min((one.seconds for one in found if one is not None), default=inf)

    def cells(self, point: Point) -> float:
        """Of a circuit at `point` with the usual rows and columns, estimated."""
        legs = self.legs(point, 2**_USUAL_ROWS - TABLE_RESERVED_ROWS)
        return inf if legs is None else self.counts.cells(reference(point, legs))

    def needed(self, point: Point) -> float:
        """The largest integer that range checks have to hold at `point`."""
        if point not in self._largest:
            scales, margin = self.counts.scales(point), self.limits.margin
            squares = self.demand.squares(self.counts.squared(point), margin)
            held = max(self.counts.held(point), squares)
            free = self.counts.undivided(point)
            self._largest[point] = self.demand.needed(scales, held, margin, free)
        return self._largest[point]

    def legs(self, point: Point, base: int) -> int | None:
        """The fewest digits of `base` that hold the values at `point`, if any do."""
        needed = self.needed(point)
        return next((n for n in LEGS if needed < base**n <= LARGEST_RANGE), None)

    def refusal(self, point: Point, scale: int, *, last: bool = False) -> BackendError:
        """Why there is no circuit from the start `point` on; arguments as of `points`."""
        if self.needed(point) < LARGEST_RANGE and not self.points(point, scale, last=last):
            return self._too_large(point, "what EZKL hands on and divides exactly")
        if self._least_peak is not None:
            return SliceTooLarge(self.demand.name, self._least_peak, self.limits.memory)
        if point in self._refused:
            return self._refused[point]
        rows, table = 2**self.limits.logrows - TABLE_RESERVED_ROWS, self.counts.table
        if max(self.instances, table) > rows:
            what = f"has {self.instances:,} public values"
            if table > rows:
                what = f"picks from {table:,} values at computed places"
            return TooLarge(
                f"slice {self.demand.name} {what}; 2**{self.limits.logrows} rows hold {rows:,}",
                stage="tune",
                slice_name=self.demand.name,
                hint="raise --max-logrows, or cut where tensors are smaller",
            )
        return self._too_large(point, "every circuit layout")

    def _too_large(self, point: Point, what: str) -> RangeExceeded:
        largest = max(self.demand.largest.values(), default=0.0)
        return RangeExceeded(
            f"slice {self.demand.name}: values up to {largest:.3g} at scale "
            f"{max(point.input_scale, point.param_scale)} exceed {what}",
            stage="tune",
            slice_name=self.demand.name,
            hint="lower --scale",
        )

    def _priced(self, point: Point) -> Iterator[Choice]:
        if point in self._refused:
            return
        top = self.limits.logrows
        sizes = range(min(self.limits.least, top), top + 1)
        usual = {k: one for k in sizes if (one := self._laid(point, k, _COLUMNS)) is not None}
        yield from usual.values()
        best = min(usual, key=lambda k: usual[k].seconds, default=None)
        for logrows in sizes:
            if best is None or abs(logrows - best) <= _NEAR:
                others = (columns for columns in INNER_COLUMNS if columns != _COLUMNS)
                found = (self._laid(point, logrows, columns) for columns in others)
                yield from (one for one in found if one is not None)

    def _laid(self, point: Point, logrows: int, columns: int) -> Choice | None:
        legs = self.legs(point, 2**logrows - TABLE_RESERVED_ROWS)
        if legs is None:
            return None
        return self._choice(self._spec(point, logrows, legs, columns))

    def _spec(self, point: Point, logrows: int, legs: int, columns: int) -> CircuitSpec:
        spec = reference(point, legs, columns)
        bounds = self._lookup_range(point) if self.looks_up else spec.lookup_range
        base = 2**logrows - TABLE_RESERVED_ROWS
        return replace(spec, logrows=logrows, decomp_base=base, lookup_range=bounds)

    def _choice(self, spec: CircuitSpec) -> Choice | None:
        settings, rows = self._settings(spec), 2**spec.logrows - TABLE_RESERVED_ROWS
        entries = spec.lookup_range[1] - spec.lookup_range[0] if self.looks_up else 0
        if entries > LARGEST_TABLE or max(settings.instances, self.counts.table) > rows:
            return None
        made = layout(settings)
        peak = predict(made, self.limits.machine).peak_bytes
        if peak > self.limits.memory:
            self._least_peak = min(peak, self._least_peak or peak)
            return None
        return Choice(
            spec=spec,
            layout=made,
            cells=settings.total_assignments,
            input_scales=spec.own_scales(settings.model_input_scales),
            output_scales=spec.made_scales(settings.model_output_scales),
            seconds=predict(made).prove_cpu_seconds,
            peak=peak,
            headroom=self._headroom(spec),
            exact=spec in self._known,
        )

    def _settings(self, spec: CircuitSpec) -> Settings:
        """The settings of `spec`: EZKL's own where it was asked, else estimated."""
        if spec in self._known:
            return self._known[spec]
        nearest = max(self._known, key=lambda known: _likeness(known, spec))
        settings = with_layout(self._known[nearest], spec)
        cells = settings.total_assignments * self.counts.cells(spec)
        cells = round(cells / max(1, self.counts.cells(nearest)))
        said = zip(self.counts.said(point_of(spec)), settings.model_output_scales, strict=True)
        return replace(
            settings,
            run_args=replace(settings.run_args, num_inner_cols=spec.num_inner_cols),
            total_assignments=cells,
            num_rows=-(-cells // spec.num_inner_cols),
            required_range_checks=self._range_checks(settings, spec),
            model_input_scales=[
                spec.input_scale if scale == nearest.input_scale else scale
                for scale in settings.model_input_scales
            ],
            model_output_scales=[like if scale is None else scale for scale, like in said],
        )

    def _range_checks(self, settings: Settings, spec: CircuitSpec) -> list[tuple[int, int]]:
        """Those of like settings; none where nothing is decomposed, of signs and digits if new."""
        if not self.counts.decomposes(spec):
            return []
        return settings.required_range_checks or [(-1, 1), (0, spec.decomp_base - 1)]

    def _lookup_range(self, point: Point) -> tuple[int, int]:
        """Bounds of the tables: twice what the samples look up, there or at the nearest point."""
        read = self.counts.looked_up
        nearest = min(self._tables, key=lambda one: (one != point, abs(read(one) - read(point))))
        low, high = self._tables[nearest]
        grown = 2.0 ** (read(point) - read(nearest))
        return (
            LOOKUP_MARGIN * min(round(low * grown), -1),
            LOOKUP_MARGIN * max(round(high * grown), 1),
        )

    def _headroom(self, spec: CircuitSpec) -> float:
        rounded = self.needed(point_of(spec)) / (JUST_BELOW * self.limits.margin)
        return spec.largest_value / rounded


def _likeness(one: CircuitSpec, other: CircuitSpec) -> tuple[bool, ...]:
    """How good a start the settings of `one` are for those of `other`."""
    return (
        one.scale_rebase_multiplier == other.scale_rebase_multiplier,
        one.input_scale == other.input_scale,
        one.descents == other.descents,
        one.exits == other.exits,
        one.landings == other.landings,
        one.param_scale == other.param_scale,
        one.decomp_legs == other.decomp_legs,
        one.num_inner_cols == other.num_inner_cols,
        one.logrows == other.logrows,
    )
