"""Reports and comparisons for a terminal: totals first, then slices, sites, and the verdict last.

Renderables hold no markup, only Text: a name from the model can neither style nor move the cursor.
Groups of digits are parted by a plain space, as wide as the narrow one in a terminal and in any
character set.
"""

from collections.abc import Iterable, Sequence
from io import StringIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from zkprep.report import summary
from zkprep.report.compare import Compared, Comparison
from zkprep.report.figures import count, plain, printable
from zkprep.report.table import BY_KEY, PER_CHANGE, PER_SLICE, SUMMARY, Change, Quantity
from zkprep.report.types import Report, SiteReport

WIDE = 112  # columns, from which every cell of the slices' table shows both variants
SITES_SHOWN = 3
_STYLES = {"better": "green", "worse": "red", "": ""}


def render(report: Report, width: int) -> Group:
    """A report for a terminal of `width` columns (80 or more)."""
    return Group(
        _facts(summary.facts(report)),
        Text(),
        _totals(report),
        Text(),
        *_slices(report, width),
        *_lines(summary.notes(report), "dim"),
        Text(),
        *_sites(report.sites),
        Text(),
        *_verdict(report),
    )


def render_comparison(comparison: Comparison, exceeded: Sequence[str] = ()) -> Group:
    """A comparison for a terminal: totals, slices, what to bear in mind, limits exceeded."""
    totals = _table("total", "before", "after", "difference", "change")
    for change in summary.known(comparison.total.changes):
        quantity = BY_KEY[change.quantity]
        totals.add_row(
            quantity.label,
            *_lines(quantity.write_sides(change)),
            _text(quantity.write_difference(change)),
            _written(quantity, change),
        )
    parts: list[RenderableType] = [
        _facts([("before", comparison.before), ("after", comparison.after)]),
        Text(),
        totals,
        Text(),
    ]
    if comparison.slices:
        parts += [_compared_slices(comparison.slices), Text()]
    return Group(*parts, *_lines(comparison.notes, "dim"), *_lines(exceeded, "bold red"))


def plain_text(renderable: RenderableType, width: int = 100) -> str:
    """What a terminal of `width` columns would show, without colours, for a file or a pipe."""
    file = StringIO()
    console = Console(file=file, width=width, color_system=None, legacy_windows=False)
    console.print(renderable)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _facts(facts: Iterable[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(name, _text(value))
    return grid


def _totals(report: Report) -> Table:
    table = _table("total", *summary.totals(report), "change")
    for row in summary.total_rows(report, SUMMARY):
        cells = [row.quantity.write(figure) for figure in row.figures]
        table.add_row(row.quantity.label, *_lines(cells), _written(row.quantity, row.change))
    return table


def _slices(report: Report, width: int) -> list[RenderableType]:
    pairs = summary.pair_slices(report)
    wide = width >= WIDE
    table = _table("slice", "cells", "change", *(one.key for one in PER_SLICE))
    cells = BY_KEY["cells"]
    for name, counted, prepared in pairs:
        first = counted if wide or prepared is None else None
        table.add_row(
            _text(printable(name)),
            _text(cells.write_both(counted, prepared)),
            _written(cells, cells.change(counted, prepared)),
            *_lines(one.write_both(first, prepared) for one in PER_SLICE),
        )
    caption = [] if wide else [Text("logrows to peak: the prepared slice's", "dim")]
    return [table, *caption, Text()] if pairs else []


def _sites(sites: Sequence[SiteReport]) -> list[Text]:
    rules, left = summary.applied_sites(sites), summary.left_sites(sites)
    applied = sum(len(places) for _, places in rules)
    lines = [f"rewrites applied at {summary.number(applied, 'place')}"]
    for rule, places in rules:
        shown = "; ".join(places[:SITES_SHOWN]) + "; ..." * (len(places) > SITES_SHOWN)
        lines.append(f"  {count(len(places))} x {rule}: {shown}")
    if left:
        lines.append(f"rewrites left at {summary.number(len(left), 'place')}")
    for rule, nodes, reason in left:
        # A sentence that begins so names the nodes itself.
        where = "" if reason.startswith("kept ") else f"{rule} at {nodes}: "
        lines.append(f"  left: {where}{reason}")
    return _lines(lines)


def _verdict(report: Report) -> list[Text]:
    result = report.verdict
    lines = []
    if result is not None:
        lines.append(_text(f"statement {printable(result.statement)}", "dim"))
        if result.test_srs:
            lines.append(_text(summary.TEST_SRS_NOTE, "yellow"))
    style = "bold" if result is None else "bold green" if result.accepted else "bold red"
    return [*lines, _text(summary.verdict(report), style)]


def _compared_slices(slices: Iterable[Compared]) -> Table:
    table = _table("slice", *(one.key for one in PER_CHANGE))
    for part in slices:
        changes = {change.quantity: change for change in part.changes}
        table.add_row(
            _text(printable(part.name)),
            *(_written(one, changes[one.key]) for one in PER_CHANGE),
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _written(quantity: Quantity, change: Change) -> Text:
    return _text(quantity.write_change(change), _STYLES[quantity.judge(change)])


def _lines(lines: Iterable[str], style: str = "") -> list[Text]:
    return [_text(line, style) for line in lines]


def _text(content: str, style: str = "") -> Text:
    return Text(plain(content), style)
