"""How cells lie in rows, kept so that they can be counted at any width and number of digits.

Cells are placed one after the other; a dot product begins a row, and takes full rows. So what is
placed between two dot products is rounded up to full rows by itself, and with w cells in a row and
L digits

    cells(w, L) = sum of up(a + d L) + n up(length)  over all dot products,  up(x) = w ceil(x / w)

plus what is placed behind the last: a cells and d times the digits come before n dot products of
that length. Between repetitions of one body, from the second on, a and d are the same each time.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple


class Dots(NamedTuple):
    """Dot products with what is placed before them.

    Attributes:
        cells: placed before, since the dot product before them.
        digits: times the digits of a value, likewise.
        number: of dot products.
        length: of each; None: as many as a value has digits.
    """

    cells: int
    digits: int
    number: int
    length: int | None


class State(NamedTuple):
    """How far rows were filled."""

    dots: int
    cells: int
    digits: int


@dataclass(slots=True)
class Rows:
    """What has been placed.

    Attributes:
        dots: the dot products, and how often each.
        cells: placed since.
        digits: times the digits of a value, placed since.
    """

    dots: list[tuple[Dots, int]] = field(default_factory=list)
    cells: int = 0
    digits: int = 0

    def assign(self, cells: int, digits: int) -> None:
        """Place cells, and `digits` times as many as a value has digits."""
        self.cells += cells
        self.digits += digits

    def fill(self, number: int, length: int | None) -> None:
        """Place dot products over `length` elements, or over the digits of a value."""
        self.dots.append((Dots(self.cells, self.digits, number, length), 1))
        self.cells = self.digits = 0

    def repeat(self, times: int, start: State) -> None:
        """Place what has been placed since `start` so many times more."""
        body = self.dots[start.dots :]
        if body:
            self.dots += [(dots, times * often) for dots, often in body]
        else:
            self.cells += times * (self.cells - start.cells)
            self.digits += times * (self.digits - start.digits)

    def state(self) -> State:
        """How far they are filled, for `repeat` and `reset`."""
        return State(len(self.dots), self.cells, self.digits)

    def reset(self, state: State) -> None:
        """Take back what has been placed since."""
        del self.dots[state.dots :]
        self.cells, self.digits = state.cells, state.digits

    def together(self) -> "Rows":
        """The same with equal dot products put together, which are counted faster."""
        often: Counter[Dots] = Counter()
        for dots, times in self.dots:
            often[dots] += times
        return Rows(list(often.items()), self.cells, self.digits)

    def count(self, width: int, legs: int) -> int:
        """Cells where a row has `width` and a value `legs` digits."""
        total = self.cells + self.digits * legs
        for dots, often in self.dots:
            before = padded(dots.cells + dots.digits * legs, width)
            length = legs if dots.length is None else dots.length
            total += often * (before + dots.number * padded(length, width))
        return total


def padded(length: int, width: int) -> int:
    """Cells of as many full rows as hold `length`."""
    return -(-length // width) * width
