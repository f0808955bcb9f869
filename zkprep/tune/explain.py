"""What each choice saved: from EZKL's own settings to the chosen ones, one setting at a time.

The steps add up to the whole. What one saves depends on those before it: from the second on, rows
and digits are chosen anew for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.circuit import TABLE_RESERVED_ROWS
from zkprep.cost.supposed import LEGS
from zkprep.tune.choice import LARGEST_LOGROWS, SMALLEST_LOGROWS, Choice
from zkprep.tune.circuits import Circuits
from zkprep.tune.counts import point_of


@dataclass(frozen=True, slots=True)
class Saving:
    """One choice: what it replaced, and what it saved (negative: cost) on the reference machine.

    Attributes:
        setting: what was chosen.
        default: EZKL's.
        chosen: ours.
        cpu_seconds: of proving.
        pk_bytes: of the proving key.
    """

    setting: str
    default: str
    chosen: str
    cpu_seconds: float
    pk_bytes: int


def explain(circuits: Circuits, choice: Choice) -> tuple[Saving, ...]:
    """The savings of a slice's choice, in the order in which they are made; unchanged ones too."""
    start = _one_block(circuits, _default(circuits, choice.spec))
    made, seconds = circuits.price(start)
    savings = []
    for setting, default, chosen, spec in _steps(circuits, choice, start):
        layout, price = circuits.price(spec)
        saved = seconds - price, made.pk_bytes - layout.pk_bytes
        savings.append(Saving(setting, default, chosen, *saved))
        made, seconds = layout, price
    return tuple(savings)


def _steps(
    circuits: Circuits, choice: Choice, start: CircuitSpec
) -> Iterator[tuple[str, str, str, CircuitSpec]]:
    """(setting, EZKL's value, the chosen value, the spec from there on)."""
    chosen = choice.spec
    spec = _best(circuits, replace(start, lookup_range=chosen.lookup_range))
    yield "digits; rows", _layout(circuits, start), _layout(circuits, chosen), spec
    spec = _best(circuits, replace(spec, checks_boundary=chosen.checks_boundary))
    yield "boundary checked by", "circuit", "verifier", spec
    spec = _best(circuits, replace(spec, integer_constants=chosen.integer_constants))
    yield "integers at scale", str(chosen.param_scale), "0", spec
    if chosen.descents:
        entered = replace(spec, input_scale=chosen.input_scale, descents=chosen.descents)
        spec = _best(circuits, entered)
        yield "entry rescaled by", "1", _factors(chosen.descents), spec
    limit, multiplier = point_of(spec).limit, chosen.scale_rebase_multiplier
    spec = _best(circuits, replace(spec, scale_rebase_multiplier=multiplier))
    yield "rebase beyond scale", str(limit), str(point_of(chosen).limit), spec
    if chosen.landings:
        spec = _best(circuits, replace(spec, landings=chosen.landings))
        yield "divided inside", "0", f"{len(chosen.landings)} tensors", spec
    if chosen.exits:
        spec = _best(circuits, replace(spec, exits=chosen.exits))
        yield "outputs rescaled by", "1", _factors(chosen.exits), spec
    yield "inner columns", str(start.num_inner_cols), str(chosen.num_inner_cols), chosen


def _default(circuits: Circuits, spec: CircuitSpec) -> CircuitSpec:
    """EZKL's own settings at the scales of `spec`, with digits enough for the values.

    EZKL would take all inputs at one scale: the finest, where they descend.
    """
    finest = spec.input_scale + max(spec.descents or (0,))
    made = CircuitSpec(input_scale=finest, param_scale=spec.param_scale)
    return replace(made, decomp_legs=_legs(circuits, made))


def _legs(circuits: Circuits, spec: CircuitSpec) -> int:
    found = circuits.legs(point_of(spec), spec.decomp_base) or LEGS[-1]
    return max(found, CircuitSpec().decomp_legs)


def _one_block(circuits: Circuits, spec: CircuitSpec) -> CircuitSpec:
    """With the least rows that hold all cells in one block, as EZKL's calibration picks them."""
    for logrows in range(_least_logrows(circuits, spec), LARGEST_LOGROWS + 1):
        made = replace(spec, logrows=logrows)
        if circuits.price(made)[0].blocks == 1:
            return made
    return spec


def _best(circuits: Circuits, spec: CircuitSpec) -> CircuitSpec:
    """With the rows, and digits of as large a base as fits them, that are cheapest."""
    point, candidates = point_of(spec), []
    for logrows in range(SMALLEST_LOGROWS, LARGEST_LOGROWS + 1):
        base = 2**logrows - TABLE_RESERVED_ROWS
        made = replace(spec, logrows=logrows, decomp_base=base)
        legs = circuits.legs(point, base)
        if legs is not None and logrows >= _least_logrows(circuits, made):
            made = replace(made, decomp_legs=legs)
            candidates.append((circuits.price(made)[1], logrows, made))
    return min(candidates, key=lambda one: one[:2], default=(0.0, 0, spec))[2]


def _least_logrows(circuits: Circuits, spec: CircuitSpec) -> int:
    table = spec.lookup_range[1] - spec.lookup_range[0] if circuits.looks_up else 0
    entries = max(spec.decomp_base, table, circuits.instances) + TABLE_RESERVED_ROWS
    return (entries - 1).bit_length()


def _factors(descents: Sequence[int]) -> str:
    """What each input or output is multiplied by."""
    return ", ".join(f"2**-{bits}" if bits else "1" for bits in descents)


def _layout(circuits: Circuits, spec: CircuitSpec) -> str:
    blocks = circuits.price(spec)[0].blocks
    return f"{spec.decomp_base}**{spec.decomp_legs}; {blocks} x 2**{spec.logrows}"
