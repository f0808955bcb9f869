"""The whole story: prepare, cut, size, witness, prove, publish, verify, report."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from zkprep import __version__
from zkprep.backends.base import NOTHING_USED, Backend, Usage
from zkprep.execute.local import LocalExecutor, local_executor
from zkprep.execute.task import Executor
from zkprep.files import digest
from zkprep.models.inputs import inputs_like, read_inputs, read_samples
from zkprep.models.model import Feeds, save, seeded_inputs
from zkprep.options import Baselines, Options
from zkprep.prepare import Prepared, prepare
from zkprep.proving import baselines, prover
from zkprep.proving.assemble import assemble
from zkprep.proving.calibrate import on_first_use
from zkprep.proving.cutting import cut_and_size
from zkprep.proving.drawn import drawn_as_reported
from zkprep.proving.fidelity import Errors
from zkprep.proving.job import Fit, Job
from zkprep.proving.search import cheapest
from zkprep.proving.sized import Sized, input_data
from zkprep.proving.wrapping import unbounded
from zkprep.publish import publish
from zkprep.report.types import Report, Variant, Verdict, dump
from zkprep.runs.events import Notify
from zkprep.runs.store import Run, open_run
from zkprep.runs.survey import Asked, limits_of
from zkprep.slicing.slices import Slicing

SEED = 0
SAMPLE_SEEDS = (1, 2)


@dataclass(frozen=True, slots=True)
class Given:
    """What the user gave: inputs to prove the model on, and samples that circuits have to hold."""

    inputs: tuple[Feeds, ...]
    samples: tuple[Feeds, ...]


def prove(
    model: Path,
    data: Path | Sequence[Path],
    out: Path,
    options: Options,
    backend: Backend,
    notify: Notify,
    *,
    executor: Executor | None = None,
) -> Report:
    """Prepare, slice, prove and verify `model` on every input; everything lands in `out`.

    Args:
        model: the ONNX file.
        data: the input or inputs, as `zkprep.models.inputs.read_inputs` takes them.
        out: the run directory, new or to be resumed.
        options: what to do.
        backend: the prover.
        notify: told of every stage's beginning and end.
        executor: where keys and proofs are made; None: in workers on this machine.

    Raises:
        ZkprepError: what the user gave is not usable, or the prover failed.
    """
    prepared = prepare(model, options.dims, keep_head=options.keep_head)
    paths = [data] if isinstance(data, Path) else data
    given = Given(read_inputs(paths, prepared.normalised), _samples(options, prepared))
    with open_run(out, notify) as run:
        run.unpublish()
        save(prepared.original, run.model_path("original.onnx"))
        executor = executor or local_executor(backend, options)
        if options.calibrate and isinstance(executor, LocalExecutor):
            on_first_use(backend, notify)
        question = digest(f"{prepared.digest} {backend.version} {options}".encode())
        named = [str(path) for path in paths]
        asked = Asked(str(model), named, question, executor.room.largest)
        options = replace(options, memory=limits_of(run, asked).memory)
        job, slicing, sized, errors = fit(run, executor, backend, prepared, given, options)
        save(slicing.prepared.model, run.model_path("prepared.onnx"))
        unbounded(sized["prepared"], slicing.wires, backend)
        measured = prover.prove(job, sized["prepared"], len(given.inputs))
        verdict = publish(job, slicing, sized["prepared"])
        variants = {
            **baselines.report(job, sized, prove_too=options.baselines is Baselines.PROVE),
            "prepared": baselines.variant(sized["prepared"], errors, measured),
        }
        report = _assembled(job, slicing, sized["prepared"], variants, verdict)
        run.write(run.root / "report.json", dump(report))
        return report


def measure(
    model: Path, data: Path | None, options: Options, backend: Backend, notify: Notify
) -> Report:
    """Counts and predicted cost of every variant, without keys; `data` None: seeded random input.

    Raises:
        ZkprepError: what the user gave is not usable, or the prover failed.
    """
    prepared = prepare(model, options.dims, keep_head=options.keep_head)
    inputs: tuple[Feeds, ...] = (
        read_inputs([data], prepared.normalised)
        if data is not None
        else (seeded_inputs(prepared.normalised, SEED),)
    )
    given = Given(inputs, _samples(options, prepared))
    with (
        tempfile.TemporaryDirectory(prefix="zkprep-") as folder,
        open_run(Path(folder) / "run", notify) as run,
    ):
        executor = local_executor(backend, options)
        job, slicing, sized, errors = fit(run, executor, backend, prepared, given, options)
        variants = {
            **baselines.report(job, sized, prove_too=False),
            "prepared": baselines.variant(sized["prepared"], errors),
        }
        return _assembled(job, slicing, sized["prepared"], variants, None)


def fit(
    run: Run,
    executor: Executor,
    backend: Backend,
    prepared: Prepared,
    given: Given,
    options: Options,
) -> tuple[Job, Slicing, dict[str, list[Sized]], Errors]:
    """Cut, size and witness at the smallest scale that keeps the tolerance, or at the one given.

    Circuits are fitted to the first input. Another that they turn out not to hold joins those they
    are fitted to, until all are held.

    Raises:
        Imprecise: no scale keeps the tolerance.
        RangeExceeded: no circuit holds the values.
        Disagreement: a circuit computes something else than its model.
    """
    inputs = given.inputs
    seeded = tuple(inputs_like(inputs[0], seed, prepared.normalised) for seed in SAMPLE_SEEDS)
    job = Job(run, backend, executor, prepared, inputs, seeded, options, given.samples)
    joined: set[int] = {0}
    while True:
        job = replace(job, fit=_fit(job))
        slicing, sized = cut_and_size(job)
        try:
            errors = prover.witness_inputs(job, sized["prepared"], options.tolerance)
        except prover.Unheld as unheld:
            if unheld.index in joined:
                raise unheld.cause from None
            joined.add(unheld.index)
            job = replace(job, given=(*job.given, inputs[unheld.index]))
        else:
            return job, slicing, sized, errors


def _samples(options: Options, prepared: Prepared) -> tuple[Feeds, ...]:
    return read_samples(options.samples, prepared.normalised) if options.samples else ()


def _fit(job: Job) -> Fit:
    """Search, or read what was found when the same was asked before."""
    files = job.run.files("prepared", "chain")
    asked = [input_data(list(one), one, {}) for one in (job.feeds, *job.given)]
    about = (job.prepared.digest, job.backend.version, __version__, repr(job.options))
    asked += [one.encode() for one in about]

    def search() -> Usage:
        job.run.write(files.fit, msgspec.json.encode(cheapest(job)))
        return NOTHING_USED

    job.run.stage("fit", files.folder, asked, [files.fit], search)
    return msgspec.json.decode(files.fit.read_bytes(), type=Fit)


def _assembled(
    job: Job,
    slicing: Slicing,
    sized: list[Sized],
    variants: dict[str, Variant],
    verdict: Verdict | None,
) -> Report:
    """The report, with the cut as it was made: its splits among the sites, and its picture."""
    specs, parts = [one.spec for one in sized], variants["prepared"].slices
    cut = drawn_as_reported(slicing, specs, parts)
    return assemble(replace(job, prepared=slicing.prepared), variants, sized, verdict, cut)
