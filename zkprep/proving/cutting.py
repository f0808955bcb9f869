"""Where to cut, by what the circuits of a cut take: cells suggest it, circuits decide.

A slice whose circuit takes more memory than its cells suggested has the model cut again, that much
smaller; where cells allow no cut so small, the smallest they allow is tried. What a refusal says
would do has been tried as well.
"""

from dataclasses import replace
from math import ceil

from zkprep.circuit import CircuitSpec
from zkprep.cost.loads import Prices
from zkprep.cost.work import REFERENCE
from zkprep.errors import NoCut, TooLarge
from zkprep.options import Options, memory_limit
from zkprep.prepare import Prepared
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized
from zkprep.proving.sizing import size
from zkprep.slicing.slices import Limits, Slicing, apply_cut, choose_cut, planned
from zkprep.slicing.splitting import fitted
from zkprep.slicing.weights import whole_load
from zkprep.tune import SliceTooLarge

MEMORY_ROUNDS = 8
"""Cuts whose circuits are asked for."""

MEMORY_CUTS = 16
"""Cuts by cells that are looked at for them; each is that much smaller, or known to be possible."""

PLENTY = 1 << 60
"""Bytes that limit nothing."""

_SPARE = 0.95

_DOUBT = 1.25
"""How much more cells may suggest than circuits take."""

_ROUNDED = 1.02
"""What a refusal asks for is so much more than what it measured."""

_MEMORY_TRIES = 3
"""Memories that are tried before one is named."""

_PART_SHARES = (1.0, 0.9, 0.7, 0.5)
"""What the parts of a split operator may take of a slice's memory: tried in turn."""


def cut(
    prepared: Prepared,
    options: Options,
    memory: int | None = None,
    scale: int | None = None,
) -> Slicing:
    """The cheapest cut of the prepared model within the options' limits.

    Operators that no slice could hold are split first; smaller than need be where that leaves no
    room for what joins the parts, which costs no cells and has no slice of its own.

    Args:
        prepared: the model.
        options: the limits.
        memory: bytes that a slice may take by its cells alone; None: the options' limit.
        scale: bits after the binary point; None: as few as are ever tried.

    Raises:
        NoCut: no cut keeps the limits.
    """
    spec = planned(scale)
    room = memory or memory_limit(options)
    limits = Limits(room, options.max_logrows, options.blocks, options.workers)
    refused: NoCut | None = None
    for share in _PART_SHARES:
        split = fitted(prepared, Prices(spec, int(share * room), limits.max_logrows))
        try:
            return apply_cut(split, choose_cut(split, limits, spec))
        except NoCut as error:
            refused = refused or error
            if not split.splits:
                break
    assert refused is not None
    raise refused


def cut_and_size(job: Job) -> tuple[Slicing, dict[str, list[Sized]]]:
    """The slices, and per variant their circuits; chained slices are checked to be the whole model.

    Raises:
        TooLarge: no cut keeps the limits; says what it takes, and how many slices would do.
        RangeExceeded: no circuit holds a slice's values.
        Disagreement: the chained slices are not the whole model.
    """
    limit = memory_limit(job.options)
    try:
        return _within(job, limit)
    except SliceTooLarge as error:
        if job.fit.whole or job.fit.tapered or job.fit.coarse:
            raise  # tried beside what fits: nobody is told
        raise TooLarge(str(error), stage="tune", hint=_what_fits(job, limit, error)) from error


def estimated_whole(job: Job) -> float:
    """CPU seconds to prove the model in one slice, by the prices of cuts; infinite if too large."""
    options = job.options
    prices = Prices(planned(options.scale), memory_limit(options), options.max_logrows)
    return float(prices.seconds(whole_load(job.prepared.model, prices.spec))[0])


def _within(job: Job, limit: int) -> tuple[Slicing, dict[str, list[Sized]]]:
    """The cheapest cut found whose circuits keep `limit` bytes.

    Raises:
        SliceTooLarge: none does; of those that were tried, what takes least.
        NoCut: none is near it, by cells.
    """
    options = replace(job.options, blocks=1) if job.fit.whole else job.options
    memory, above = limit, int(_DOUBT * limit)
    tried: dict[tuple[tuple[str, ...], ...], SliceTooLarge] = {}
    missed: TooLarge | None = None
    for _ in range(MEMORY_CUTS):
        try:
            slicing = cut(job.prepared, options, memory, job.scale)
        except NoCut as error:
            missed = error
            if options.blocks is not None and not tried:
                slicing = cut(job.prepared, options, PLENTY, job.scale)
            elif memory < error.least < above:
                memory = max(error.least, (memory + above) // 2) if tried else error.least
                continue
            else:
                break
        nodes = tuple(piece.nodes for piece in slicing.slices)
        above = memory
        if nodes in tried:  # less than its cells suggest makes it another cut
            memory = min(memory, _suggested(slicing, tried[nodes], planned(job.scale))) - 1
            continue
        try:
            return size(job, slicing, limit)
        except SliceTooLarge as error:
            tried[nodes] = error
            memory = _smaller(memory, error)
        if options.blocks == 1 or len(tried) == MEMORY_ROUNDS:
            break
    refused = min(tried.values(), key=lambda error: error.need, default=missed)
    assert refused is not None
    raise refused


def _smaller(memory: int, refused: SliceTooLarge) -> int:
    """What cells alone may take where `memory` made a slice too large; a share is always taken."""
    start = min(int(REFERENCE.memory_start), refused.room // 2)
    share = (refused.room - start) / (refused.need - start)
    return start + int(_SPARE * share * max(0, memory - start))


def _suggested(slicing: Slicing, refused: SliceTooLarge, spec: CircuitSpec) -> int:
    """Bytes of the refused slice by its cells: what allows so much allows that slice again."""
    models = {piece.name: piece.prepared for piece in slicing.slices}
    named = models.get(refused.slice_name)
    own = list(models.values()) if named is None else [named]  # or of the largest, if joined
    return int(max(Prices(spec).peaks(whole_load(model, spec))[0] for model in own))


def _what_fits(job: Job, limit: int, refused: SliceTooLarge) -> str:
    """What would do instead, tried: as many slices as it takes, or so much memory."""
    memory = f"raise --memory {_enough(job, refused)}"
    if job.options.blocks is None:
        return memory
    free = replace(job, options=replace(job.options, blocks=None))
    try:
        slices = len(_within(free, limit)[0].slices)
    except TooLarge:
        return memory
    return f"leave --blocks to zkprep: {slices} slices fit; or {memory}"


def _enough(job: Job, refused: SliceTooLarge) -> str:
    """The memory at which there is a cut; a refusal speaks of one slice, others may take more."""
    for _ in range(_MEMORY_TRIES):
        megabytes = ceil(refused.need * _ROUNDED / 1e6)
        more = replace(job, options=replace(job.options, memory=megabytes * 10**6))
        try:
            _within(more, memory_limit(more.options))
        except SliceTooLarge as error:
            refused = error
        except TooLarge:
            break
        else:
            return f"to {megabytes}MB"
    return f"beyond {megabytes}MB"
