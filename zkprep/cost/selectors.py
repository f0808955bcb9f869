"""How many fixed columns halo2 makes of the selectors of EZKL's gates.

Selectors that no row enables together may share a fixed column, as long as the degree allows it: a
gate of degree g (its selector included) in a column of m selectors has degree g + m - 1. halo2 goes
through the selectors in the order they were made and fills a column as far as it can. Selectors of
lookups are used in lookup expressions and never share.

Here no two selectors are taken to collide, which holds but for stray rows that two gates share: on
the measured circuits the count is exact or one short.

Source: halo2 `plonk/circuit/compress_selectors.rs` process; EZKL 23.0.5
`src/circuit/ops/chip.rs` BaseConfig::configure.
"""

from collections import deque
from functools import cache

_ADD = _SUB = _SUM = 2
_MULTIPLY = _DOT = 3
_PERIOD = 60
"""Every group size divides it, so the columns of so many blocks more are the same for any count."""


@cache
def compressed_columns(blocks: int, inner_columns: int, degree: int, poseidon: int = 0) -> int:
    """Fixed columns for the gate selectors of `blocks` blocks; `poseidon` is 1 with its gates."""
    if blocks <= 2 * _PERIOD:
        return _columns(_gate_degrees(blocks, inner_columns, poseidon), degree)
    periods = (blocks - _PERIOD) // _PERIOD
    rest = blocks - periods * _PERIOD
    once = compressed_columns(2 * _PERIOD, inner_columns, degree, poseidon)
    step = once - compressed_columns(_PERIOD, inner_columns, degree, poseidon)
    return compressed_columns(rest, inner_columns, degree, poseidon) + periods * step


def _gate_degrees(blocks: int, width: int, poseidon: int) -> list[int]:
    """Degrees of the gates, selector included, in the order EZKL makes them."""
    hashing = [6, 6, 2] * poseidon
    pairwise = [_ADD, _SUB, _MULTIPLY] * width * blocks
    running = [_DOT, _DOT, width + 2, width + 1, _SUM, _SUM] * blocks
    return [*hashing, *pairwise, *running]


def _columns(degrees: list[int], limit: int) -> int:
    """Columns that halo2's greedy packing makes of selectors with gates of `degrees`."""
    waiting, columns = deque(degrees), 0
    while waiting:
        columns += 1
        highest, held = waiting.popleft() - 1, 1
        passed: list[int] = []
        while waiting and highest + held < limit:
            degree = waiting.popleft()
            together = max(highest, degree - 1)
            if together + held + 1 > limit:
                passed.append(degree)
            else:
                highest, held = together, held + 1
        waiting.extendleft(reversed(passed))
    return columns
