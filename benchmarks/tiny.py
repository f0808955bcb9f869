"""The four MLPerf Tiny models, whole: proved in slices that fit 4 GiB, and verified.

    python -m benchmarks.tiny [--table] [MODEL ...]

Resumable: each model has its run directory in runs/tiny, and the same command goes on from the last
finished stage of a run that has not ended. What a model took is kept in benchmarks/tiny.json, and
is not proved again while it is what its baseline says, unless it is named; with --table nothing is.
The table in docs/benchmarks.md is written from it. The public folder of ARTIFACT is kept, too, so
that a test can verify it.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import msgspec

from benchmarks import tables
from benchmarks.baseline import MEMORY, Cost, prepared, recorded
from circuits import make
from zkprep import api
from zkprep.backends.ezkl import EzklBackend
from zkprep.cli.progress import progress
from zkprep.options import Baselines, Options, parse_memory
from zkprep.report.figures import count, seconds, share, size
from zkprep.report.types import Counts, Fidelity, Machine, Measured, Report

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs/tiny"
RESULTS = Path(__file__).parent / "tiny.json"
MODELS = ("autoencoder", "ds_cnn", "resnet8", "vww")
ARTIFACT = "autoencoder"
ARTIFACT_FOLDER = make.FOLDER / ARTIFACT / "public"
LARGEST_ARTIFACT = 20_000_000


class Proved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a whole model took.

    Attributes:
        machine: where it was proved.
        prover: its version.
        statement: digest of what was proved.
        slices: number of slices.
        links: tensors compared between them.
        counts: EZKL's, of all slices.
        measured: of all slices; the peak is the largest.
        fidelity: of the whole chain.
        verify_seconds: of `zkprep verify --expect`, start to end.
        public_bytes: of all that a verifier reads.
    """

    machine: Machine
    prover: str
    statement: str
    slices: int
    links: int
    counts: Counts
    measured: Measured
    fidelity: Fidelity
    verify_seconds: float
    public_bytes: int


def main() -> None:
    """Prove and verify the chosen models, or those that are due; write what each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--table", action="store_true", help="only write the table anew")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.models) - set(MODELS)):
        parser.error(f"'{unknown[0]}' is none of {', '.join(MODELS)}")
    models = () if asked.table else asked.models or due(read())
    for name in models:
        _prove(name)
    tables.replace("tiny", table(read()))


def due(results: dict[str, Proved]) -> list[str]:
    """Models that are not on file as their baselines, and the prover, are by now."""
    prover = EzklBackend().version

    def is_there(name: str) -> bool:
        found, cost = results.get(name), prepared(name, prover)
        if found is None or found.prover != prover:
            return False
        circuits = found.slices, found.counts.cells
        return cost is None or circuits == (cost.slices, cost.counts.cells)

    return [name for name in MODELS if not is_there(name)]


def read() -> dict[str, Proved]:
    """What is on file, by model."""
    if not RESULTS.exists():
        return {}
    return msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, Proved])


def table(results: dict[str, Proved]) -> str:
    """The results as Markdown; models that were not proved yet are not there."""
    lines = [
        "| model | slices | links | cells | setup CPU | prove CPU | prove | peak | proofs | public "
        "| verify | error / range | argmax | ezkl: pk | ezkl: peak |",
        "|---|" + "---:|" * 14,
    ]
    lines += [_row(name, results[name]) for name in MODELS if name in results]
    machines = {f"{one.machine.cpu}, {one.machine.cores} cores" for one in results.values()}
    return "\n".join([*lines, "", f"On {'; '.join(sorted(machines))}."])


def _row(name: str, found: Proved) -> str:
    took, alone = found.measured, _alone(name, found.prover)
    need = (f"~{size(alone.pk_bytes)}", f"~{size(alone.peak_bytes)}") if alone else ("-", "-")
    cells = (
        name,
        count(found.slices),
        count(found.links),
        count(found.counts.cells),
        seconds(took.setup_cpu_seconds),
        seconds(took.prove_cpu_seconds),
        seconds(took.prove_seconds),
        size(took.peak_bytes),
        size(took.proof_bytes),
        size(found.public_bytes),
        seconds(found.verify_seconds),
        share(found.fidelity.relative_error),
        "agrees" if found.fidelity.argmax_agrees else "differs",
        *need,
    )
    return f"| {' | '.join(cells)} |"


def _prove(name: str) -> None:
    run = RUNS / name
    if (run / "report.json").exists():
        shutil.rmtree(run)  # a run that has ended is of the circuits of its day
    model, data = make.build(name, RUNS / "cases" / name)
    with progress(sys.stderr, quiet=False) as notify:
        options = Options(memory=parse_memory(MEMORY), baselines=Baselines.NONE)
        report = api.prove(model, data, run, options, notify=notify)
    results = {**read(), name: _proved(report, run / "public")}
    document = msgspec.json.encode(results, order="deterministic")
    RESULTS.write_bytes(msgspec.json.format(document) + b"\n")
    tables.replace("tiny", table(results))
    if name == ARTIFACT:
        _keep(run / "public")


def _alone(name: str, prover: str) -> Cost | None:
    """What EZKL's own calibration of the whole model would need, as the corpus records it."""
    kept = recorded(name).get(prover)
    return kept.variants.get("ezkl") if kept else None


def _proved(report: Report, public: Path) -> Proved:
    """A report of an accepted chain, verified once more and timed.

    Raises:
        SystemExit: the chain was not accepted.
    """
    whole, verdict = report.variants["prepared"].total, report.verdict
    if verdict is None or not verdict.accepted or whole is None:
        raise SystemExit(f"{report.model}: {verdict.reason if verdict else 'not proved'}")
    assert whole.measured is not None
    assert whole.fidelity is not None
    start = time.monotonic()
    api.verify(public, expect=verdict.statement, allow_test_srs=verdict.test_srs)
    took = time.monotonic() - start
    return Proved(
        machine=report.machine,
        prover=report.prover,
        statement=verdict.statement,
        slices=verdict.proofs,
        links=verdict.links,
        counts=whole.counts,
        measured=whole.measured,
        fidelity=whole.fidelity,
        verify_seconds=round(took, 3),
        public_bytes=_bytes(public),
    )


def _keep(public: Path) -> None:
    """Keep a public folder with the corpus, if it is small enough for that."""
    if _bytes(public) <= LARGEST_ARTIFACT:
        shutil.rmtree(ARTIFACT_FOLDER, ignore_errors=True)
        shutil.copytree(public, ARTIFACT_FOLDER)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
