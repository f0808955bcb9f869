"""The whole story: prepare, cut, size, witness, prove, publish, verify, report."""

import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec

from zkprep import audit, srs
from zkprep.backends.base import NOTHING_USED, Backend, Usage, Witness
from zkprep.errors import Disagreement, Imprecise, RangeExceeded, VerificationError
from zkprep.inputs import inputs_like, read_input, read_samples
from zkprep.model import Feeds, save, seeded_inputs
from zkprep.options import SCALES, Baselines, Options
from zkprep.prepare import Prepared, prepare
from zkprep.proving import baselines, prover
from zkprep.proving.assemble import assemble
from zkprep.proving.compose import Keyed, compose
from zkprep.proving.drawn import drawn_as_reported
from zkprep.proving.job import Fit, Job
from zkprep.proving.sized import Sized, input_data
from zkprep.proving.sizing import cut_and_size
from zkprep.report.types import Report, Variant, Verdict, dump
from zkprep.slices import Slicing
from zkprep.statement import digest
from zkprep.statement import dump as dump_statement
from zkprep.store import Notify, Run, open_run

SEED = 0
SAMPLE_SEEDS = (1, 2)
CARES = ((4, 16), (4, 1), (1024, 1))
"""Margin over the samples' values and largest rebase multiplier, boldest first: see Fit."""


def prove(
    model: Path, data: Path, out: Path, options: Options, backend: Backend, notify: Notify
) -> Report:
    """Prepare, slice, prove and verify `model` on the input `data`; everything lands in `out`.

    Args:
        model: the ONNX file.
        data: the input, as `zkprep.inputs.read_input` takes it.
        out: the run directory, new or to be resumed.
        options: what to do.
        backend: the prover.
        notify: told of every stage's beginning and end.

    Raises:
        ZkprepError: what the user gave is not usable, or the prover failed.
    """
    prepared = prepare(model, options.dims, keep_head=options.keep_head)
    feeds = read_input(data, prepared.normalised)
    with open_run(out, notify) as run:
        run.unpublish()
        save(prepared.original, run.model_path("original.onnx"))
        job, slicing, sized, witnesses = fit(run, backend, prepared, feeds, options)
        save(slicing.prepared.model, run.model_path("prepared.onnx"))
        measured = [prover.prove(job, one) for one in sized["prepared"]]
        verdict = publish(job, slicing, sized["prepared"])
        variants = {
            **baselines.report(job, sized, prove_too=options.baselines is Baselines.PROVE),
            "prepared": baselines.variant(job, sized["prepared"], witnesses, measured),
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
    feeds = (
        read_input(data, prepared.normalised)
        if data is not None
        else seeded_inputs(prepared.normalised, SEED)
    )
    with (
        tempfile.TemporaryDirectory(prefix="zkprep-") as folder,
        open_run(Path(folder) / "run", notify) as run,
    ):
        job, slicing, sized, witnesses = fit(run, backend, prepared, feeds, options)
        variants = {
            **baselines.report(job, sized, prove_too=False),
            "prepared": baselines.variant(job, sized["prepared"], witnesses),
        }
        return _assembled(job, slicing, sized["prepared"], variants, None)


def fit(
    run: Run, backend: Backend, prepared: Prepared, feeds: Feeds, options: Options
) -> tuple[Job, Slicing, dict[str, list[Sized]], list[Witness]]:
    """Cut, size and witness at the smallest scale that keeps the tolerance, or at the one given.

    Raises:
        Imprecise: no scale keeps the tolerance.
        RangeExceeded: no circuit holds the values.
        Disagreement: a circuit computes something else than its model.
    """
    samples = tuple(inputs_like(feeds, seed) for seed in SAMPLE_SEEDS)
    given = read_samples(options.samples, prepared.normalised) if options.samples else ()
    job = Job(run, backend, prepared, feeds, samples, options, given)
    files = run.files("prepared", "chain")
    asked = [input_data(list(one), one, {}) for one in (feeds, *given)]
    asked += [prepared.digest.encode(), backend.version.encode(), repr(options).encode()]

    def search() -> Usage:
        run.write(files.fit, msgspec.json.encode(_search(job)))
        return NOTHING_USED

    run.stage("fit", files.folder, asked, [files.fit], search)
    job = replace(job, fit=msgspec.json.decode(files.fit.read_bytes(), type=Fit))
    slicing, sized = cut_and_size(job)
    return job, slicing, sized, prover.witness(job, sized["prepared"], options.tolerance)


def _search(job: Job) -> Fit:
    """Raise the scale while the chain is too coarse; take more care where a circuit is wrong.

    The argmax has to agree as long as more bits may bring it about.
    """
    scale, tolerance = job.options.scale, job.options.tolerance
    scales, cares = list(SCALES if scale is None else (scale,)), list(CARES)
    while True:
        job = replace(job, fit=Fit(scales[0], *cares[0]))
        try:
            _, sized = cut_and_size(job)
            witnesses = prover.witness(job, sized["prepared"], tolerance)
            prover.sample(job, sized["prepared"], tolerance)
            finer = len(scales) > 1
            prover.require_faithful_chain(job, sized["prepared"], witnesses, argmax=finer)
        except Imprecise as error:
            if len(scales) == 1:
                raise
            least = scales[0] + error.bits
            scales = [one for one in scales if one >= least] or scales[-1:]
        except (RangeExceeded, Disagreement) as error:
            if len(cares) > 1:
                cares = cares[1:]
            elif len(scales) > 1 and isinstance(error, RangeExceeded):
                # A quotient by what is nearly 0 at this scale is smaller at a finer one.
                scales, cares = scales[1:], list(CARES)
            else:
                raise
        else:
            return job.fit


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


def publish(job: Job, slicing: Slicing, sized: list[Sized]) -> Verdict:
    """Write RUN/public, then read it back and verify the chain as anyone would."""
    keyed = [
        Keyed(one, prover.srs_of(job, one), prover.proof_bytes(one.files.proof)) for one in sized
    ]
    statement = compose(slicing, keyed, job.backend.version)
    files: dict[str, Path | bytes] = {"statement.json": dump_statement(statement)}
    for one in keyed:
        folder = f"slices/{one.sized.piece.name}"
        files[f"{folder}/settings.json"] = one.sized.files.settings
        files[f"{folder}/vk"] = one.sized.keys.vk
        files[f"{folder}/proof.json"] = one.sized.files.proof
        if one.srs.origin == "test":
            files[f"srs/{one.srs.logrows}.srs"] = srs.verifier_file(one.srs)
    public = job.run.publish(files)
    expected = digest(statement)
    try:
        accepted = audit.verify(
            public, job.backend, expect=expected, allow_test_srs=job.options.allow_test_srs
        )
    except VerificationError as error:
        return Verdict(
            accepted=False, proofs=0, links=0, statement=expected, test_srs=False, reason=str(error)
        )
    return Verdict(
        accepted=True,
        proofs=accepted.proofs,
        links=accepted.links,
        statement=expected,
        test_srs=accepted.test_srs,
    )
