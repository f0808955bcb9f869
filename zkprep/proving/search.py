"""At which scale, how boldly and in how many slices: as few bits and as little work as will do.

Cuts are chosen by prices that know neither values nor precision. So where one slice may be as cheap
by the same prices, its circuit is fitted as well, and what EZKL makes of both decides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

from zkprep.cost.circuit import layout
from zkprep.cost.work import predict
from zkprep.errors import Disagreement, Imprecise, RangeExceeded, TooLarge, ZkprepError
from zkprep.options import ENOUGH, SCALES, Links
from zkprep.proving import prover
from zkprep.proving.cutting import cut_and_size, estimated_whole
from zkprep.proving.job import Fit, Job
from zkprep.proving.sized import Sized

Care = tuple[int, int, bool]
CARES: tuple[Care, ...] = ((4, 16, True), (4, 16, False), (4, 1, False), (1024, 1, False))
"""Margin over the samples' values, largest rebase multiplier, landings; boldest first: see Fit."""

_DOUBT = 1.25
"""How much less than its price one slice may turn out to cost."""

_Found = tuple[Fit, list[Sized], list[list[Sized]]]
"""A fit, its circuits, and those that were refused on the way to it."""

_UNFIT = (TooLarge, Imprecise, RangeExceeded, Disagreement)


def cheapest(job: Job) -> Fit:
    """The fit of the cut, or that of one slice where it takes no more.

    Raises:
        Imprecise: no scale keeps the tolerance.
        RangeExceeded: no circuit holds the values.
        Disagreement: a circuit computes something else than its model.
        TooLarge: no cut keeps the limits.
    """
    try:
        fit, sized, refused = _found(job)
    except _UNFIT as error:
        if not _may_be_whole(job) or estimated_whole(job) == inf:
            raise
        try:
            return _found(_whole(job))[0]
        except _UNFIT:
            raise error from None  # one slice was ours to try: what was asked for is the cut
    if all(len(made) <= 1 for made in (sized, *refused)) or not _may_be_whole(job):
        return fit
    spent = _spent(sized)
    if estimated_whole(job) > _DOUBT * spent:
        return fit
    try:
        whole, one, _ = _found(_whole(job))
    except _UNFIT:
        return fit
    return whole if _spent(one) <= spent else fit


def _may_be_whole(job: Job) -> bool:
    """Whether nothing was asked of the cut but to be cheap; one slice has no link to hide."""
    options = job.options
    free = options.blocks is None and options.workers is None and options.links == Links()
    return free and not job.fit.whole


def _whole(job: Job) -> Job:
    return replace(job, fit=replace(job.fit, whole=True))


def _spent(sized: list[Sized]) -> float:
    """CPU seconds to prove all slices on the reference machine, as predicted."""
    return sum(predict(layout(one.settings)).prove_cpu_seconds for one in sized)


def _found(job: Job) -> _Found:
    """The cheapest circuits that are fine enough; without landings too, where these went wrong."""
    fit, sized, refused = _raised(job, CARES)
    if any(_lands(made) for made in refused):
        try:
            other, others, more = _raised(job, CARES[1:])
        except _UNFIT:
            return fit, sized, refused
        if _spent(others) < _spent(sized):
            return other, others, [*refused, *more]
    return fit, sized, refused


def _raised(job: Job, every: Sequence[Care]) -> _Found:
    """Raise the scale while the chain is too coarse; take more care where a circuit is wrong.

    The argmax has to agree; under a large tolerance only while more bits, up to ENOUGH, may bring
    it about. None are tried beyond ENOUGH before ENOUGH itself.
    """
    given, cares = job.options.scale, list(every)
    scales = list(SCALES) if given is None else [given]
    coarse: Imprecise | None = None
    doubt: RangeExceeded | Disagreement | None = None
    refused: list[list[Sized]] = []
    while True:
        job = replace(job, fit=Fit(scales[0], *cares[0], whole=job.fit.whole))
        made: list[Sized] = []
        try:
            made = cut_and_size(job)[1]["prepared"]
            few = len(scales) > 1 and scales[0] < ENOUGH
            _require_fine(job, made, argmax=few or job.options.keeps_argmax)
        except Imprecise as error:
            if len(scales) == 1:
                raise
            coarse, doubt = error, None
            scales = _finer(scales, error.bits)
        except TooLarge as error:
            if doubt is None:
                raise
            doubt.hint = f"with more care or bits, {error}; {error.hint}"
            raise doubt from error
        except (RangeExceeded, Disagreement) as error:
            doubt = error
            if len(cares) > 1:
                cares = [one for one in cares[1:] if _lands(made) or one[:2] != cares[0][:2]]
            elif len(scales) > 1 and isinstance(error, RangeExceeded):
                # A quotient by what is nearly 0 at this scale is smaller at a finer one.
                scales, cares = scales[1:], list(every)
            else:
                raise _between(coarse, error) from error.__cause__
        else:
            return *_with_fewest_bits(job, made), refused
        refused.append(made)


def _lands(sized: Sequence[Sized]) -> bool:
    return any(one.spec.landings for one in sized)


def _between(coarse: Imprecise | None, error: ZkprepError) -> ZkprepError:
    """The last refusal, which says where the bits it finds too many are needed."""
    if coarse is not None and isinstance(error, RangeExceeded):
        error.hint = f"with fewer bits, {coarse}; a larger --tolerance may do"
    return error


def _finer(scales: Sequence[int], bits: int) -> list[int]:
    """Those left to try where the first of several is too coarse by so many bits at least."""
    least = scales[0] + bits
    if scales[0] < ENOUGH:
        least = min(least, ENOUGH)
    return [one for one in scales if one >= least] or [scales[-1]]


def _with_fewest_bits(job: Job, sized: list[Sized]) -> tuple[Fit, list[Sized]]:
    """The cheapest of a fit and of those with fewer bits."""
    found = [(job.fit, sized), *_coarser(job, sized)]
    return min(found, key=lambda one: _spent(one[1]))


def _coarser(job: Job, sized: list[Sized]) -> Iterator[tuple[Fit, list[Sized]]]:
    """Fits with fewer bits, in later slices or in constants, that are fine enough, too."""
    if job.options.scale is not None:
        return
    tapered, coarse = replace(job.fit, tapered=True), replace(job.fit, coarse=True)
    for fit in (coarse,) if len(sized) == 1 else (tapered, coarse):
        fewer = replace(job, fit=fit)
        try:
            _, found = cut_and_size(fewer)
            if [one.spec for one in found["prepared"]] == [one.spec for one in sized]:
                continue
            _require_fine(fewer, found["prepared"], argmax=True)
        except _UNFIT:
            continue
        yield fit, found["prepared"]


def _require_fine(job: Job, sized: list[Sized], *, argmax: bool) -> None:
    """Let circuits pass that compute the model's function within the tolerance on every sample.

    Raises:
        Imprecise: they are too coarse.
        RangeExceeded: they do not hold a value.
        Disagreement: they compute something else.
    """
    tolerance = job.options.tolerance
    witnesses = prover.witness(job, sized, tolerance)
    prover.sample(job, sized, tolerance)
    prover.require_faithful_chain(job, sized, witnesses, argmax=argmax)
