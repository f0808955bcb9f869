"""EZKL's building blocks as cell counts: what `decompose`, `dot`, `div`, sorting and so on assign.

A cell is one unit of `total_assignments`, the linear coordinate of EZKL's region after a dry run.
Each function below advances the coordinate as the EZKL function of its name does for `n` elements:
an assignment by its length, a dot product from a full row on and padded to full rows of w cells.

With D = 2L + 4 + w * ceil(L / w) for one decomposition into L digits: ReLU costs D + 6, a rebase
3D + 16, the largest of q values 2q + (q - 1)(D + 14).

Not counted: the cell that is repeated when a dot product runs over the end of a block (w = 1), and
the w cells when one alone is longer than a column.

Source: EZKL 23.0.5 `src/circuit/ops/layouts.rs`, `src/circuit/ops/region.rs` (flush, dummy_loop).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from zkprep.cost.rows import Rows, padded


@dataclass(slots=True)
class Region:
    """Where the next cell goes.

    Attributes:
        width: w, cells per row (num_inner_cols).
        legs: L, digits of a decomposition.
        cells: the linear coordinate.
        rebased: cells that went into divisions back to a scale.
        divided: values that were divided back.
        checked: values that were decomposed besides.
        shuffled: rows of the columns that hold sorted copies.
        inverts: whether a reciprocal or a root is among the gadgets.
        rows: what begins or fills rows, from which cells follow at any width and digits.
    """

    width: int
    legs: int
    cells: int = 0
    rebased: int = 0
    divided: int = 0
    checked: int = 0
    shuffled: int = 0
    inverts: bool = False
    rows: Rows = field(default_factory=Rows)

    @property
    def decomposed(self) -> int:
        """Values that were decomposed, in a division three each."""
        return self.checked + 3 * self.divided

    def assign(self, n: int, digits: int = 0) -> None:
        """Place `n` cells one after the other, and `digits` times as many as a value has digits."""
        self.cells += n + digits * self.legs
        self.rows.assign(n, digits)

    def dot(self, n: int, length: int) -> None:
        """`n` dot products (or sums, or products) over `length` elements each, from a full row on.

        Each takes as many full rows as hold its elements.
        """
        if n:
            self.cells += -self.cells % self.width + n * padded(length, self.width)
            self.rows.fill(n, length)

    def recompose(self, n: int) -> None:
        """`n` dot products over the digits of a value each."""
        if n:
            self.cells += -self.cells % self.width + n * padded(self.legs, self.width)
            self.rows.fill(n, None)

    def repeat(self, n: int, body: Callable[[], None]) -> None:
        """`body`, `n` times; from the second on it always starts at the same place of a row."""
        if n:
            body()
        if n > 1:
            before, start = self.state(), self.rows.state()
            body()
            for name, value in before.items():
                setattr(self, name, getattr(self, name) + (n - 2) * (getattr(self, name) - value))
            self.rows.repeat(n - 2, start)

    def state(self) -> dict[str, int]:
        """What is counted so far, but for `rows`."""
        return {name: getattr(self, name) for name in _COUNTED}


_COUNTED = ("cells", "rebased", "divided", "checked", "shuffled")


def decompose(region: Region, n: int, *, signed_zero: bool = False) -> None:
    """Sign and digits of `n` values, range-checked and recomposed: D cells each, or D + 6.

    `signed_zero`: the sign of zero is forced to be zero.
    """
    region.checked += n
    region.assign(2 * n, digits=n)
    if signed_zero:
        equals_zero(region, n)
        region.assign(2 * n)
    region.assign(0, digits=n)
    region.recompose(n)
    region.assign(2 * n)


def equals_zero(region: Region, n: int) -> None:
    """1 where a value is zero: product with its inverse, complement, check."""
    region.assign(4 * n)


def equals(region: Region, n: int) -> None:
    """1 where two values are equal."""
    region.assign(n)
    equals_zero(region, n)


def select(region: Region, n: int, masks: int) -> None:
    """`iff`: one of two values, by a mask of `masks` elements that is checked to be 0 or 1."""
    region.assign(2 * masks)
    region.assign(masks)
    region.assign(3 * n)


def greater(region: Region, n: int) -> None:
    """1 where the sign of the difference is 1."""
    region.assign(n)
    decompose(region, n, signed_zero=True)
    equals(region, n)


def absolute(region: Region, n: int) -> None:
    """Value times sign."""
    decompose(region, n)
    region.assign(n)


def divide(region: Region, n: int) -> None:
    """A claimed quotient, its product and a remainder below the divisor; counted as rebase."""
    start, checked = region.cells, region.checked
    decompose(region, n)
    region.assign(n)
    _distance(region, n)
    greater(region, n)
    region.assign(n)
    region.rebased += region.cells - start
    region.divided += n
    region.checked = checked


def relu(region: Region, n: int) -> None:
    """Value where its sign is 1."""
    decompose(region, n)
    equals(region, n)
    region.assign(n)


def leaky_relu(region: Region, n: int) -> None:
    """Both parts at the slope's scale."""
    relu(region, n)
    region.assign(n)
    select(region, n, n)
    region.assign(3 * n)


def extreme(region: Region, n: int) -> None:
    """Larger or smaller of two values."""
    greater(region, n)
    select(region, n, n)
    region.assign(3 * n)


def sort(region: Region, n: int) -> None:
    """Largest or smallest of `n` values: a sorted copy, shuffled against the values, in order."""
    if n > 1:
        region.assign(2 * n)
        region.shuffled += n
        region.assign(n - 1)
        greater(region, n - 1)
        region.assign(n - 1)


def add_up(region: Region, n: int) -> None:
    """Sum of `n` values."""
    if n > 1:
        region.dot(1, n)


def reciprocal(region: Region, n: int) -> None:
    """A claimed inverse, zero apart, at which the error is least: 6D + 60 cells each."""
    region.inverts = True
    decompose(region, n)
    equals_zero(region, n)
    select(region, n, n)
    equals(region, n)
    region.assign(2 * n)
    _optimum(region, n)
    region.assign(2 * n)


def square_root(region: Region, n: int) -> None:
    """A claimed root, at which the error is least: 6D + 44 cells each."""
    region.inverts = True
    absolute(region, n)
    region.assign(n)
    _optimum(region, n)
    region.assign(n)


def softmax(region: Region, n: int) -> None:
    """Over `n` values: less the largest, exponential (a table), divided by the sum."""
    sort(region, n)
    region.assign(3 * n)
    add_up(region, n)
    reciprocal(region, 1)
    region.assign(n)


def convolve(region: Region, n: int, length: int, held: int, *, biased: bool = True) -> None:
    """`n` dot products over `length` elements, once `held` elements of kernel or image are held."""
    region.assign(held)
    region.dot(n, length)
    if biased:
        region.dot(n, 1)


def _distance(region: Region, n: int) -> None:
    region.assign(n)
    absolute(region, n)


def _optimum(region: Region, n: int) -> None:
    """The error (a product and a distance) at a value is least among it and its neighbours."""
    for neighbours in (0, 1, 1):
        region.assign(neighbours * n)
        region.assign(n)
        _distance(region, n)
    region.assign(n)
    greater(region, n)
    greater(region, n)
    region.assign(5 * n)
