"""Where a circuit that puts divisions off makes them after all: at tables, at small tensors.

EZKL divides what exceeds its limit behind the operator that made it, and no further down than the
limit. Under a high limit only what lands is divided (zkprep.tune.descent), each tensor by a choice
of its own: at first what a static table reads, which would have to be as large as its scale. From
there on, node by node in order, for the first that EZKL still divides: what it reads, or one of the
smallest tensors behind that, is landed where the circuit has fewer cells for it. Squares need
twice the bits, so those of what comes to them are a second start.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Protocol

import onnx_ir as ir

from zkprep.claims.allowed import LARGEST_SCALE
from zkprep.cost.lowerings import TABLES
from zkprep.models.model import tensors
from zkprep.tune.choice import Point
from zkprep.tune.points import Held, settled

MULTIPLIERS = (2, 3, 4)
"""Tried besides the largest."""

NEAREST = 4
"""Tensors that are tried for every node that divides, the smallest."""

Places = frozenset[int]
"""Of what lands, among `tensors` of the slice."""


class Priced(Held, Protocol):
    """What is asked of a slice's circuits besides."""

    def cells(self, point: Point) -> float:
        """Of a circuit at `point`, estimated."""

    def seconds(self, point: Point) -> float:
        """Of the cheapest circuit at `point`, estimated."""


def landed(circuits: Priced, start: Point, scale: int, *, last: bool) -> Iterator[Point]:
    """`start` under several multipliers, with the landings at `scale` that pay.

    None where what is read does not descend to `scale`, which costs no more.

    `last`: no other slice reads the outputs.
    """
    largest = LARGEST_SCALE // max(start.input_scale, start.param_scale, 1)
    for multiplier in sorted({*MULTIPLIERS, largest} if start.input_scale <= scale else ()):
        if 1 < multiplier <= min(largest, circuits.limits.multiplier):
            found = _Search(circuits, start._replace(multiplier=multiplier), scale, last).best()
            if found is not None:
                yield found


@dataclass(slots=True)
class _Search:
    """Under one multiplier."""

    circuits: Priced
    start: Point
    scale: int
    last: bool
    _tensors: list[ir.Value] = field(init=False)
    _places: dict[ir.Value, int] = field(init=False)
    _nodes: dict[str, ir.Node] = field(init=False)
    _costs: dict[Places, tuple[bool, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        model = self.circuits.demand.model
        self._tensors = tensors(model)
        self._places = {value: place for place, value in enumerate(self._tensors)}
        self._nodes = {str(node.name): node for node in model.graph}

    def best(self) -> Point | None:
        """The cheapest of what is met on the way; None where nothing is to land."""
        found: tuple[float, Point] | None = None
        for places in (one for start in self._starts() for one in self._path(start)):
            point = self._settled(places)
            if places and point is not None:
                seconds = self.circuits.seconds(point)
                if found is None or seconds < found[0]:
                    found = seconds, point
        return None if found is None else found[1]

    def _starts(self) -> Iterable[Places]:
        fine = self._fine(frozenset())
        tables = self._of(value for value in fine if _is_looked_up(value))
        squared = self.circuits.counts.squared(self._point(tables))
        roots = tables | self._of(value for value in fine if value.name in squared)
        return dict.fromkeys((tables, roots))

    def _path(self, places: Places) -> Iterator[Places]:
        """From `places` on, each with fewer cells than the one before it."""
        yield places
        left: set[str] = set()  # nothing that lands helps these
        while (node := self._dividing(places, left)) is not None:
            better = min(self._options(node, places), key=self._cost, default=places)
            if self._cost(better) < self._cost(places):
                places = better
                yield places
            else:
                left.add(str(node.name))
        for place in sorted(places):
            if self._cost(places - {place}) < self._cost(places):
                places -= {place}
        yield places

    def _dividing(self, places: Places, left: set[str]) -> ir.Node | None:
        divided = self.circuits.counts.divided(self._point(places))
        return next((self._nodes[n] for n in divided if n in self._nodes and n not in left), None)

    def _options(self, node: ir.Node, places: Places) -> Iterator[Places]:
        """With one more of what is before the node; with all that it reads, if that is several."""
        fine = self._fine(places)
        read = [value for value in node.inputs if value in fine]
        near: dict[ir.Value, None] = {}
        front = list(read)
        while front:
            value = front.pop(0)
            if value in near or value is None:
                continue
            near[value] = None
            maker = value.producer()
            front += [one for one in maker.inputs if one in fine] if maker is not None else []
        for value in sorted(near, key=_size)[:NEAREST]:
            yield places | self._of([value])
        if len(read) > 1:
            yield places | self._of(value for value in read if value is not None)

    def _fine(self, places: Places) -> dict[ir.Value, None]:
        """What may land, in order: floats of larger scales that are there and that nodes read."""
        scales = self.circuits.counts.scales(self._point(places))
        return {
            value: None
            for place, value in enumerate(self._tensors)
            if place not in places
            and scales.get(value.name or "", 0) > self.scale
            and value.uses()
            and value.name not in self.circuits.counts.joined
            and value.dtype in (None, ir.DataType.FLOAT)
        }

    def _of(self, values: Iterable[ir.Value]) -> Places:
        return frozenset(self._places[value] for value in values)

    def _point(self, places: Places) -> Point:
        return self.start._replace(landings=tuple((one, self.scale) for one in sorted(places)))

    def _settled(self, places: Places) -> Point | None:
        return settled(self.circuits, self._point(places), last=self.last)

    def _cost(self, places: Places) -> tuple[bool, float]:
        """Whether it is none to prove, and its cells: seconds change in steps, these do not."""
        if places not in self._costs:
            point = self._settled(places)
            cells = self.circuits.cells(point or self._point(places))
            self._costs[places] = point is None, cells
        return self._costs[places]


def _is_looked_up(value: ir.Value) -> bool:
    return any(node.op_type in TABLES for node in value.consumers())


def _size(value: ir.Value) -> int:
    return prod(dim if isinstance(dim, int) else 1 for dim in value.shape or ())
