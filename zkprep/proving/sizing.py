"""Where to cut and how to set each slice's circuit, so that the ends of every wire agree.

EZKL takes integers at scale 0: a slice that reads some that have a scale cannot be expressed, so it
is joined to the slice before it and the chain is sized again. A slice whose circuit takes more
memory than its cells suggested has the model cut again, that much smaller.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec import UNSET

from zkprep import tune
from zkprep.circuit import CircuitSpec
from zkprep.cost.loads import Prices
from zkprep.cost.machine import constants
from zkprep.cost.work import REFERENCE
from zkprep.errors import RangeExceeded, TooLarge
from zkprep.model import input_specs, output_specs
from zkprep.options import Baselines, Options, memory_limit
from zkprep.prepare import Prepared
from zkprep.proving import trial
from zkprep.proving.boundary import boundaries
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized, with_twins
from zkprep.proving.taper import tapered
from zkprep.slices import Limits, Slicing, apply_cut, check_chain, choose_cut, planned
from zkprep.splitting import fitted
from zkprep.weights import whole_load

MEMORY_ROUNDS = 8
PLENTY = 1 << 60
"""Bytes that limit nothing."""

_SPARE = 0.95

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
        TooLarge: no cut keeps the limits.
    """
    spec = planned(scale)
    room = memory or memory_limit(options)
    limits = Limits(room, options.max_logrows, options.blocks, options.workers)
    refused: TooLarge | None = None
    for share in _PART_SHARES:
        split = fitted(prepared, Prices(spec, int(share * room), limits.max_logrows))
        try:
            return apply_cut(split, choose_cut(split, limits, spec))
        except TooLarge as error:
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
    memory = above = memory_limit(job.options)
    refused: tune.SliceTooLarge | None = None
    for _ in range(MEMORY_ROUNDS):
        try:
            slicing = _cut(job, memory)
        except TooLarge:
            if refused is None:
                raise
            memory = (memory + above) // 2  # an operator alone needs more: not that small
            continue
        try:
            return _sized(job, slicing)
        except tune.SliceTooLarge as error:
            refused, above = error, memory
            memory = _smaller(memory, error)
            if job.options.blocks is not None or job.fit.whole:
                break
    assert refused is not None
    raise TooLarge(str(refused), stage="tune", hint=_what_fits(job, memory, refused))


def estimated_whole(job: Job) -> float:
    """CPU seconds to prove the model in one slice, by the prices of cuts; infinite if too large."""
    options = job.options
    prices = Prices(planned(options.scale), memory_limit(options), options.max_logrows)
    return float(prices.seconds(whole_load(job.prepared.model, prices.spec))[0])


def _cut(job: Job, memory: int) -> Slicing:
    """The cut; where so many slices do not fit by their cells, their circuits have to decide."""
    options = replace(job.options, blocks=1) if job.fit.whole else job.options
    try:
        return cut(job.prepared, options, memory, job.scale)
    except TooLarge:
        if options.blocks is None:
            raise
        return cut(job.prepared, options, PLENTY, job.scale)


def _sized(job: Job, slicing: Slicing) -> tuple[Slicing, dict[str, list[Sized]]]:
    """The circuits of both variants; slices between which integers have a scale are joined."""
    baselines = job.options.baselines
    while True:
        try:
            variants = {"prepared": _prepared(job, slicing)}
            if baselines is not Baselines.NONE:
                variants["plain"] = _plain(job, slicing)
        except tune.ScaleConflict as conflict:
            slicing = apply_cut(slicing.prepared, slicing.merged(conflict.index))
        else:
            return slicing, {name: with_twins(sized) for name, sized in variants.items()}


def _prepared(job: Job, slicing: Slicing) -> list[Sized]:
    """Every slice's circuit, chosen for the chain as a whole."""
    views = _views(job, slicing, "prepared")

    def choose() -> list[trial.Chosen]:
        limits = tune.Limits(
            memory=memory_limit(job.options),
            logrows=job.options.max_logrows or tune.LARGEST_LOGROWS,
            margin=job.fit.margin,
            multiplier=job.fit.multiplier,
            machine=constants(job.backend.version.split()[-1]),
        )
        with trial.demands(job.backend, views) as demands:
            bits = _bits(job, slicing, views)
            return _tuned(job, views, demands, limits, bits)

    asked = repr((job.fit, _budgets(job.options), [view.boundary for view in views])).encode()
    chosen = trial.chosen(job, views, "chain", asked, choose)
    return [trial.sized(job, view, one) for view, one in zip(views, chosen, strict=True)]


def _bits(job: Job, slicing: Slicing, views: Sequence[trial.View]) -> list[int]:
    """The scale to which each slice's values may descend."""
    if not job.fit.tapered:
        return [job.scale] * len(views)
    outputs = [spec.name for spec in output_specs(slicing.whole("prepared"))]
    return tapered(views, outputs, job.scale, job.options.tolerance)


