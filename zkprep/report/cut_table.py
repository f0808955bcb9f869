"""A cut as rows: what each slice takes, and what crosses its borders."""

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from zkprep.report.cut import Cut, CutSlice
from zkprep.report.figures import count, plain, printable, seconds, size

HEADINGS = ("slice", "ops", "cells", "prove CPU", "peak", "reads", "puts out")
_SHOWN = 2


def rows(cut: Cut) -> list[tuple[str, ...]]:
    """A row per slice, under `HEADINGS`."""
    sizes = {tensor.name: tensor.elements for tensor in cut.tensors}
    return [
        (
            printable(piece.name) + (f" = {printable(piece.twin)}" if piece.twin else ""),
            f"{count(len(piece.nodes))} \u2192 {count(piece.ops)}",
            count(piece.cells),
            seconds(piece.prove_cpu_seconds),
            size(piece.peak_bytes),
            _tensors(piece.inputs, sizes),
            _tensors(piece.outputs, sizes),
        )
        for piece in cut.slices
    ]


def totals(cut: Cut) -> str:
    """One line about the whole cut."""
    slices = cut.slices
    distinct = sum(not piece.twin for piece in slices)
    work = sum(piece.prove_cpu_seconds for piece in slices)
    return (
        f"{_many(len(slices), 'slice')} of {_many(distinct, 'distinct structure')}, "
        f"{_many(links(cut), 'link')}; {count(sum(piece.cells for piece in slices))} cells, "
        f"largest {count(_largest(slices).cells)}; {seconds(work)} CPU to prove, "
        f"peak {size(max(piece.peak_bytes for piece in slices))}"
    )


def links(cut: Cut) -> int:
    """Tensors that cross from slice to slice, once for each slice that reads them."""
    made = {name for piece in cut.slices for name in piece.outputs}
    return sum(name in made for piece in cut.slices for name in piece.inputs)


def render(cut: Cut) -> Group:
    """The table and the line for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        words = heading in (HEADINGS[0], *HEADINGS[-2:])
        table.add_column(heading, justify="left" if words else "right", overflow="fold")
    for row in rows(cut):
        table.add_row(*(Text(plain(cell)) for cell in row))
    return Group(table, Text(), Text(plain(totals(cut))))


def _largest(slices: Sequence[CutSlice]) -> CutSlice:
    return max(slices, key=lambda piece: piece.cells)


def _tensors(names: Sequence[str], sizes: dict[str, int]) -> str:
    shown = [f"{printable(name)} ({count(sizes.get(name, 0))})" for name in names[:_SHOWN]]
    more = [f"{count(len(names) - _SHOWN)} more"] if len(names) > _SHOWN else []
    return ", ".join((*shown, *more))


def _many(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
