"""How many fixed columns halo2 makes of the selectors of EZKL's gates.

Selectors that no row enables together may share a fixed column, as long as the degree allows it: a
gate of degree g (its selector included) in a column of m selectors has degree g + m - 1. halo2 goes
through the selectors in the order they were made and fills a column as far as it can. Selectors of
lookups are used in lookup expressions and never share.

Which rows a gate is enabled on only the real layout says. Here the gates of different inner columns
of one block are taken to collide, because an operator fills rows from column to column, and no
others. Up to three inner columns, where a fixed column holds gates of one cell alone, that is exact
or one short. Beyond, so it is for a single block; where rows of several blocks meet there are more
(keys of tests/cost/setups.json: by half a percent in the mean with five, two percent with seven).

Source: halo2 `plonk/circuit/compress_selectors.rs` process; EZKL 23.0.5
`src/circuit/ops/chip.rs` BaseConfig::configure.
"""

from collections import deque
from dataclasses import dataclass
from functools import cache

_ADD = _SUB = _SUM = 2
_MULTIPLY = _DOT = 3
_ALONE = 3
"""Up to so many inner columns, gates of different cells are as good as never put together."""

_PERIOD = 60
"""Every group size divides it, so the columns of so many blocks more are the same for any count."""


@cache
def compressed_columns(blocks: int, inner_columns: int, degree: int, poseidon: int = 0) -> int:
    """Fixed columns for the gate selectors of `blocks` blocks; `poseidon` is 1 with its gates."""
    if blocks <= 2 * _PERIOD:
        return _columns(_gates(blocks, inner_columns, poseidon), degree)
    periods = (blocks - _PERIOD) // _PERIOD
    rest = blocks - periods * _PERIOD
    once = compressed_columns(2 * _PERIOD, inner_columns, degree, poseidon)
    step = once - compressed_columns(_PERIOD, inner_columns, degree, poseidon)
    return compressed_columns(rest, inner_columns, degree, poseidon) + periods * step


@dataclass(frozen=True, slots=True)
class _Gate:
    """A gate: its degree, selector included, and the cell it is of, if it is of one alone."""

    degree: int
    block: int = -1
    column: int = -1

    def meets(self, other: "_Gate") -> bool:
        """Whether some row enables both."""
        apart = self.column != other.column and -1 not in (self.column, other.column)
        return apart and self.block == other.block


def _gates(blocks: int, width: int, poseidon: int) -> list[_Gate]:
    """The gates in the order EZKL makes them."""
    hashing = [_Gate(degree) for degree in (6, 6, 2)] * poseidon
    pairwise = [
        _Gate(degree, block, column) if width > _ALONE else _Gate(degree)
        for block in range(blocks)
        for column in range(width)
        for degree in (_ADD, _SUB, _MULTIPLY)
    ]
    running = [_Gate(degree) for degree in (_DOT, _DOT, width + 2, width + 1, _SUM, _SUM)] * blocks
    return [*hashing, *pairwise, *running]


def _columns(gates: list[_Gate], limit: int) -> int:
    """Columns that halo2's greedy packing makes of the selectors of `gates`."""
    waiting, columns = deque(gates), 0
    while waiting:
        columns += 1
        held = [waiting.popleft()]
        highest = held[0].degree - 1
        passed: list[_Gate] = []
        while waiting and highest + len(held) < limit:
            gate = waiting.popleft()
            together = max(highest, gate.degree - 1)
            if together + len(held) + 1 > limit or any(map(gate.meets, held)):
                passed.append(gate)
            else:
                highest = together
                held.append(gate)
        waiting.extendleft(reversed(passed))
    return columns
