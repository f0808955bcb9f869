"""Two outputs of a filter along one axis, by as few products as minimal filtering takes.

Two outputs y = (y0, y1) of a filter g read places d. A bilinear algorithm makes them as
    m = (G g) * (B d),    y = A m
with entries 0, 1, -1 in A, one or two of them in each row of B. For filters of 3, 2 and 1 taps:
    m = (d0 - d2) g0, (d1 + d2)(g0 + g1 + g2)/2, (d2 - d1)(g0 - g1 + g2)/2, (d1 - d3) g2
        y0 = m0 + m1 + m2, y1 = m1 - m2 - m3                       4 products instead of 6
    m = (d0 - d1) g0, d1 (g0 + g1), (d1 - d2) g1
        y0 = m0 + m1, y1 = m1 - m2                                 3 instead of 4
    m = d0 g0, d1 g0                                               2 as before
A longer filter is a sum of such pieces; one of stride s is a sum of s filters, of every s-th tap on
every s-th place. Source: S. Winograd, "Arithmetic Complexity of Computations" (1980), F(2, 3) and
F(2, 2).
"""

from dataclasses import dataclass

import numpy as np

from zkprep.passes.repair.draft import Array


@dataclass(frozen=True, slots=True)
class Product:
    """One m: `plus` - `minus`, or `plus` + `also`, or `plus` alone, times `taps` @ g.

    Attributes:
        plus: a place of d.
        other: another, or None.
        sign: of the other, 1 or -1; 0 where there is none.
        taps: what it takes of each tap of g.
        outputs: its coefficients in y0 and y1.
    """

    plus: int
    other: int | None
    sign: int
    taps: tuple[float, ...]
    outputs: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How two outputs of a filter of `kernel` taps and a stride are made.

    Attributes:
        kernel: taps.
        stride: places from one output to the next.
        products: differences first, then sums, then single places.
    """

    kernel: int
    stride: int
    products: tuple[Product, ...]

    @property
    def reach(self) -> int:
        """Places that the two outputs read."""
        return self.stride + self.kernel

    @property
    def filters(self) -> Array:
        """G, (products, taps)."""
        return np.array([product.taps for product in self.products])

    @property
    def everywhere(self) -> int:
        """A product that both outputs take as it is: where a bias goes."""
        return next(i for i, one in enumerate(self.products) if one.outputs == (1, 1))

    def of_sign(self, sign: int) -> list[Product]:
        """The products of differences (-1), of sums (1) or of single places (0), in order."""
        return [one for one in self.products if one.sign == sign]


def algorithm(kernel: int, stride: int) -> Algorithm | None:
    """The algorithm with fewest products; None where it takes as many as two outputs have taps."""
    products: list[Product] = []
    for phase in range(stride):
        taps = list(range(phase, kernel, stride))
        while taps:
            size = min(3, len(taps))
            products += _piece(taps[:size], kernel, stride)
            taps = taps[size:]
    if len(products) == 2 * kernel:
        return None
    order = {-1: 0, 1: 1, 0: 2}
    return Algorithm(kernel, stride, tuple(sorted(products, key=lambda one: order[one.sign])))


def _piece(taps: list[int], kernel: int, stride: int) -> list[Product]:
    """The products of up to three taps, `stride` apart."""
    unit = np.eye(kernel)[taps]
    d = [taps[0] + stride * place for place in range(len(taps) + 1)]

    def product(
        plus: int, other: int | None, sign: int, values: Array, outputs: tuple[int, int]
    ) -> Product:
        place = None if other is None else d[other]
        return Product(d[plus], place, sign, tuple(values.tolist()), outputs)

    if len(taps) == 3:
        g0, g1, g2 = unit
        return [
            product(0, 2, -1, g0, (1, 0)),
            product(1, 2, 1, (g0 + g1 + g2) / 2, (1, 1)),
            product(2, 1, -1, (g0 - g1 + g2) / 2, (1, -1)),
            product(1, 3, -1, g2, (0, -1)),
        ]
    if len(taps) == 2:
        g0, g1 = unit
        return [
            product(0, 1, -1, g0, (1, 0)),
            product(1, None, 0, g0 + g1, (1, 1)),
            product(1, 2, -1, g1, (0, -1)),
        ]
    return [product(0, None, 0, unit[0], (1, 0)), product(1, None, 0, unit[0], (0, 1))]
