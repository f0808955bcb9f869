"""The circuits of a whole chain: least prover work such that the ends of every link agree in scale.

A slice that defers rebases puts out a larger scale than it reads, and the next slice has to take
it as it is or to let it descend (zkprep.tune.entry). So the scales of links are chosen together, by
dynamic programming over the slices in order; a state is the scale of every tensor that a later
slice reads. Where proofs are too long in total, a price per byte is added to the work and raised
until they are not (a Lagrange multiplier: near the best, not proved the best).
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from zkprep.errors import TooLarge, ZkprepError
from zkprep.models.model import input_specs, output_specs
from zkprep.room import usable_cores
from zkprep.tune.choice import Choice, Point
from zkprep.tune.circuits import Circuits
from zkprep.tune.entry import entries

STATES = 64
"""States kept after each slice, the cheapest."""

_PRICE_STEPS = 24
_HIGHEST_PRICE = 1.0
"""CPU seconds per byte of proof."""

ALIKE = 1.05
"""Costs whose quotient is less are equal: so far the law of work is off (zkprep.cost.work)."""

_COLUMN_BYTES = 32
"""A fixed column more than estimated makes a proof so much longer."""

Scales = tuple[tuple[str, int], ...]


class ScaleConflict(ZkprepError):
    """Slice `index` reads integers at scale 0 that have another: EZKL cannot rescale them."""

    def __init__(self, index: int, name: str) -> None:
        super().__init__(f"slice {name} reads integers of a scale; they must share a slice")
        self.index = index


@dataclass(frozen=True, slots=True)
class _Path:
    """Choices for the slices so far and their price."""

    price: float = 0.0
    choices: tuple[Choice, ...] = ()


def tuned(
    chain: Sequence[Circuits], scale: int, max_proof_bytes: int | None = None
) -> tuple[Choice, ...]:
    """The cheapest circuits of the slices of a chain, all of them as EZKL counts them.

    Args:
        chain: the slices in executable order.
        scale: of the model's inputs, and of the constants of slices without a `param_scale`.
        max_proof_bytes: most bytes of all raw proofs together.

    Raises:
        ScaleConflict: a slice reads integers that have a scale, whatever is chosen.
        RangeExceeded: no layout holds a slice's values.
        TooLarge: a budget cannot be kept.
    """
    while True:
        path = estimated(chain, scale, max_proof_bytes)
        guessed = [pair for pair in zip(chain, path, strict=True) if not pair[1].exact]
        if not guessed:
            return path
        with ThreadPoolExecutor(usable_cores()) as pool:
            list(pool.map(lambda pair: pair[0].learn(pair[1].spec), guessed))


def proof_bytes(choices: Sequence[Choice]) -> int:
    """Most bytes of all raw proofs together."""
    return sum(one.layout.proof_bytes + _COLUMN_BYTES for one in choices)


def estimated(
    chain: Sequence[Circuits], scale: int, max_proof_bytes: int | None = None
) -> tuple[Choice, ...]:
    """As `tuned`, as far as is known: EZKL is asked of no circuit."""
    best = _cheapest(chain, scale, 0.0)
    if max_proof_bytes is None or proof_bytes(best) <= max_proof_bytes:
        return best
    low, high = 0.0, _HIGHEST_PRICE
    best = _cheapest(chain, scale, high)
    if (least := proof_bytes(best)) > max_proof_bytes:
        raise TooLarge(
            f"the proofs take {least:,} bytes at least, --max-proof-bytes is {max_proof_bytes:,}",
            stage="tune",
            hint="raise --max-proof-bytes, or cut the model into fewer slices",
        )
    for _ in range(_PRICE_STEPS):
        price = (low + high) / 2
        path = _cheapest(chain, scale, price)
        if proof_bytes(path) <= max_proof_bytes:
            best, high = path, price
        else:
            low = price
    return best


def _cheapest(chain: Sequence[Circuits], scale: int, price: float) -> tuple[Choice, ...]:
    """The path of least seconds plus `price` per byte of proof."""
    paths: dict[Scales, _Path] = {(): _Path()}
    for index, circuits in enumerate(chain):
        needed = {name for later in chain[index + 1 :] for name in _inputs(later)}
        found: dict[Scales, _Path] = {}
        for state, path in paths.items():
            for after, choice in _steps(circuits, dict(state), scale, price, needed):
                kept = tuple(sorted((n, s) for n, s in after.items() if n in needed))
                cost = path.price + _cost(choice, price)
                if kept not in found or cost < found[kept].price:
                    found[kept] = _Path(cost, (*path.choices, choice))
        if not found:
            raise _dead_end(circuits, index, paths, scale, needed)
        best = sorted(found.items(), key=lambda item: (item[1].price, item[0]))
        paths = dict(best[:STATES])
    return min(paths.values(), key=lambda path: path.price).choices


def _steps(
    circuits: Circuits, scales: Mapping[str, int], scale: int, price: float, needed: Set[str]
) -> Iterator[tuple[dict[str, int], Choice]]:
    """The best choice for each entry and multiplier, and the scales of all tensors after it.

    `needed`: tensors that later slices read.
    """
    outputs = _outputs(circuits)
    last, own = needed.isdisjoint(outputs), circuits.scale or scale
    for point in (
        point
        for start in _starts(circuits, scales, scale)
        for point in circuits.points(start, own, last=last)
    ):
        choices = circuits.choices(point)
        if not choices:
            continue
        best = _best(choices, price)
        inputs = dict(zip(_inputs(circuits), best.input_scales, strict=True))
        if all(scales.get(name, got) == got for name, got in inputs.items()):
            yield {**scales, **inputs, **dict(zip(outputs, best.output_scales, strict=True))}, best


def _best(choices: Sequence[Choice], price: float) -> Choice:
    """The cheapest; of those that the law cannot tell from it, the one of fewest cells.

    Cells are counted, seconds and memory predicted, and what memory may take has been limited.
    """
    least = min(_cost(one, price) for one in choices)
    near = [one for one in choices if _cost(one, price) <= least * ALIKE]
    return min(near, key=lambda one: (one.cells, _cost(one, price), one.peak))


def _starts(circuits: Circuits, scales: Mapping[str, int], scale: int) -> list[Point]:
    """Where multipliers begin, for every entry; one that needs no descent where care is taken."""
    own = circuits.scale or scale
    bits = circuits.param_scale or own
    found = entries(circuits.demand.model, scales, scale, own)
    kept = found if circuits.limits.multiplier > 1 else found[:1]
    return [Point(one.input_scale, bits, 1, one.descents) for one in kept]


def _cost(choice: Choice, price: float) -> float:
    return choice.seconds + price * choice.layout.proof_bytes


def _inputs(circuits: Circuits) -> list[str]:
    return [spec.name for spec in input_specs(circuits.demand.model)]


def _outputs(circuits: Circuits) -> list[str]:
    return [spec.name for spec in output_specs(circuits.demand.model)]


def _dead_end(
    circuits: Circuits, index: int, paths: Mapping[Scales, _Path], scale: int, needed: Set[str]
) -> ZkprepError:
    """Why no path goes on: values that nothing holds, no circuit, or integers that have a scale."""
    last, own = needed.isdisjoint(_outputs(circuits)), circuits.scale or scale
    starts = [start for state in paths for start in _starts(circuits, dict(state), scale)]
    reached = {start: circuits.points(start, own, last=last) for start in starts}
    if starts and not any(circuits.choices(point) for found in reached.values() for point in found):
        held = [start for start, found in reached.items() if found]
        return circuits.refusal(min(held or starts, key=lambda one: one.limit), own, last=last)
    return ScaleConflict(index, circuits.demand.name)
