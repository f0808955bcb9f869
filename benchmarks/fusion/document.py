"""docs/fusion.md from the survey's results: the tables, inside the text of `fusion.md.in`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from benchmarks.fusion.judging import Column, Outcome
from benchmarks.fusion.patterns import PATTERNS

if TYPE_CHECKING:
    from benchmarks.fusion.cells import Cells

_TEXT = Path(__file__).with_name("fusion.md.in")
_LETTERS = {Outcome.WRONG: "W", Outcome.INVALID: "B", Outcome.CRASH: "X"}
_BROKEN = tuple(_LETTERS)


def render(columns: Sequence[Column], cells: Sequence[Cells | str], prover: str) -> str:
    """The whole document.

    Args:
        columns: one per tool, outcomes in the order of PATTERNS.
        cells: one per pattern, or why there is none; traps have none.
        prover: name and version of the prover that counted.
    """
    present = [column for column in columns if not column.unavailable]
    traps = sum(pattern.is_trap for pattern in PATTERNS)
    return Template(_TEXT.read_text(encoding="utf-8")).substitute(
        models=len(PATTERNS),
        fusable=len(PATTERNS) - traps,
        traps=traps,
        prover=prover,
        versions=", ".join(f"{c.tool} {c.version}" for c in present if "+" not in c.tool),
        missing=_missing(columns),
        summary=_table(_summary(present)),
        families=_table(_families(present, trap=False)),
        trap_families=_table(_families(present, trap=True)),
        cells=_table(_cells(cells)),
        broken="\n".join(_broken(present)),
        uncounted="\n".join(_uncounted(cells)),
    )


def _missing(columns: Iterable[Column]) -> str:
    gone = [f"{c.tool} could not be installed here ({c.unavailable})" for c in columns]
    gone = [line for line, c in zip(gone, columns, strict=True) if c.unavailable]
    return ("; ".join(gone) + ".") if gone else "All of them could be installed."


def _summary(columns: Iterable[Column]) -> Iterator[list[str]]:
    yield [
        "tool",
        "full",
        "partly",
        "BN gone, no fewer nodes",
        "not fused",
        "wrong or invalid",
        "crash",
        "traps right",
        "traps wrong or invalid",
        "traps crash",
    ]
    for column in columns:
        fused, traps = ([o for o, _ in _of(column, lambda p, t=t: p == t)] for t in (False, True))
        kinds = (Outcome.FULL, Outcome.PARTLY, Outcome.MORE_NODES, Outcome.KEPT)
        yield [
            f"{column.tool} {column.version}",
            *(str(fused.count(kind)) for kind in kinds),
            *_broken_counts(fused),
            str(traps.count(Outcome.FULL)),
            *_broken_counts(traps),
        ]


def _broken_counts(outcomes: list[Outcome]) -> list[str]:
    bad = outcomes.count(Outcome.WRONG) + outcomes.count(Outcome.INVALID)
    return [str(bad), str(outcomes.count(Outcome.CRASH))]


def _of(column: Column, wanted: Callable[[bool], bool]) -> list[tuple[Outcome, str]]:
    pairs = zip(PATTERNS, column.outcomes, strict=True)
    return [outcome for pattern, outcome in pairs if wanted(pattern.is_trap)]


def _families(columns: Sequence[Column], *, trap: bool) -> Iterator[list[str]]:
    yield ["family", *(column.tool for column in columns)]
    for family in dict.fromkeys(p.family for p in PATTERNS if p.is_trap == trap):
        places = [i for i, pattern in enumerate(PATTERNS) if pattern.family == family]
        row = [_score([column.outcomes[i][0] for i in places]) for column in columns]
        yield [family.removeprefix("TRAP "), *row]


def _score(outcomes: list[Outcome]) -> str:
    """Full of all, with what is broken (W, B, X) and what shrank by no node (n+)."""
    parts = [f"{outcomes.count(Outcome.FULL)}/{len(outcomes)}"]
    parts += [f"{n}{_LETTERS[kind]}" for kind in _BROKEN if (n := outcomes.count(kind))]
    more = outcomes.count(Outcome.MORE_NODES)
    return " ".join([*parts, f"({more}+)"] if more else parts)


def _cells(cells: Sequence[Cells | str]) -> Iterator[list[str]]:
    yield ["family", "counted", "cells before", "cells after", "change"]
    for family in dict.fromkeys(p.family for p in PATTERNS if not p.is_trap):
        of = [c for p, c in zip(PATTERNS, cells, strict=True) if p.family == family]
        pairs = [(c.before, c.after) for c in of if not isinstance(c, str)]
        before, after = (sum(pair[i] for pair in pairs) for i in (0, 1))
        change = f"{100 * (after - before) / before:+.1f} %" if before else "not counted"
        yield [
            family,
            f"{len(pairs)} of {len(of)}",
            f"{before:,}",
            f"{after:,}",
            "0 %" if before and before == after else change,
        ]


def _uncounted(cells: Sequence[Cells | str]) -> Iterator[str]:
    for pattern, cell in zip(PATTERNS, cells, strict=True):
        if isinstance(cell, str) and not pattern.is_trap:
            yield f"- {pattern.family}: {pattern.name}: {cell}"


def _broken(columns: Iterable[Column]) -> Iterator[str]:
    for column in columns:
        pairs = zip(PATTERNS, column.outcomes, strict=True)
        names = [
            f"{pattern.name} ({_LETTERS[outcome]})"
            for pattern, (outcome, _) in pairs
            if outcome in _BROKEN
        ]
        yield f"- {column.tool}: {'; '.join(names) or 'none'}."


def _table(rows: Iterable[list[str]]) -> str:
    head, *body = rows
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))
