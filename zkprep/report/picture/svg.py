"""A cut as SVG: a band per slice, a box per row of operators, a pill per tensor that crosses.

It is part of an HTML page, whose style sheet colours it. Slices have hues that follow each other by
the golden angle, equal slices the same one. Names come from the model (untrusted) and are escaped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from zkprep.report.cut import Cut
from zkprep.report.figures import count, printable, seconds, size
from zkprep.report.picture.boxes import Box, Pill, Scene, cells, lines, scene
from zkprep.report.picture.layered import draw

_CHARACTER, _LINE_HEIGHT = 6.6, 16
_GAP, _MARGIN, _ROW = 26, 16, 26
_LABEL = 132
"""Width of the slices' labels at the left."""

_PILL, _NAME = 24, 20
_GOLDEN_ANGLE = 137.508
_FIRST_HUE = 172


@dataclass(frozen=True, slots=True)
class _Part:
    """A box or a pill on the canvas: centre and size."""

    x: float
    y: float
    width: float
    height: float


def render(cut: Cut) -> str:
    """The picture, an `<svg>` element."""
    shown = scene(cut)
    texts = [lines(cut, box) for box in shown.boxes]
    sizes = [
        (_width(text, cells(cut, box)), 14 + _LINE_HEIGHT * (len(text) + 1))
        for text, box in zip(texts, shown.boxes, strict=True)
    ]
    sizes += [(_CHARACTER * len(_said(pill)) + 22, _PILL) for pill in shown.pills]
    ranks = _ranks(cut, shown)
    drawing = draw([width for width, _ in sizes], ranks, shown.links, _GAP)
    tops, heights = _rows(ranks, sizes)
    left = min(x - w / 2 for x, (w, _) in zip(drawing.places, sizes, strict=True))
    shift = _LABEL + _MARGIN - left
    parts = [
        _Part(x + shift, tops[rank] + heights[rank] / 2, w, h)
        for x, rank, (w, h) in zip(drawing.places, ranks, sizes, strict=True)
    ]
    width = max(part.x + part.width / 2 for part in parts) + _MARGIN
    height = tops[-1] + heights[-1] + _MARGIN
    body = [
        *_bands(cut, shown, parts, width),
        *_links(shown, parts, drawing.bends, shift, ranks, (tops, heights)),
        *_boxes(cut, shown, parts, texts),
        *_pills(shown, parts),
    ]
    return (
        f'<svg class="cut" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="the cut">' + "".join(body) + "</svg>"
    )


def hue(cut: Cut, index: int) -> int:
    """The hue of a slice, in degrees."""
    names = [piece.name for piece in cut.slices]
    twin = cut.slices[index].twin
    place = names.index(twin) if twin in names else index
    return round(_FIRST_HUE + place * _GOLDEN_ANGLE) % 360


def _said(pill: Pill) -> str:
    """Its elements, and of the model's own inputs and outputs the name too."""
    said, name = count(pill.tensor.elements), printable(pill.tensor.name)
    if pill.tensor.source is not None and not pill.tensor.leaves:
        return said
    short = name if len(name) <= _NAME else name[: _NAME - 1] + "\u2026"
    return f"{short}: {said}"


def _width(text: Sequence[str], held: int) -> float:
    longest = max(len(one) for one in (*text, f"{count(held)} cells"))
    return max(72, _CHARACTER * longest + 22)


def _ranks(cut: Cut, shown: Scene) -> list[int]:
    """Rows: inputs, then each slice's boxes as deep as they follow each other, then its pills."""
    boxes = len(shown.boxes)
    depth = [0] * boxes
    inner = sorted(link for link in shown.links if max(link) < boxes)
    for _ in range(boxes):
        for source, target in inner:
            depth[target] = max(depth[target], depth[source] + 1)
        if all(depth[b] > depth[a] for a, b in inner):
            break
    base, bases = 1, []
    for index in range(len(cut.slices)):
        bases.append(base)
        deep = [d for d, box in zip(depth, shown.boxes, strict=True) if box.slice == index]
        base += max(deep, default=0) + 2
    ranks = [bases[box.slice] + d for box, d in zip(shown.boxes, depth, strict=True)]
    ends = [*[one - 1 for one in bases[1:]], base - 1]
    return ranks + [0 if pill.after < 0 else ends[pill.after] for pill in shown.pills]


