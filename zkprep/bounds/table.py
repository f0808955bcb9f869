"""EZKL's table of nodes, read: what each node does to which, at what scale and of what shape.

Source: EZKL 23.0.5 `src/graph/model.rs` table_nodes, `src/graph/node.rs` as_string, and
`src/circuit/ops/` poly.rs, hybrid.rs, lookup.rs as_string.
"""

import re
from dataclasses import dataclass
from math import prod

_REBASED = re.compile(r"REBASED \(div=([\d.e+-]+), rebasing_op=DIV ?\(denom=[^()]*\)\) \((.*)\)\Z")
_RESCALED = re.compile(r"RESCALED INPUT \((.*)\)\Z")
_OPERATION = re.compile(r"(\w+) ?(.*)\Z")
_READ = re.compile(r"\((\d+), \d+\)")
_CELLS = 5


class Unread(Exception):
    """Something in the table is not understood; says what."""


class Broken(Exception):
    """There a circuit may compute something else than it seems to; says where."""


@dataclass(frozen=True, slots=True)
class Row:
    """One node.

    Attributes:
        index: its number.
        kind: its operator.
        text: what the table says of it besides.
        rescaled: whether its operands are brought to one scale first.
        divisor: by what its result is divided back; 1 where it is not.
        scale: bits after the binary point of its result.
        reads: numbers of the nodes it reads.
        dims: the shape of its result.
    """

    index: int
    kind: str
    text: str
    rescaled: bool
    divisor: float
    scale: int
    reads: tuple[int, ...]
    dims: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many values it makes."""
        return prod(self.dims)

    @property
    def own_scale(self) -> int:
        """Bits after the binary point before its result is divided back."""
        return self.scale + round(self.divisor).bit_length() - 1

    def said(self, name: str) -> str:
        """What the table says of an attribute, such as "3" of "dim"; "" if nothing."""
        found = re.search(rf"\b{name}=(\[[^\]]*\]|[^,()]*)", self.text)
        return found[1] if found else ""


def rows(table: str) -> list[Row]:
    """The nodes in the table's order.

    Raises:
        Unread: a line of another form, a loop's body, or no node at all.
    """
    found = []
    for line in table.splitlines():
        if "SUBGRAPH" in line:
            raise Unread("a loop")
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        if not cells or cells[0] == "idx":
            continue
        if len(cells) != _CELLS or not cells[0].isdecimal():
            raise Unread(f"the table's line '{line[:80]}'")
        found.append(_row(*cells))
    if not found:
        raise Unread("an empty table")
    return found


def _row(index: str, operation: str, scale: str, reads: str, dims: str) -> Row:
    divisor, rescaled = 1.0, False
    if rebased := _REBASED.match(operation):
        divisor, operation = float(rebased[1]), rebased[2]
    if inner := _RESCALED.match(operation):
        rescaled, operation = True, inner[1]
    named = _OPERATION.match(operation)
    if named is None or divisor < 1 or divisor % 1:
        raise Unread(f"'{operation}' divided by {divisor}")
    return Row(
        index=int(index),
        kind=named[1].upper(),
        text=named[2],
        rescaled=rescaled,
        divisor=divisor,
        scale=int(scale),
        reads=tuple(int(number) for number in _READ.findall(reads)),
        dims=tuple(int(dim) for dim in re.findall(r"\d+", dims)),
    )
