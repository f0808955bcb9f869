"""Where the cells of the prepared slices go: a table by operator and cause, and bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from zkprep.report.figures import count, plain, printable
from zkprep.report.types import CAUSES, OperatorCells, Report

NOTE = "predicted node by node; what a rewrite wrote as other operators counts as these"

SHOWN = 12
"""Operators with a bar of their own."""


@dataclass(frozen=True, slots=True)
class Share:
    """One bar: of what, its cells, its share of all cells and of the longest bar in percent."""

    name: str
    cells: int
    percent: float
    length: float


def render(report: Report) -> Table:
    """One row per operator, one column per cause that occurs, and the sums."""
    causes = [share.name for share in by_cause(report)]
    table = Table("operator", box=None, pad_edge=False)
    for heading in (*causes, "cells", "share"):
        table.add_column(heading, justify="right")
    whole = sum(one.total for one in report.profile)
    for one in (*report.profile, _sum(report.profile)):
        figures = [*(getattr(one, cause) for cause in causes), one.total]
        written = [plain(count(n)) if n else "" for n in figures]
        share = f"{100 * one.total / max(1, whole):.1f} %"
        last = one is report.profile[-1] if report.profile else False
        table.add_row(Text(printable(one.operator)), *written, share, end_section=last)
    return table


def by_cause(report: Report) -> list[Share]:
    """What cells are for, most first, without what does not occur."""
    return _shares([(c, sum(getattr(one, c) for one in report.profile)) for c in CAUSES])


def by_operator(report: Report) -> list[Share]:
    """Operators, most cells first; the rest together."""
    pairs = [(printable(one.operator), one.total) for one in report.profile]
    shown, rest = pairs[:SHOWN], pairs[SHOWN:]
    return _shares([*shown, (f"{len(rest)} others", sum(cells for _, cells in rest))])


def _shares(pairs: Sequence[tuple[str, int]]) -> list[Share]:
    whole, longest = sum(n for _, n in pairs), max((n for _, n in pairs), default=0)
    ordered = sorted(pairs, key=lambda pair: -pair[1])
    return [
        Share(name, cells, 100 * cells / whole, 100 * cells / longest)
        for name, cells in ordered
        if cells
    ]


def _sum(rows: Sequence[OperatorCells]) -> OperatorCells:
    sums = {cause: sum(getattr(row, cause) for row in rows) for cause in CAUSES}
    return OperatorCells(operator="together", **sums)
