"""How a chain's circuits are set, so that the ends of every wire agree.

EZKL takes integers at scale 0: a slice that reads some that have a scale cannot be expressed, so it
is joined to the slice before it and the chain is sized again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

from msgspec import UNSET

from zkprep import tune
from zkprep.circuit import CircuitSpec
from zkprep.cost.machine import constants
from zkprep.cost.work import predict
from zkprep.errors import RangeExceeded, TooLarge
from zkprep.models.model import input_specs, output_specs
from zkprep.options import Baselines, Options
from zkprep.proving import trial
from zkprep.proving.boundary import boundaries
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized, with_twins
from zkprep.proving.taper import tapered
from zkprep.slicing.slices import Slicing, apply_cut, check_chain


def size(job: Job, slicing: Slicing, room: int) -> tuple[Slicing, dict[str, list[Sized]]]:
    """The circuits of both variants; slices between which integers have a scale are joined.

    Args:
        job: the run.
        slicing: the cut.
        room: bytes that proving a slice may take.

    Raises:
        SliceTooLarge: a slice's circuits take more memory than there is.
        TooLarge: another budget cannot be kept.
        RangeExceeded: no circuit holds a slice's values.
        Disagreement: the chained slices are not the whole model.
    """
    baselines = job.options.baselines
    while True:
        try:
            variants = {"prepared": _prepared(job, slicing, room)}
            if baselines is not Baselines.NONE:
                variants["plain"] = _plain(job, slicing)
        except tune.ScaleConflict as conflict:
            slicing = apply_cut(slicing.prepared, slicing.merged(conflict.index))
        else:
            return slicing, {name: with_twins(sized) for name, sized in variants.items()}


def _prepared(job: Job, slicing: Slicing, room: int) -> list[Sized]:
    """Every slice's circuit, chosen for the chain as a whole."""
    views = _views(job, slicing, "prepared")

    def choose() -> list[trial.Chosen]:
        limits = tune.Limits(
            memory=room,
            logrows=job.options.max_logrows or tune.LARGEST_LOGROWS,
            margin=job.fit.margin,
            multiplier=job.fit.multiplier,
            lands=job.fit.lands,
        )
        with trial.demands(job.backend, views) as demands:
            bits = _bits(job, slicing, views)
            return _chosen(views, _tuned_here(job, views, demands, limits, bits))

    asked = repr((job.fit, _budgets(job.options), [view.boundary for view in views])).encode()
    chosen = trial.chosen(job, views, "chain", asked, choose)
    return [trial.sized(job, view, one) for view, one in zip(views, chosen, strict=True)]


def _bits(job: Job, slicing: Slicing, views: Sequence[trial.View]) -> list[int]:
    """The scale to which each slice's values may descend."""
    if not job.fit.tapered:
        return [job.scale] * len(views)
    outputs = [spec.name for spec in output_specs(slicing.whole("prepared"))]
    return tapered(views, outputs, job.scale, job.options.tolerance)


def _tuned_here(
    job: Job,
    views: Sequence[trial.View],
    demands: Sequence[tune.Demand],
    limits: tune.Limits,
    bits: Sequence[int],
) -> list[tuple[tune.Circuits, tune.Choice]]:
    """The circuits that every machine chooses or, where they do not fit this one, others that do.

    Raises:
        SliceTooLarge: there are none.
    """
    here = constants(job.backend.version.split()[-1])
    found = _tuned(job, views, demands, limits, bits)
    if any(predict(choice.layout, here).peak_bytes > limits.memory for _, choice in found):
        found = _tuned(job, views, demands, replace(limits, machine=here), bits)
    return found


def _tuned(
    job: Job,
    views: Sequence[trial.View],
    demands: Sequence[tune.Demand],
    limits: tune.Limits,
    bits: Sequence[int],
) -> list[tuple[tune.Circuits, tune.Choice]]:
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
    return found


def _chosen(
    views: Sequence[trial.View], found: Sequence[tuple[tune.Circuits, tune.Choice]]
) -> list[trial.Chosen]:
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
        raise min(reversed(refused), key=_missing)
    return min(found, key=lambda chain: sum(choice.seconds for _, choice in chain))


def _missing(error: TooLarge | RangeExceeded) -> float:
    """Bytes that would do, where they are all that is missing: then a smaller cut may help."""
    return error.need if isinstance(error, tune.SliceTooLarge) else inf


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