def _tuned(
    job: Job,
    views: Sequence[trial.View],
    demands: Sequence[tune.Demand],
    limits: tune.Limits,
    bits: Sequence[int],
) -> list[trial.Chosen]:
    """The cheapest circuits; all slices with committed sides have as many rows.

    A commitment is to values on the rows of a column: with other rows it is another one.
    """

    def tuned(logrows: int | None) -> list[tuple[tune.Circuits, tune.Choice]]:
        fixed = limits if logrows is None else replace(limits, least=logrows, logrows=logrows)
        chain = [
            tune.Circuits(demand, fixed if view.boundary.commits else limits, scale=own)
            for view, demand, own in zip(views, demands, bits, strict=True)
        ]
        return list(zip(chain, _choices(job, chain), strict=True))

    found = tuned(None)
    pairs = zip(views, found, strict=True)
    rows = {choice.spec.logrows for view, (_, choice) in pairs if view.boundary.commits}
    if len(rows) > 1:
        found = _cheapest(tuned, range(min(rows), max(rows) + 1))
    return [
        trial.Chosen(view.boundary.applied(choice.spec), _savings(view, circuits, choice))
        for view, (circuits, choice) in zip(views, found, strict=True)
    ]


def _cheapest(
    tuned: Callable[[int], list[tuple[tune.Circuits, tune.Choice]]], rows: Sequence[int]
) -> list[tuple[tune.Circuits, tune.Choice]]:
    """The chain of least work over the numbers of rows at which there is one."""
    found, refused = [], []
    for logrows in rows:
        try:
            found.append(tuned(logrows))
        except (TooLarge, RangeExceeded) as error:
            refused.append(error)
    if not found:
        raise refused[-1]
    return min(found, key=lambda chain: sum(choice.seconds for _, choice in chain))


def _savings(
    view: trial.View, circuits: tune.Circuits, choice: tune.Choice
) -> tuple[tune.Saving, ...]:
    """What choices saved; that the verifier checks the boundary is none where it is private."""
    savings = tune.explain(circuits, choice)
    if view.boundary.inputs != "private":
        return savings
    return tuple(one for one in savings if one.setting != "boundary checked by")


def _choices(job: Job, chain: list[tune.Circuits]) -> tuple[tune.Choice, ...]:
    budget = job.options.max_proof_bytes
    if job.fit.coarse:
        return tune.refined(chain, job.scale, budget, job.options.tolerance)
    return tune.tuned(chain, job.scale, budget)


def _plain(job: Job, slicing: Slicing) -> list[Sized]:
    """Every slice's circuit under EZKL's own digits, in chain order, each at its inputs' scale."""
    scales: dict[str, int] = {}
    sized = []
    for index, view in enumerate(_views(job, slicing, "plain")):
        names = [spec.name for spec in input_specs(view.model)]
        scale, descents = tune.entries(view.model, scales, job.scale, job.scale)[0]
        spec = CircuitSpec(input_scale=scale, param_scale=job.scale, descents=descents or UNSET)
        one = trial.sized(job, view, _plain_one(job, view, spec))
        for name, got in zip(names, one.input_scales, strict=True):
            if scales.setdefault(name, got) != got:
                raise tune.ScaleConflict(index, view.piece.name)
        outputs = [spec.name for spec in output_specs(view.model)]
        scales.update(zip(outputs, one.settings.model_output_scales, strict=True))
        sized.append(one)
    return sized


def _plain_one(job: Job, view: trial.View, spec: CircuitSpec) -> trial.Chosen:
    def choose() -> list[trial.Chosen]:
        with trial.demands(job.backend, [view]) as demands:
            plain = tune.plain(spec, demands[0], job.fit.margin)
            return [trial.Chosen(view.boundary.applied(plain), ())]

    asked = repr((spec, job.fit.margin, view.boundary)).encode()
    return trial.chosen(job, [view], view.piece.name, asked, choose)[0]


def _views(job: Job, slicing: Slicing, variant: str) -> list[trial.View]:
    """Every slice of a variant with what it reads on each sample, the user's input first."""
    inputs = (job.feeds, *job.given, *job.samples)
    chains = [check_chain(slicing, variant, one) for one in inputs]
    outputs = [spec.name for spec in output_specs(slicing.whole(variant))]
    seen = boundaries(slicing, outputs, job.options.links, job.options.input_visibility)
    return [
        trial.View(variant, piece, tuple(chain[index][0] for chain in chains), seen[index])
        for index, piece in enumerate(slicing.slices)
    ]


def _budgets(options: Options) -> tuple[int | None, ...]:
    return options.memory, options.max_logrows, options.max_proof_bytes


def _smaller(memory: int, refused: tune.SliceTooLarge) -> int:
    """What cells alone may take where `memory` made a slice too large; a share is always taken."""
    start = min(int(REFERENCE.memory_start), refused.room // 2)
    share = (refused.room - start) / (refused.need - start)
    return start + int(_SPARE * share * max(0, memory - start))


def _what_fits(job: Job, memory: int, refused: tune.SliceTooLarge) -> str:
    """The slicing that would fit, where there is one."""
    free = replace(job.options, blocks=None)
    for limit in (memory, refused.room):
        try:
            slices = cut(job.prepared, free, limit, job.scale).slices
        except TooLarge:
            continue
        need = refused.need * 1.02 / 1e6
        return f"leave --blocks to zkprep: {len(slices)} slices or so fit; or --memory {need:.0f}MB"
    return refused.hint
