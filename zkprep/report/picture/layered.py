"""Where the parts of a layered drawing go (Sugiyama, Tagawa and Toda, 1981).

Every vertex has a rank, a row from top to bottom; a link over several ranks gets a bend in each.
The order within rows comes of sweeps that put each vertex at the mean of its neighbours
(barycentres), the places along a row of least squares to the same means with a least distance kept
(pool adjacent violators). Nothing is random.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

_SWEEPS = 12
_PLACINGS = 24


@dataclass(frozen=True, slots=True)
class Drawing:
    """Centres of the vertices along the rows, and the x of each link in every rank it crosses."""

    places: tuple[float, ...]
    bends: tuple[tuple[float, ...], ...]


def draw(
    widths: Sequence[float], ranks: Sequence[int], links: Sequence[tuple[int, int]], gap: float
) -> Drawing:
    """Place vertices of some widths in their ranks.

    Args:
        widths: of the vertices.
        ranks: of the vertices; a link leads from a smaller to a larger one.
        links: pairs of vertices.
        gap: the least distance between neighbours.
    """
    sizes, levels = list(widths), list(ranks)
    steps: list[tuple[int, int]] = []
    bends: list[list[int]] = []
    for source, target in links:
        path = [source]
        for rank in range(ranks[source] + 1, ranks[target]):
            path.append(len(sizes))
            sizes.append(0.0)
            levels.append(rank)
        path.append(target)
        steps += pairwise(path)
        bends.append(path[1:-1])
    rows = _ordered(levels, steps)
    places = _placed(rows, sizes, steps, gap)
    return Drawing(
        tuple(places[: len(widths)]), tuple(tuple(places[bend] for bend in path) for path in bends)
    )


def _neighbours(
    count: int, steps: Iterable[tuple[int, int]]
) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target in steps:
        below[source].append(target)
        above[target].append(source)
    return above, below


def _ordered(levels: Sequence[int], steps: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The vertices of each rank from left to right."""
    rows: list[list[int]] = [[] for _ in range(max(levels) + 1)]
    for vertex, level in enumerate(levels):
        rows[level].append(vertex)
    above, below = _neighbours(len(levels), steps)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else rows[::-1]:
            place = {v: i / max(1, len(r) - 1) for r in rows for i, v in enumerate(r)}
            near = above if down else below
            row.sort(key=lambda v: fmean(place[n] for n in near[v]) if near[v] else place[v])
    return rows


def _placed(
    rows: Sequence[Sequence[int]],
    sizes: Sequence[float],
    steps: Sequence[tuple[int, int]],
    gap: float,
) -> list[float]:
    above, below = _neighbours(len(sizes), steps)
    places = [0.0] * len(sizes)
    for turn in range(_PLACINGS):
        for row in rows if turn % 2 == 0 else rows[::-1]:
            near = [[*above[v], *below[v]] for v in row]
            wanted = [
                fmean(places[n] for n in own) if own else places[v]
                for v, own in zip(row, near, strict=True)
            ]
            for vertex, place in zip(
                row, _apart(wanted, [sizes[v] for v in row], gap), strict=True
            ):
                places[vertex] = place
    return places


def _apart(wanted: Sequence[float], sizes: Sequence[float], gap: float) -> list[float]:
    """The places nearest to those wanted, in this order and with the gap kept."""
    offsets = [0.0]
    for one, other in pairwise(sizes):
        offsets.append(offsets[-1] + (one + other) / 2 + gap)
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, count = (mean * count + before * many) / (count + many), count + many
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]
