"""Reports and comparisons as GitHub-flavoured Markdown, for pull requests.

Names come from the model (untrusted) and stand in code, where Markdown, mentions and links have no
effect; what could end its code or its table cell is written in character references.
"""

import re
from collections.abc import Iterable, Sequence

from zkprep.report import cut_table, summary
from zkprep.report.compare import Comparison
from zkprep.report.cut import Cut
from zkprep.report.figures import printable
from zkprep.report.picture import mermaid
from zkprep.report.table import BY_KEY, PER_CHANGE, PER_SLICE, SUMMARY
from zkprep.report.types import Report

SITES_SHOWN = 60  # a comment on GitHub holds 65536 characters
_ENDS_CODE = re.compile(r"[`|\\]|^ | $|^$")


def render(report: Report) -> str:
    """The whole report, verdict first; slices, sites and conditions are folded."""
    conditions = [f"{name}: {_code(value)}" for name, value in summary.facts(report)]
    return _join(
        f"### zkprep: {_code(report.model)}",
        _verdict(report),
        _totals(report),
        _list(_code(note) for note in summary.notes(report)),
        _folded("per slice", _slices(report)),
        _folded("the cut", _mermaid(report.cut) if report.cut else ""),
        _folded("rewrites, applied and left", _sites(report)),
        _folded("conditions", _list(conditions)),
    )


def render_cut(name: str, cut: Cut) -> str:
    """A cut alone: its picture and its table."""
    rows = [(_code(row[0]), *row[1:5], _code(row[5]), _code(row[6])) for row in cut_table.rows(cut)]
    return _join(
        f"### zkprep slice: {_code(name)}",
        cut_table.totals(cut),
        _mermaid(cut),
        _table(cut_table.HEADINGS, rows),
    )


def render_comparison(comparison: Comparison, exceeded: Sequence[str] = ()) -> str:
    """The comparison, exceeded limits first; slices are folded."""
    rows = []
    for change in summary.known(comparison.total.changes):
        one = BY_KEY[change.quantity]
        figures = (*one.write_sides(change), one.write_difference(change), one.write_change(change))
        rows.append((one.label, *figures))
    slices = [
        (
            _code(part.name),
            *(
                BY_KEY[change.quantity].write_change(change)
                for change in part.changes
                if BY_KEY[change.quantity] in PER_CHANGE
            ),
        )
        for part in comparison.slices
    ]
    return _join(
        "### zkprep compare",
        _list((f"before: {_code(comparison.before)}", f"after: {_code(comparison.after)}")),
        _list(f"**{_code(message)}**" for message in exceeded),
        _table(("total", "before", "after", "difference", "change"), rows),
        _list(_code(note) for note in comparison.notes),
        _folded("per slice", _table(("slice", *(one.key for one in PER_CHANGE)), slices)),
    )


def _mermaid(cut: Cut) -> str:
    return f"```mermaid\n{mermaid.render(cut)}```"


def _verdict(report: Report) -> str:
    lines = [f"**{_code(summary.verdict(report))}**"]
    if report.verdict is not None:
        if report.verdict.test_srs:
            lines.append(summary.TEST_SRS_NOTE)
        lines.append(f"statement {_code(report.verdict.statement)}")
    return "  \n".join(lines)


def _totals(report: Report) -> str:
    rows = [
        (
            row.quantity.label,
            *(row.quantity.write(figure) for figure in row.figures),
            row.quantity.write_change(row.change),
        )
        for row in summary.total_rows(report, SUMMARY)
    ]
    return _table(("total", *summary.totals(report), "change"), rows)


def _slices(report: Report) -> str:
    cells = BY_KEY["cells"]
    rows = [
        (
            _code(name),
            cells.write_both(plain, prepared),
            cells.write_change(cells.change(plain, prepared)),
            *(one.write_both(plain, prepared) for one in PER_SLICE),
        )
        for name, plain, prepared in summary.pair_slices(report)
    ]
    return _table(("slice", "cells", "change", *(one.key for one in PER_SLICE)), rows)


def _sites(report: Report) -> str:
    sites = [
        (_code(rule), _code(nodes), "applied")
        for rule, places in summary.applied_sites(report.sites)
        for nodes in places
    ]
    sites += [
        (_code(rule), _code(nodes), f"left: {_code(reason)}")
        for rule, nodes, reason in summary.left_sites(report.sites)
    ]
    table = _table(("rule", "nodes", "outcome"), sites[:SITES_SHOWN], numbers=False)
    return table + f"\n\nand {len(sites) - SITES_SHOWN} more" * (len(sites) > SITES_SHOWN)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    if not rows:
        return ""
    aligned = [":--", *[("--:" if numbers else ":--")] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heading, aligned, *rows))


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _folded(title: str, content: str) -> str:
    if not content:
        return ""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _code(text: str) -> str:
    text = printable(text)
    if not _ENDS_CODE.search(text):
        return f"`{text}`"
    references = (char if char.isalnum() else f"&#{ord(char)};" for char in text)
    return f"<code>{''.join(references)}</code>"
