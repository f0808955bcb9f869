"""What tuning alone saves: EZKL's default calibration over zkprep's settings, paired.

Each case of the corpus is proved whole and as given, nothing rewritten, nothing cut: first as EZKL
calibrates it (target resources, Freivalds off), then under the settings that zkprep chooses at the
same tolerance, on the same machine, one after the other. CPU seconds and peak memory are those of
the prover's own process; what is predicted was predicted before any key.

    python -m benchmarks.tuning [CASE ...]

Rows are kept in a file, so that cases can be measured apart: --rows FILE adds to it and sums it up.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from statistics import median

import msgspec

from circuits.make import build
from zkprep import pipeline
from zkprep.backends.ezkl import EzklBackend
from zkprep.events import silent
from zkprep.execute.local import local_executor
from zkprep.inputs import read_input
from zkprep.options import Baselines, Options
from zkprep.prepare import prepare
from zkprep.proving import baselines, prover
from zkprep.report.types import SliceReport
from zkprep.store import open_run

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


class Pair(msgspec.Struct, frozen=True):
    """One model under both settings."""

    name: str
    ezkl: SliceReport
    tuned: SliceReport


def main() -> None:
    """Measure the cases and print a Markdown table, with the geometric mean of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--rows", type=Path)
    asked = parser.parse_args()
    pairs = _kept(asked.rows)
    for name in asked.cases or CASES:
        with tempfile.TemporaryDirectory(prefix="zkprep-bench-") as folder:
            pairs[name] = _pair(name, Path(folder))
        if asked.rows:
            asked.rows.write_bytes(msgspec.json.encode(list(pairs.values())))
    _show(list(pairs.values()))


def _kept(rows: Path | None) -> dict[str, Pair]:
    if rows is None or not rows.exists():
        return {}
    return {pair.name: pair for pair in msgspec.json.decode(rows.read_bytes(), type=list[Pair])}


def _pair(name: str, folder: Path) -> Pair:
    model, data = build(name, folder)
    whole = prepare(model, {})
    as_given = replace(whole, model=whole.normalised, sites=())
    options = Options(blocks=1, baselines=Baselines.NONE)
    with open_run(folder / "run", silent) as run:
        inputs = (read_input(data, whole.normalised),)
        backend = EzklBackend()
        executor = local_executor(backend, options)
        job, _, sized, errors = pipeline.fit(run, executor, backend, as_given, inputs, options)
        calibrated = [prover.calibrate(job, whole.original, "original.onnx")]
        made = prover.witness(job, calibrated, baselines.ANY_ERROR)
        theirs = prover.errors_of(job, calibrated, made)
        ezkl = baselines.variant(calibrated, theirs, prover.prove(job, calibrated))
        ours = sized["prepared"]
        tuned = baselines.variant(ours, errors, prover.prove(job, ours))
    return Pair(name, _total(ezkl.total), _total(tuned.total))


def _total(found: SliceReport | None) -> SliceReport:
    assert found is not None
    return found


def _show(pairs: list[Pair]) -> None:
    print(
        "| model | settings | cells | rows, columns, blocks | key | setup CPU | prove CPU "
        "| predicted | peak | predicted | error / range |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for pair in pairs:
        for kind in ("ezkl", "tuned"):
            print(_row(pair.name, kind, getattr(pair, kind)))
    print()
    for what, figure in (
        ("prove CPU", lambda one: one.measured.prove_cpu_seconds),
        ("setup CPU", lambda one: one.measured.setup_cpu_seconds),
        ("peak memory", lambda one: one.measured.peak_bytes),
    ):
        print(f"- {what}, EZKL over tuned: {_ratios(pairs, figure)}")
    every = [one for pair in pairs for one in (pair.ezkl, pair.tuned)]
    for what, field in (("prove CPU", "prove_cpu_seconds"), ("peak memory", "peak_bytes")):
        off = [getattr(one.predicted, field) / getattr(one.measured, field) - 1 for one in every]
        worst = max(off, key=abs)
        print(
            f"- {what} predicted: off by {100 * median(map(abs, off)):.0f} % in the median", end=""
        )
        print(f", {100 * worst:+.0f} % at worst")


def _row(name: str, kind: str, one: SliceReport) -> str:
    counts, said, took, fidelity = one.counts, one.predicted, one.measured, one.fidelity
    assert took is not None
    assert fidelity is not None
    cells = (
        name,
        kind,
        f"{counts.cells:,}",
        f"2^{counts.logrows}, {counts.inner_columns}, {counts.blocks}",
        f"{took.pk_bytes / 1e6:.1f} MB",
        f"{took.setup_cpu_seconds:.1f} s",
        f"{took.prove_cpu_seconds:.1f} s",
        f"{said.prove_cpu_seconds:.1f} s",
        f"{took.peak_bytes / 1e6:.0f} MB",
        f"{said.peak_bytes / 1e6:.0f} MB",
        f"{100 * fidelity.relative_error:.2g} %",
    )
    return f"| {' | '.join(cells)} |"


def _ratios(pairs: list[Pair], figure: Callable[[SliceReport], float]) -> str:
    ratios = [figure(pair.ezkl) / figure(pair.tuned) for pair in pairs]
    mean = prod(ratios) ** (1 / len(ratios))
    each = ", ".join(f"{p.name} {ratio:.2f}" for p, ratio in zip(pairs, ratios, strict=True))
    return f"{mean:.2f} in geometric mean ({each})"


if __name__ == "__main__":
    main()
