"""The numbers of a statement's slices: rule (b) of zkprep.claims.wellformed.

Within bounds that keep arithmetic cheap and range checks meaningful. Besides, an input that
descends has the scale of its circuit's inputs, an output that is brought down comes from the scale
to which its circuit divides, and what lands inside lands below that.
"""

from collections.abc import Sequence

from msgspec import UNSET

from zkprep.claims.claim import Port, Slice
from zkprep.errors import StatementError

# Any three range-checked values have a product below p/2, about 2**253.
LARGEST_RANGE = 1 << 80
# EZKL brings operands to one scale by multipliers of 64 bits: a larger one is 0, and the operand is
# lost. How far operands are apart the model says (zkprep.bounds); an input may never be finer.
LARGEST_SCALE = 62
# Scale beyond which a circuit rebases, reached or not. At 0 it would never rebase.
LARGEST_DEFERRED_SCALE = 126
LARGEST_DESCENT = 126
"""2**-126 is the smallest float32 of full precision."""
LARGEST_EXIT = LARGEST_DESCENT - 1
"""One bit more is taken off, and given back by the Mul that EZKL divides behind."""
SPEC_BOUNDS = {
    "input_scale": (0, LARGEST_SCALE),
    "param_scale": (0, 30),  # slopes are multiplied by 2**param_scale, of 32 bits with its sign
    "scale_rebase_multiplier": (1, 64),
    "decomp_base": (2, 1 << 26),
    "decomp_legs": (1, 64),
    "num_inner_cols": (1, 1 << 10),
    "logrows": (1, 26),
}


def check(index: int, piece: Slice) -> None:
    """Refuse slice `index` of a statement (untrusted) whose numbers are out of bounds.

    Raises:
        StatementError: says which, and what was expected.
    """
    _check_spec(index, piece)
    _check_descents(index, piece)
    _check_exits(index, piece)
    _check_landings(index, piece)


def _check_spec(index: int, piece: Slice) -> None:
    spec = piece.spec
    for field, (low, high) in SPEC_BOUNDS.items():
        value = getattr(spec, field)
        if not low <= value <= high:
            raise StatementError(f"slice {index}: {field} is {value}, outside {low} to {high}")
    if spec.largest_value >= LARGEST_RANGE:
        raise StatementError(
            f"slice {index}: range checks reach {spec.decomp_base}**{spec.decomp_legs} - 1, "
            f"the limit is {LARGEST_RANGE - 1}"
        )
    low, high = spec.lookup_range
    if not -LARGEST_RANGE < low <= high < LARGEST_RANGE:
        raise StatementError(f"slice {index}: lookup range {low} to {high} is not a range")
    if not 1 <= spec.limit <= LARGEST_DEFERRED_SCALE:
        raise StatementError(
            f"slice {index}: scales grow to {spec.limit} before a rebase, "
            f"outside 1 to {LARGEST_DEFERRED_SCALE}"
        )
    if spec.logrows != piece.srs.logrows:
        raise StatementError(
            f"slice {index}: the SRS is for 2**{piece.srs.logrows} rows, not 2**{spec.logrows}"
        )


def _check_descents(index: int, piece: Slice) -> None:
    if piece.spec.descents is UNSET:
        return
    where = f"slice {index}: its inputs descend by {list(piece.spec.descents)}"
    for port, bits in _rescaled(
        where, "inputs", piece.inputs, piece.spec.descents, LARGEST_DESCENT
    ):
        if port.scale - bits != piece.spec.input_scale:
            raise StatementError(
                f"{where}, '{port.tensor}' of scale {port.scale} to {port.scale - bits}, "
                f"not to the circuit's {piece.spec.input_scale}"
            )


def _check_exits(index: int, piece: Slice) -> None:
    if piece.spec.exits is UNSET:
        return
    where = f"slice {index}: its outputs are brought down by {list(piece.spec.exits)}"
    for port, bits in _rescaled(where, "outputs", piece.outputs, piece.spec.exits, LARGEST_EXIT):
        if port.scale + bits != piece.spec.limit:
            raise StatementError(
                f"{where}, '{port.tensor}' to scale {port.scale} from {port.scale + bits}, "
                f"not from the {piece.spec.limit} to which its circuit divides"
            )


def _check_landings(index: int, piece: Slice) -> None:
    """That there are such tensors is known where the slice is made again (zkprep.tune.descent)."""
    if piece.spec.landings is UNSET:
        return
    where, limit = f"slice {index}: its tensors land as", piece.spec.limit
    places = [place for place, _ in piece.spec.landings]
    if not places or places[0] < 0 or places != sorted(set(places)):
        raise StatementError(f"{where} {places}, expected places in order, each once")
    for place, scale in piece.spec.landings:
        if not 0 <= scale < limit or limit - scale > LARGEST_EXIT:
            raise StatementError(
                f"{where} {place} at scale {scale}, "
                f"not below the {limit} to which its circuit divides"
            )


def _rescaled(
    where: str, side: str, ports: Sequence[Port], taken: Sequence[int], largest: int
) -> list[tuple[Port, int]]:
    """The ports of which bits are taken, and how many: one number for each port, some above 0."""
    if len(taken) != len(ports) or not any(taken):
        raise StatementError(f"{where}, expected bits for each of {len(ports)} {side}")
    if not all(0 <= bits <= largest for bits in taken):
        raise StatementError(f"{where}, outside 0 to {largest}")
    return [(port, bits) for port, bits in zip(ports, taken, strict=True) if bits]
