"""What the HTML page draws: bars that share a scale, predictions beside measurements, errors.

Lengths are percent of the longest bar of a chart; every bar carries the exact figure it stands for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkprep.report import summary
from zkprep.report.figures import share
from zkprep.report.table import BY_KEY, Change, Figure, Quantity
from zkprep.report.types import ERROR_EDGES, Fidelity, Report, SliceReport

Parts = Mapping[str, SliceReport | None]
PREDICTABLE = tuple(BY_KEY[key] for key in ("prove_cpu", "setup_cpu", "peak"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: whose it is, its figure, and its length in percent of the chart's longest."""

    variant: str
    figure: Figure
    length: float


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that belong together, a slice's or a total's, and the change from plain to prepared."""

    name: str
    bars: tuple[Bar, ...]
    change: Change
    gain: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """One quantity in bars that share a scale."""

    quantity: Quantity
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """A slice's prediction and measurement, their lengths, and how far the prediction was off.

    Attributes:
        name: the slice's, or "total".
        predicted: the figure before anything was proved.
        measured: what it came to.
        change: from predicted to measured.
        start: length of the prediction, in percent of the chart's longest bar.
        length: of the measurement.
    """

    name: str
    predicted: Figure
    measured: Figure
    change: Change
    start: float
    length: float


@dataclass(frozen=True, slots=True)
class Forecasts:
    """One quantity, slice by slice, as predicted and as measured."""

    quantity: Quantity
    total: Forecast
    slices: tuple[Forecast, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Output elements whose error lies in one range, and whether that is within the tolerance."""

    label: str
    count: int
    length: float
    within: bool


def totals(report: Report, quantity: Quantity) -> Chart:
    """A quantity's totals; each variant has one bar."""
    return _chart(quantity, [("total", summary.totals(report))])


def slices(report: Report, quantity: Quantity) -> Chart:
    """A quantity slice by slice, plain and prepared."""
    pairs = summary.pair_slices(report)
    return _chart(
        quantity, [(name, {"plain": plain, "prepared": last}) for name, plain, last in pairs]
    )


def forecasts(report: Report) -> list[Forecasts]:
    """The prepared variant as predicted and as measured; empty unless all of it was proved."""
    variant = report.variants.get("prepared")
    if variant is None or variant.total is None or variant.total.measured is None:
        return []
    return [_forecasts(quantity, variant.slices, variant.total) for quantity in PREDICTABLE]


def histogram(fidelity: Fidelity | None, tolerance: float) -> list[Bin]:
    """The errors of a variant's outputs, from the first bin that holds any to the last."""
    bins = [] if fidelity is None else fidelity.errors
    held = [position for position, elements in enumerate(bins) if elements]
    if not held:
        return []
    shown = range(held[0], held[-1] + 1)
    most = max(bins)
    return [
        Bin(
            label=f"up to {share(ERROR_EDGES[i])}" if i < len(ERROR_EDGES) else "more than 100 %",
            count=bins[i],
            length=round(100 * bins[i] / most, 2),
            within=i < len(ERROR_EDGES) and ERROR_EDGES[i] <= tolerance,
        )
        for i in shown
    ]


def _chart(quantity: Quantity, groups: Sequence[tuple[str, Parts]]) -> Chart:
    figures = [quantity.read_alike(list(parts.values())) for _, parts in groups]
    longest = max((one.value or 0 for group in figures for one in group), default=0) or 1
    return Chart(
        quantity,
        tuple(
            Group(
                name,
                tuple(
                    Bar(variant, one, round(100 * one.value / longest, 2))
                    for variant, one in zip(parts, group, strict=True)
                    if one.value is not None
                ),
                quantity.change(parts.get("plain"), parts.get("prepared")),
                _gain(dict(zip(parts, group, strict=True))),
            )
            for (name, parts), group in zip(groups, figures, strict=True)
        ),
    )


def _gain(figures: Mapping[str, Figure]) -> str:
    """How many times as much EZKL alone takes; "" where one of the two is not known."""
    whole, ours = figures.get("ezkl"), figures.get("prepared")
    if whole is None or ours is None or not whole.value or not ours.value:
        return ""
    return f"ezkl takes {whole.value / ours.value:.2g} times as much"


def _forecasts(quantity: Quantity, parts: Sequence[SliceReport], whole: SliceReport) -> Forecasts:
    pairs = [(quantity.predict(part), quantity.read(part)) for part in (whole, *parts)]
    longest = max((one.value or 0 for pair in pairs[1:] for one in pair), default=0) or 1
    made = [
        _forecast(quantity, part.name, *pair, longest)
        for part, pair in zip((whole, *parts), pairs, strict=True)
    ]
    return Forecasts(quantity, made[0], tuple(made[1:]))


def _forecast(
    quantity: Quantity, name: str, predicted: Figure, measured: Figure, longest: float
) -> Forecast:
    first, second = predicted.value or 0, measured.value or 0
    return Forecast(
        name,
        predicted,
        measured,
        Change(
            quantity=quantity.key,
            before=first,
            after=second,
            absolute=second - first,
            percent=100 * (second - first) / first if first else None,
            predicted=False,
        ),
        start=round(100 * first / longest, 2),
        length=round(100 * second / longest, 2),
    )
