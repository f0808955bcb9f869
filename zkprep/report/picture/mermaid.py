"""A cut as a Mermaid flowchart, which GitHub draws in Markdown.

Identifiers are numbers; of the model only operator types and counts are shown, reduced to letters,
digits and a few signs, so that nothing in a name can end a label.
"""

import re
from collections.abc import Iterator

from zkprep.report.cut import Cut
from zkprep.report.figures import count, plain
from zkprep.report.picture.boxes import lines, scene
from zkprep.report.picture.svg import hue

_UNSAFE = re.compile(r"[^\w .,+\u00d7-]")


def render(cut: Cut) -> str:
    """The flowchart's text; numbers on links are elements that cross."""
    return "\n".join(_lines(cut)) + "\n"


def _lines(cut: Cut) -> Iterator[str]:
    shown = scene(cut)
    yield "flowchart TD"
    for index, piece in enumerate(cut.slices):
        yield f'  subgraph s{index}["slice {_safe(piece.name)}: {_number(piece.cells)} cells"]'
        for place, box in enumerate(shown.boxes):
            if box.slice == index:
                yield f'    b{place}["{"<br>".join(map(_safe, lines(cut, box)))}"]'
        yield "  end"
        tint = hue(cut, index)
        colours = f"fill:hsl({tint},60%,92%),stroke:hsl({tint},45%,45%),color:#111"
        yield f"  style s{index} {colours}"
    boxes = len(shown.boxes)
    sources = {target: source for source, target in shown.links if target >= boxes}
    for place, pill in enumerate(shown.pills, boxes):
        if place not in sources:
            yield f'  p{place}(["input"])'
        if pill.tensor.leaves:
            yield f'  p{place}o(["output"])'
            yield _arrow(f"b{sources[place]}", f"p{place}o", pill.tensor.elements)
    for source, target in shown.links:
        if source >= boxes:
            start = f"b{sources[source]}" if source in sources else f"p{source}"
            yield _arrow(start, f"b{target}", shown.pills[source - boxes].tensor.elements)
        elif target < boxes:
            yield f"  b{source} --> b{target}"


def _arrow(source: str, target: str, elements: int) -> str:
    return f"  {source} -->|{_number(elements)}| {target}"


def _number(value: int) -> str:
    return plain(count(value))


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text)
