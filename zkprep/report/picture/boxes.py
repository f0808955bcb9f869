"""What a picture of a cut shows: boxes of operators in a row, and tensors that cross as pills.

Operators that follow each other within a slice, with nothing else read or put out in between, share
a box: a picture stays readable at hundreds of operators.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from zkprep.report.cut import Cut, CutTensor

LINE = 24
"""Characters of a line of a box."""

LINES = 3


@dataclass(frozen=True, slots=True)
class Box:
    """Operators of one slice in a row, by index."""

    slice: int
    operators: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pill:
    """A tensor that crosses; `after` is the slice behind which it is drawn, -1 for an input."""

    tensor: CutTensor
    after: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn; links are pairs of indices into boxes, then pills."""

    boxes: tuple[Box, ...]
    pills: tuple[Pill, ...]
    links: tuple[tuple[int, int], ...]


def scene(cut: Cut) -> Scene:
    """The boxes, pills and links of a cut."""
    boxes = [Box(cut.operators[chain[0]].slice, tuple(chain)) for chain in _chains(cut)]
    home = {operator: index for index, box in enumerate(boxes) for operator in box.operators}
    pills: list[Pill] = []
    links: list[tuple[int, int]] = []
    for tensor in cut.tensors:
        readers = sorted({home[reader] for reader in tensor.readers})
        source = None if tensor.source is None else home[tensor.source]
        if cut.crosses(tensor):
            pill = len(boxes) + len(pills)
            pills.append(Pill(tensor, -1 if source is None else boxes[source].slice))
            links += [] if source is None else [(source, pill)]
            outside = [one for one in readers if source is None or not _same(boxes, one, source)]
            links += [(pill, reader) for reader in outside]
            readers = [one for one in readers if one not in outside]
        links += [(source, one) for one in readers if source is not None and one != source]
    return Scene(tuple(boxes), tuple(pills), tuple(dict.fromkeys(links)))


def lines(cut: Cut, box: Box) -> list[str]:
    """The types of a box's operators, in order, on a few lines; repeated ones once."""
    runs = [
        f"{op} \u00d7{count}" if (count := len(list(same))) > 1 else op
        for op, same in groupby(cut.operators[index].op for index in box.operators)
    ]
    made = [""]
    for place, run in enumerate(runs):
        longer = f"{made[-1]}, {run}" if made[-1] else run
        if len(longer) <= LINE or not made[-1]:
            made[-1] = longer
        elif len(made) < LINES:
            made.append(run)
        else:
            made[-1] += f" + {len(runs) - place} more"
            break
    return made


def cells(cut: Cut, box: Box) -> int:
    """Predicted cells of a box's operators."""
    return sum(cut.operators[index].cells for index in box.operators)


def _same(boxes: Sequence[Box], one: int, other: int) -> bool:
    return boxes[one].slice == boxes[other].slice


def _chains(cut: Cut) -> Iterator[list[int]]:
    """Operators in rows: each is the only reader of the one before it, and reads nothing else."""
    reads: list[list[CutTensor]] = [[] for _ in cut.operators]
    made: list[list[CutTensor]] = [[] for _ in cut.operators]
    for tensor in cut.tensors:
        for reader in tensor.readers:
            reads[reader].append(tensor)
        if tensor.source is not None:
            made[tensor.source].append(tensor)
    following: dict[int, int] = {}
    for index, outputs in enumerate(made):
        alone = len(outputs) == 1 and len(outputs[0].readers) == 1 and not cut.crosses(outputs[0])
        if alone and len(reads[outputs[0].readers[0]]) == 1:
            following[index] = outputs[0].readers[0]
    for start in range(len(cut.operators)):
        if start in following.values():
            continue
        chain = [start]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        yield chain
