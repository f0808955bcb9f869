"""Ways to split one operator, priced: even tiles along one axis or two, even partial sums.

A candidate has as few parts as the limits allow. A part is priced alone, as the slice it may
become: its cells, and at its boundary all that it reads and makes. It reads whole tensors, or those
parts of a split tensor that hold what it needs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf, lcm, prod

import onnx_ir as ir

from zkprep.claims.claim import Split
from zkprep.cost.loads import Prices
from zkprep.passes.split import SplitIntoSums, Target
from zkprep.passes.split.pieces import Pieces
from zkprep.passes.split.regions import Region, grid, intervals, overlap, shape_of, sizes, whole
from zkprep.passes.split.sums import Summing, summing
from zkprep.passes.split.targets import Found
from zkprep.passes.split.tiles import Demands, demands, part, regions_read
from zkprep.slicing.weights import Weights, group_weights, loads, model_weights

_GROWTH = 1.2
_PAIRED = (2, 4, 8, 16, 32, 64)
"""Parts along the first of two axes."""

_MOST_PARTS = 1024


@dataclass(frozen=True, slots=True)
class Candidate:
    """A split, the work of all of its parts, and the tiles if it is one into tiles."""

    split: Split
    seconds: float
    tiles: tuple[Region, ...] = ()


@dataclass(slots=True)
class Operator:
    """A rewrite group that makes one tensor.

    Attributes:
        before: its nodes before the rewrites.
        after: its nodes after the rewrites.
        alone: a model of the latter.
        prices: under the limits.
        known: tiles of tensors that have been split.
        reason: why the last candidate was none.
    """

    before: Found
    after: Found
    alone: ir.Model
    prices: Prices
    known: Mapping[str, Sequence[Region]]
    reason: str = ""
    _cells: dict[str, Weights] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: ir.Model,
        before: Found,
        after: Found,
        prices: Prices,
        known: Mapping[str, Sequence[Region]],
    ) -> "Operator":
        """An operator of the prepared `model`."""
        made = {value for node in after.nodes for value in node.outputs}
        read = {
            str(value.name)
            for node in after.nodes
            for value in node.inputs
            if value is not None and value not in made and not value.is_initializer()
        }
        graph = ir.convenience.extract(model.graph, sorted(read), [str(after.tensor.name)])
        return cls(before, after, ir.Model(graph, ir_version=model.ir_version), prices, known)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return shape_of(self.after.tensor)

    def tilings(self) -> Iterator[Candidate]:
        """The splits into tiles along one axis that fit; if there is none, those along two."""
        axes = [axis for axis, size in enumerate(self.shape) if size > 1]
        found = [one for axis in axes if (one := self._fewest(axis, {}))]
        if not found:
            for first, second in combinations(axes, 2):
                for parts in (n for n in _PAIRED if n <= self._units(first)):
                    one = self._fewest(second, {first: self._places(first, parts)})
                    found += [one] if one else []
        yield from found

    def summings(self) -> Iterator[Candidate]:
        """The split into the fewest partial sums that fit."""
        before, after = summing(self.before.nodes), summing(self.after.nodes)
        if isinstance(before, str) or isinstance(after, str):
            return
        if before.reads != after.reads:
            return
        parts, terms = 2, after.terms
        if self._price(Weights(), self._elements(after.read((0, 1))), prod(self.shape)) == inf:
            self.reason = "what a part reads does not fit"
            return
        while parts <= min(terms, _MOST_PARTS):
            places = _even(terms, parts)
            seconds = self._summed(places, after)
            if seconds < inf:
                yield Candidate(self._split(summed=places), seconds)
                return
            parts = max(parts + 1, int(parts * _GROWTH))

    def _fewest(self, axis: int, cuts: Mapping[int, tuple[int, ...]]) -> Candidate | None:
        """The fewest parts along `axis` that fit, other axes cut as they are."""
        parts = 2
        while parts <= min(self._units(axis), _MOST_PARTS):
            every = {**cuts, axis: self._places(axis, parts)}
            tiles = grid(self.shape, every)
            seconds = self._tiled(tiles)
            if seconds < inf:
                ordered = tuple(sorted(every.items()))
                return Candidate(self._split(cuts=ordered), seconds, tuple(tiles))
            parts = max(parts + 1, int(parts * _GROWTH))
        return None

    def _split(
        self,
        cuts: tuple[tuple[int, tuple[int, ...]], ...] = (),
        summed: tuple[int, ...] = (),
    ) -> Split:
        return Split(tensor=str(self.after.tensor.name), cuts=cuts, summed=summed)

    def _units(self, axis: int) -> int:
        """The places along an axis that cannot be parted: a group's channels stay together."""
        groups = [
            node.attributes.get_int("group", 1)
            for found in (self.before, self.after)
            for node in found.nodes
            if node.op_type == "Conv"
        ]
        grouped = lcm(*(one for one in groups if one > 1))
        size = self.shape[axis]
        return grouped if axis == 1 and grouped > 1 and size % grouped == 0 else size

    def _places(self, axis: int, parts: int) -> tuple[int, ...]:
        units = self._units(axis)
        return tuple(place * (self.shape[axis] // units) for place in _even(units, parts))

    def _tiled(self, tiles: Sequence[Region]) -> float:
        """The work of all tiles; infinite where one does not fit. One in the middle goes first."""
        middle = len(tiles) // 2
        total = 0.0
        for region in (*tiles[middle:], *tiles[:middle]):
            seconds = self._tile(region)
            if seconds == inf:
                return inf
            total += seconds
        return total

    def _tile(self, region: Region) -> float:
        before, after = demands(self.before, region), demands(self.after, region)
        if isinstance(before, str) or isinstance(after, str):
            self.reason = before if isinstance(before, str) else str(after)
            return inf
        read = regions_read(self.after, after)
        others = {(value.name, one) for value, one in regions_read(self.before, before)}
        if others != {(value.name, one) for value, one in read}:
            self.reason = "its parts would read other regions before the rewrites"
            return inf
        key = _key(after, read)
        if key not in self._cells:
            self._cells[key] = self._weights(region)
        # What it gathers may be read by other parts too.
        made = sum(prod(sizes(own)) for value, own in read if sizes(own) != shape_of(value))
        return self._price(self._cells[key], self._elements(read), prod(sizes(region)) + made)

    def _weights(self, region: Region) -> Weights:
        """What the part for `region` takes, from a model of the part."""
        model = self.alone.clone()
        found = Found(tuple(model.graph), model.graph.outputs[0])
        pieces = Pieces(model)
        output = pieces.value(f"{found.tensor.name}.part", sizes(region), found.tensor)
        made = part(found, region, pieces, ".part", output)
        assert isinstance(made, ir.Value)
        pieces.inserted(found.last)
        model.graph.outputs[0] = made
        model.graph.remove(found.nodes, safe=True)
        return model_weights(model, self.prices.spec)

    def _summed(self, places: tuple[int, ...], one: Summing) -> float:
        """The work of all partial sums; infinite where one does not fit."""
        target = Target(self._split(summed=places), tuple(str(n.name) for n in self.after.nodes))
        model = SplitIntoSums((target,))(self.alone).model
        groups = {str(node.name): _part_of(str(node.name)) for node in model.graph}
        weights = group_weights(model, groups, self.prices.spec)
        held, total = prod(self.shape), 0.0
        for index, term in enumerate(intervals(one.terms, places)):
            inputs = self._elements(one.read(term)) + (held if index else 0)
            total += self._price(weights[f".part{index}"], inputs, held)
        return total

    def _price(self, weights: Weights, inputs: int, outputs: int) -> float:
        return float(self.prices.seconds(loads(weights, inputs, outputs, self.prices.spec))[0])

    def _elements(self, read: Sequence[tuple[ir.Value, Region]]) -> int:
        """Elements at the boundary of a part that reads these regions, each tensor once."""
        total = 0
        for value in dict.fromkeys(value for value, _ in read):
            parts = self.known.get(str(value.name), [whole(shape_of(value))])
            needed = [region for one, region in read if one is value]
            total += sum(prod(sizes(p)) for p in parts if any(overlap(p, r) for r in needed))
        return total


def _key(made: Demands, read: Sequence[tuple[ir.Value, Region]]) -> str:
    """Equal for parts of equal sizes and padding, whose cells are equal."""
    attributes = [
        {name: one.value for name, one in restriction.attributes.items()}
        for _, restriction in made.values()
    ]
    return repr(
        ([sizes(region) for region, _ in made.values()], attributes, [sizes(r) for _, r in read])
    )


def _part_of(name: str) -> str:
    """ ".part3" of a node of that part, which is named so or with ".add" behind."""
    _, mark, number = name.removesuffix(".add").rpartition(".part")
    return f"{mark}{number}"


def _even(size: int, parts: int) -> tuple[int, ...]:
    return tuple(round(index * size / parts) for index in range(1, parts))
