"""A report as one self-contained HTML page: no script, no request, light and dark, phone and print.

The page is page/page.html.j2 and one template per section, escaped by jinja2: names come from the
model and are untrusted. Each figure stands in a `<data>` element whose value is the number of
report.json, unrounded. Links lead within the page only.
"""

from collections.abc import Mapping

import jinja2
import msgspec
from markupsafe import Markup

from zkprep.report import charts, cut_table, profile, summary
from zkprep.report.charts import Forecasts
from zkprep.report.cut import Cut
from zkprep.report.figures import PREDICTED, count, printable
from zkprep.report.picture import svg
from zkprep.report.table import BY_KEY, PER_SLICE, QUANTITIES
from zkprep.report.types import ChoiceReport, Report, SliceReport

_TILES = tuple(BY_KEY[key] for key in ("cells", "prove_cpu", "peak", "pk"))
_CHARTS = tuple(BY_KEY[key] for key in ("cells", "prove_cpu", "peak"))
_FIDELITY = tuple(one for one in QUANTITIES if one.section == "fidelity")
_MINUS, _ABOUT = "\u2212", "\u2248\u202f"


def render(report: Report) -> str:
    """The whole page."""
    environment = _environment()
    parts = _prepared(report)
    pairs, forecasts, errors = (
        summary.pair_slices(report),
        charts.forecasts(report),
        _errors(report),
    )
    page = environment.get_template("page.html.j2").render(
        report=report,
        summary=summary,
        tiles=[charts.totals(report, quantity) for quantity in _TILES],
        rows=summary.total_rows(report, QUANTITIES),
        places=_places(forecasts, sliced=bool(pairs), compared=bool(errors)),
        charts=[charts.slices(report, quantity) for quantity in _CHARTS],
        pairs=pairs,
        cells=BY_KEY["cells"],
        per_slice=PER_SLICE,
        forecasts=forecasts,
        errors=errors,
        fidelity=_FIDELITY,
        fidelities=[part for part in parts if part.fidelity is not None],
        chosen=[(part.name, made) for part in parts if (made := _changed(part))],
        prove_cpu=BY_KEY["prove_cpu"],
        pk=BY_KEY["pk"],
        circuits=[(part.name, part.circuit) for part in parts if part.circuit is not None],
        picture=Markup(svg.render(report.cut)) if report.cut else "",
        profile=profile,
        count=count,
    )
    return page + "\n"


def render_cut(name: str, cut: Cut) -> str:
    """A page about a cut of the model `name` alone."""
    page = (
        _environment()
        .get_template("cut_page.html.j2")
        .render(
            name=printable(name),
            picture=Markup(svg.render(cut)),
            totals=cut_table.totals(cut),
            headings=cut_table.HEADINGS,
            rows=cut_table.rows(cut),
        )
    )
    return page + "\n"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zkprep.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"exact": _exact, "typeset": _typeset}
    return environment


def _prepared(report: Report) -> list[SliceReport]:
    variant = report.variants.get("prepared")
    return variant.slices if variant else []


def _changed(part: SliceReport) -> list[ChoiceReport]:
    """The choices that are not EZKL's own."""
    return [choice for choice in part.choices if choice.chosen != choice.default]


def _errors(report: Report) -> list[tuple[str, list[charts.Bin]]]:
    """Each variant whose errors were counted, and their histogram."""
    found = [
        (name, charts.histogram(part.fidelity, report.tolerance))
        for name, part in summary.totals(report).items()
        if part is not None
    ]
    return [(name, bins) for name, bins in found if bins]


def _places(forecasts: list[Forecasts], *, sliced: bool, compared: bool) -> Mapping[str, str]:
    """Where each quantity of the table is told in full, as the id of an element; "" for nowhere."""
    places = dict.fromkeys(BY_KEY, "slices" if sliced else "")
    if sliced:
        places |= {one.key: f"slices-{one.key}" for one in _CHARTS}
    places |= {one.key: "errors" if compared else "" for one in _FIDELITY}
    return places | {one.quantity.key: f"forecast-{one.quantity.key}" for one in forecasts}


def _exact(value: float | None) -> str:
    return msgspec.json.encode(value).decode()


def _typeset(text: str) -> str:
    """A written figure or change with a minus sign and, before a prediction, a sign of nearness."""
    about = _ABOUT * text.startswith(PREDICTED)
    bare = text.removeprefix(PREDICTED)
    return about + (_MINUS + bare[1:] if bare[:1] == "-" and bare[1:] else bare)
