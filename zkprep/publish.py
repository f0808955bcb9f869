"""Publication: write RUN/public, then read it back and verify every input's chain as anyone would.

One input's folder is RUN/public itself; of several inputs each has its own, RUN/public/000 and so
on, complete in itself. All hold the same statement, which names the function and no value: to
verify one input takes its folder and the digest.
"""

from collections.abc import Sequence
from pathlib import Path

from zkprep.backends import srs
from zkprep.claims.statement import digest, dump
from zkprep.errors import VerificationError
from zkprep.proving.compose import Keyed, compose
from zkprep.proving.job import Job
from zkprep.proving.prover import proof_bytes
from zkprep.proving.sized import Sized
from zkprep.proving.tasks import srs_of
from zkprep.report.types import Verdict
from zkprep.slicing.slices import Slicing
from zkprep.verifying import audit


def publish(job: Job, slicing: Slicing, sized: Sequence[Sized]) -> Verdict:
    """Publish the proofs of every input, and verify them."""
    keyed = [Keyed(one, srs_of(job, one), proof_bytes(one.files.proof)) for one in sized]
    statement = compose(slicing, keyed, job.backend.version)
    several = len(job.inputs) > 1
    files: dict[str, Path | bytes] = {}
    for index in range(len(job.inputs)):
        folder = f"{index:03d}/" if several else ""
        files[f"{folder}statement.json"] = dump(statement)
        files |= {f"{folder}{name}": source for name, source in _files(keyed, index).items()}
    public = job.run.publish(files)
    return _verdict(job, public, digest(statement))


def _files(keyed: Sequence[Keyed], index: int) -> dict[str, Path | bytes]:
    """What one input's folder holds besides the statement."""
    files: dict[str, Path | bytes] = {}
    for one in keyed:
        folder, made = f"slices/{one.sized.piece.name}", one.sized.files.of_input(index)
        files[f"{folder}/settings.json"] = made.settings
        files[f"{folder}/vk"] = one.sized.keys.vk
        files[f"{folder}/proof.json"] = made.proof
        if one.srs.origin == "test":
            files[f"srs/{one.srs.logrows}.srs"] = srs.verifier_file(one.srs)
    return files


def _verdict(job: Job, public: Path, expected: str) -> Verdict:
    try:
        accepted = audit.verify_all(
            public, job.backend, expect=expected, allow_test_srs=job.options.allow_test_srs
        )
    except VerificationError as error:
        return Verdict(
            accepted=False, proofs=0, links=0, statement=expected, test_srs=False, reason=str(error)
        )
    return Verdict(
        accepted=True,
        proofs=sum(one.proofs for one in accepted.values()),
        links=sum(one.links for one in accepted.values()),
        statement=expected,
        test_srs=any(one.test_srs for one in accepted.values()),
        inputs=len(accepted),
    )
