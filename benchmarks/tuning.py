"""What tuning alone saves: EZKL's default calibration over zkprep's settings, on one machine.

    python -m benchmarks.tuning [CASE ...]

Each case of the corpus is proved as given, nothing rewritten, at the same tolerance, three times in
a row: whole as EZKL calibrates it (target resources, Freivalds off); whole under the settings that
zkprep chooses; and cut where zkprep finds that cheapest, every slice under settings of its own and
every link compared. CPU seconds and peak memory are those of the prover's own processes; what is
predicted was predicted before any key. Results are kept in benchmarks/tuning.json, case by case;
the table in docs/benchmarks.md is written from it.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import geometric_mean, median

import msgspec

from benchmarks import tables
from circuits.make import build
from zkprep import pipeline
from zkprep.backends.ezkl import EzklBackend
from zkprep.execute.local import local_executor
from zkprep.models.inputs import read_input
from zkprep.options import Baselines, Options
from zkprep.prepare import Prepared, prepare
from zkprep.proving import baselines, prover
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized
from zkprep.report.figures import count, seconds, share, size
from zkprep.report.types import SliceReport
from zkprep.runs.events import silent
from zkprep.runs.store import open_run

RESULTS = Path(__file__).parent / "tuning.json"
CASES = (
    "digits",
    "efficientnet_block",
    "mlp_batchnorm",
    "mobilenetv2_block",
    "preactivation_block",
    "resnet50_bottleneck",
    "transformer_encoder",
    "unchanged",
    "unet_step",
    "vgg_block",
)
"""Those that EZKL calibrates to at most 2**17 rows."""


class Ways(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model under three settings, in total.

    Attributes:
        slices: into how many it was cut.
        ezkl: whole, EZKL's settings.
        tuned: whole, zkprep's.
        cut: in slices, zkprep's.
    """

    slices: int
    ezkl: SliceReport
    tuned: SliceReport
    cut: SliceReport


Results = dict[str, Ways]


def main() -> None:
    """Measure the cases; keep what was found and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=CASES)
    for name in parser.parse_args().cases:
        with tempfile.TemporaryDirectory(prefix="zkprep-bench-") as folder:
            results = {**read(), name: _ways(name, Path(folder))}
        document = msgspec.json.encode(results, order="deterministic")
        RESULTS.write_bytes(msgspec.json.format(document) + b"\n")
        tables.replace("tuning", table(results))
        print(name, flush=True)


def read() -> Results:
    """What is on file, by case."""
    if not RESULTS.exists():
        return {}
    return msgspec.json.decode(RESULTS.read_bytes(), type=Results)


def _ways(name: str, folder: Path) -> Ways:
    model, data = build(name, folder)
    given = prepare(model, {})
    given = replace(given, model=given.normalised, sites=())
    _, (tuned, ezkl) = proved(given, data, folder / "whole", Options(blocks=1), _calibrated)
    slices, (cut,) = proved(given, data, folder / "cut", Options())
    return Ways(slices=slices, ezkl=ezkl, tuned=tuned, cut=cut)


def _calibrated(job: Job) -> list[Sized]:
    return [prover.calibrate(job, job.prepared.original, "original.onnx")]


def proved(
    given: Prepared,
    data: Path,
    folder: Path,
    options: Options,
    other: Callable[[Job], list[Sized]] | None = None,
) -> tuple[int, list[SliceReport]]:
    """The slices' number, and their total; with `other` circuits of the same model, theirs too."""
    options = replace(options, baselines=Baselines.NONE)
    with open_run(folder, silent) as run:
        inputs = (read_input(data, given.normalised),)
        backend = EzklBackend()
        executor = local_executor(backend, options)
        job, _, sized, errors = pipeline.fit(
            run, executor, backend, given, pipeline.Given(inputs, ()), options
        )
        ours = sized["prepared"]
        found = [baselines.variant(ours, errors, prover.prove(job, ours))]
        if other is not None:
            theirs = other(job)
            off = prover.errors_of(job, theirs, prover.witness(job, theirs, baselines.ANY_ERROR))
            found.append(baselines.variant(theirs, off, prover.prove(job, theirs)))
    totals = [one.total for one in found if one.total is not None]
    return len(ours), totals


def table(results: Results) -> str:
    """The results as Markdown, with the geometric means of the ratios."""
    lines = [
        "| model | settings | slices | cells | keys | setup CPU | prove CPU | predicted "
        "| peak | predicted | error / range |",
        "|---|---|" + "---:|" * 9,
    ]
    for name, ways in sorted(results.items()):
        lines += [
            _row(name, "ezkl", 1, ways.ezkl),
            _row(name, "tuned", 1, ways.tuned),
            _row(name, "tuned, cut", ways.slices, ways.cut),
        ]
    return "\n".join([*lines, "", *_ratios(results), *_accuracy(results)])


def _row(name: str, kind: str, slices: int, one: SliceReport) -> str:
    counts, said, took, fidelity = one.counts, one.predicted, one.measured, one.fidelity
    assert took is not None
    assert fidelity is not None
    cells = (
        name,
        kind,
        str(slices),
        count(counts.cells),
        size(took.pk_bytes),
        seconds(took.setup_cpu_seconds),
        seconds(took.prove_cpu_seconds),
        seconds(said.prove_cpu_seconds),
        size(took.peak_bytes),
        size(said.peak_bytes),
        share(fidelity.relative_error),
    )
    return f"| {' | '.join(cells)} |"


def _measured(one: SliceReport, field: str) -> float:
    return float(getattr(one.measured, field))


def _ratios(results: Mapping[str, Ways]) -> list[str]:
    figures = {
        "prove CPU": "prove_cpu_seconds",
        "setup CPU": "setup_cpu_seconds",
        "peak memory": "peak_bytes",
    }
    lines = []
    for way, said in (("tuned", "tuned"), ("cut", "tuned and cut")):
        for what, field in figures.items():
            ratios = {
                name: _measured(ways.ezkl, field) / _measured(getattr(ways, way), field)
                for name, ways in sorted(results.items())
            }
            each = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
            mean = geometric_mean(ratios.values())
            lines.append(f"- {what}, EZKL over {said}: {mean:.2f} in geometric mean ({each})")
    return lines


def _accuracy(results: Mapping[str, Ways]) -> list[str]:
    every = [one for ways in results.values() for one in (ways.ezkl, ways.tuned, ways.cut)]
    lines = []
    for what, field in (("prove CPU", "prove_cpu_seconds"), ("peak memory", "peak_bytes")):
        off = [getattr(one.predicted, field) / _measured(one, field) - 1 for one in every]
        middle, worst = median(map(abs, off)), max(off, key=abs)
        lines.append(
            f"- {what} predicted: off by {100 * middle:.0f} % in the median, "
            f"{100 * worst:+.0f} % at worst"
        )
    return lines


if __name__ == "__main__":
    main()
