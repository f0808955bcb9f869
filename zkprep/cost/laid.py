"""What is known of a model that has been laid out (zkprep.cost.walk)."""

from collections.abc import Mapping
from dataclasses import dataclass

from zkprep.cost.rows import Rows


@dataclass(frozen=True, slots=True)
class Laid:
    """What one node took.

    Attributes:
        name: of the node.
        category: what its own cells are for, a field of `zkprep.cost.cells.Cells`.
        cells: all of its cells.
        rebased: those that divide back to a scale or bring operands to one scale.
        divided: values that are divided back to a scale.
        checked: values that are range-checked besides.
        known: whether they are exact.
    """

    name: str
    category: str
    cells: int
    rebased: int
    divided: int
    checked: int
    known: bool


@dataclass(frozen=True, slots=True)
class Walk:
    """A model laid out.

    Attributes:
        nodes: all of its nodes.
        total: cells of the whole circuit with its boundary.
        scales: bits after the binary point of every tensor of the circuit, by name.
        put_out: those of the outputs, in order; None where one is a constant.
        quotients: names of what divisions back to a scale make.
        shuffled: rows of the columns that hold sorted copies.
        tables: static lookup tables, as function and scale of what it reads.
        held: largest integer that range checks meet besides the tensors' own.
        squared: the scale of tensors whose squares they meet besides, by name.
        decomposed: values that are decomposed, in a division three each.
        rows: how its cells lie in rows.
    """

    nodes: tuple[Laid, ...]
    total: int
    scales: Mapping[str, int]
    put_out: tuple[int | None, ...]
    quotients: frozenset[str]
    shuffled: int
    tables: frozenset[tuple[str, int]]
    held: float
    squared: Mapping[str, int]
    decomposed: int
    rows: Rows

    def cells_of(self, width: int, legs: int) -> int:
        """Cells at another number of inner columns and of digits."""
        return self.rows.count(width, legs)