def _rows(
    ranks: Sequence[int], sizes: Sequence[tuple[float, float]]
) -> tuple[list[float], list[float]]:
    """Top and height of every row."""
    heights = [0.0] * (max(ranks) + 1)
    for rank, (_, height) in zip(ranks, sizes, strict=True):
        heights[rank] = max(heights[rank], height)
    tops, top = [], float(_MARGIN)
    for height in heights:
        tops.append(top)
        top += height + _ROW
    return tops, heights


def _bands(cut: Cut, shown: Scene, parts: Sequence[_Part], width: float) -> Iterator[str]:
    for index, piece in enumerate(cut.slices):
        own = [p for p, box in zip(parts, shown.boxes, strict=False) if box.slice == index]
        top = min(part.y - part.height / 2 for part in own) - 11
        bottom = max(max(part.y + part.height / 2 for part in own) + 11, top + 74)
        said = (
            (f"slice {printable(piece.name)}", "name"),
            (f"{count(piece.cells)} cells", ""),
            (f"{seconds(piece.prove_cpu_seconds)} CPU", ""),
            (size(piece.peak_bytes), ""),
        )
        yield f'<g class="band" style="--h:{hue(cut, index)}">'
        yield _rect(_Part(width / 2, (top + bottom) / 2, width - 8, bottom - top), 9)
        for line, (text, kind) in enumerate(said):
            y = top + 20 + 15 * line
            yield f'<text class="{kind}" x="16" y="{y:.1f}">{escape(text)}</text>'
        yield "</g>"


def _links(
    shown: Scene,
    parts: Sequence[_Part],
    bends: Sequence[Sequence[float]],
    shift: float,
    ranks: Sequence[int],
    rows: tuple[Sequence[float], Sequence[float]],
) -> Iterator[str]:
    tops, heights = rows
    for (source, target), xs in zip(shown.links, bends, strict=True):
        one, other = parts[source], parts[target]
        points = [(one.x, one.y + one.height / 2)]
        for rank, x in enumerate(xs, ranks[source] + 1):
            points += [(x + shift, tops[rank]), (x + shift, tops[rank] + heights[rank])]
        points.append((other.x, other.y - other.height / 2))
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (y0 + y1) / 2
            path += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
        crossing = max(source, target) >= len(shown.boxes)
        yield f'<path class="{"crossing" if crossing else "inner"}" d="{path}"/>'


def _boxes(
    cut: Cut, shown: Scene, parts: Sequence[_Part], texts: Sequence[Sequence[str]]
) -> Iterator[str]:
    for box, part, text in zip(shown.boxes, parts, texts, strict=False):
        names = ", ".join(printable(cut.operators[index].name) for index in box.operators)
        top = part.y - part.height / 2
        yield f'<g class="box" style="--h:{hue(cut, box.slice)}"><title>{escape(names)}</title>'
        yield _rect(part, 6)
        for line, said in enumerate(text):
            y = top + 19 + _LINE_HEIGHT * line
            yield f'<text x="{part.x:.1f}" y="{y:.1f}">{escape(printable(said))}</text>'
        last = top + 19 + _LINE_HEIGHT * len(text)
        yield f'<text class="cells" x="{part.x:.1f}" y="{last:.1f}">{_cells(cut, box)}</text></g>'


def _cells(cut: Cut, box: Box) -> str:
    held = cells(cut, box)
    return f"{count(held)} cells" if held else "no cells"


def _pills(shown: Scene, parts: Sequence[_Part]) -> Iterator[str]:
    for pill, part in zip(shown.pills, parts[len(shown.boxes) :], strict=True):
        tensor = pill.tensor
        kind = "input" if tensor.source is None else "output" if tensor.leaves else "link"
        title = f"{printable(tensor.name)}: {count(tensor.elements)} elements"
        yield f'<g class="pill {kind}"><title>{escape(title)}</title>'
        yield _rect(part, part.height / 2)
        yield f'<text x="{part.x:.1f}" y="{part.y + 4:.1f}">{escape(_said(pill))}</text></g>'


def _rect(part: _Part, radius: float) -> str:
    return (
        f'<rect x="{part.x - part.width / 2:.1f}" y="{part.y - part.height / 2:.1f}" '
        f'width="{part.width:.1f}" height="{part.height:.1f}" rx="{radius:.0f}"/>'
    )
