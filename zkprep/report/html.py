"""A report as one self-contained HTML page: no script, no request, light and dark, phone and print.

The page is `page.html.j2`, escaped by jinja2: names come from the model and are untrusted. Each
figure stands in a `<data>` element whose value is the number of report.json, unrounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import jinja2
import msgspec

from zkprep.report import summary
from zkprep.report.table import BY_KEY, PER_SLICE, QUANTITIES, Change, Figure, Quantity
from zkprep.report.types import Report, SliceReport

TEMPLATE = "page.html.j2"
Parts = Mapping[str, SliceReport | None]
_TILES = tuple(BY_KEY[key] for key in ("cells", "prove_cpu", "peak", "pk"))
_CHARTS = tuple(BY_KEY[key] for key in ("cells", "prove_cpu", "peak"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: whose it is, its figure, and its length in percent of the chart's longest."""

    variant: str
    figure: Figure
    length: float


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that belong together: a slice's, or a total's."""

    name: str
    bars: tuple[Bar, ...]
    change: Change


@dataclass(frozen=True, slots=True)
class Chart:
    """One quantity in bars that share a scale."""

    quantity: Quantity
    groups: tuple[Group, ...]


def render(report: Report) -> str:
    """The whole page."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["exact"] = _exact
    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    page = environment.from_string(source).render(
        report=report,
        summary=summary,
        tiles=[_total_chart(report, quantity) for quantity in _TILES],
        rows=summary.total_rows(report, QUANTITIES),
        charts=[_slice_chart(report, quantity) for quantity in _CHARTS],
        pairs=summary.pair_slices(report),
        cells=BY_KEY["cells"],
        per_slice=PER_SLICE,
    )
    return page + "\n"


def _total_chart(report: Report, quantity: Quantity) -> Chart:
    return _chart(quantity, [("total", summary.totals(report))])


def _slice_chart(report: Report, quantity: Quantity) -> Chart:
    pairs = summary.pair_slices(report)
    return _chart(
        quantity, [(name, {"plain": plain, "prepared": last}) for name, plain, last in pairs]
    )


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
            )
            for (name, parts), group in zip(groups, figures, strict=True)
        ),
    )


def _exact(value: float | None) -> str:
    return msgspec.json.encode(value).decode()
