"""The whole story: prepare, cut, size, witness, prove, publish, verify, report."""

import tempfile
from pathlib import Path

from zkprep import audit, baselines, prover, srs
from zkprep.assemble import assemble
from zkprep.backends.base import Backend, Witness
from zkprep.compose import Keyed, compose
from zkprep.errors import Imprecise, VerificationError
from zkprep.inputs import inputs_like, read_input
from zkprep.job import Job
from zkprep.model import Feeds, save, seeded_inputs
from zkprep.options import SCALES, Baselines, Options
from zkprep.prepare import Prepared, prepare
from zkprep.report.types import Report, Verdict, dump
from zkprep.sized import Sized
from zkprep.sizing import cut_and_size
from zkprep.slices import Slicing
from zkprep.statement import digest
from zkprep.statement import dump as dump_statement
from zkprep.store import Notify, Run, open_run

SEED = 0
SAMPLE_SEEDS = (1, 2)


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
    prepared = prepare(model, options.dims)
    feeds = read_input(data, prepared.normalised)
    with open_run(out, notify) as run:
        run.unpublish()
        save(prepared.original, run.model_path("original.onnx"))
        save(prepared.model, run.model_path("prepared.onnx"))
        job, slicing, sized, witnesses = fit(run, backend, prepared, feeds, options)
        measured = [prover.prove(job, one) for one in sized["prepared"]]
        verdict = publish(job, slicing, sized["prepared"])
        variants = {
            **baselines.report(job, sized, prove_too=options.baselines is Baselines.PROVE),
            "prepared": baselines.variant(job, sized["prepared"], witnesses, measured),
        }
        report = assemble(job, variants, verdict)
        run.write(run.root / "report.json", dump(report))
        return report


def measure(
    model: Path, data: Path | None, options: Options, backend: Backend, notify: Notify
) -> Report:
    """Counts and predicted cost of every variant, without keys; `data` None: seeded random input.

    Raises:
        ZkprepError: what the user gave is not usable, or the prover failed.
    """
    prepared = prepare(model, options.dims)
    feeds = (
        read_input(data, prepared.normalised)
        if data is not None
        else seeded_inputs(prepared.normalised, SEED)
    )
    with (
        tempfile.TemporaryDirectory(prefix="zkprep-") as folder,
        open_run(Path(folder) / "run", notify) as run,
    ):
        job, _, sized, witnesses = fit(run, backend, prepared, feeds, options)
        variants = {
            **baselines.report(job, sized, prove_too=False),
            "prepared": baselines.variant(job, sized["prepared"], witnesses),
        }
        return assemble(job, variants, None)


def fit(
    run: Run, backend: Backend, prepared: Prepared, feeds: Feeds, options: Options
) -> tuple[Job, Slicing, dict[str, list[Sized]], list[Witness]]:
    """Cut, size and witness at the smallest scale that keeps the tolerance, or at the one given.

    Raises:
        Imprecise: no scale keeps the tolerance.
        Disagreement: a circuit computes something else than its model.
    """
    samples = tuple(inputs_like(feeds, seed) for seed in SAMPLE_SEEDS)
    scales = SCALES if options.scale is None else (options.scale,)
    for scale in scales:
        job = Job(run, backend, prepared, feeds, samples, options, scale)
        slicing, sized = cut_and_size(job)
        try:
            witnesses = prover.witness(job, sized["prepared"], options.tolerance)
            prover.sample(job, sized["prepared"], options.tolerance)
        except Imprecise:
            if scale == scales[-1]:
                raise
            continue
        return job, slicing, sized, witnesses
    raise AssertionError("SCALES is empty")


def publish(job: Job, slicing: Slicing, sized: list[Sized]) -> Verdict:
    """Write RUN/public, then read it back and verify the chain as anyone would."""
    keyed = [
        Keyed(one, prover.srs_of(job, one), prover.proof_bytes(one.files.proof)) for one in sized
    ]
    statement = compose(job.prepared, slicing, keyed, job.backend.version)
    files: dict[str, Path | bytes] = {"statement.json": dump_statement(statement)}
    for one in keyed:
        folder = f"slices/{one.sized.piece.name}"
        files[f"{folder}/settings.json"] = one.sized.files.settings
        files[f"{folder}/vk"] = one.sized.files.vk
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
