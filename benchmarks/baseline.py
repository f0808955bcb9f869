"""What the corpus costs before and after, in exact counts: circuits/*/baseline.json, and the table.

    python -m benchmarks.baseline [CASE ...]

Makes no keys. Counts are EZKL's own, within a fixed memory, so they do not depend on the machine;
seconds and peaks are predicted for the reference machine of zkprep/cost/work.py. A baseline is
keyed by the prover's version: those of other versions stay.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import geometric_mean

import msgspec
import onnx

from circuits import make
from circuits.facts import facts
from zkprep import api
from zkprep.options import Options, parse_memory
from zkprep.report.figures import count, percent, seconds, size
from zkprep.report.types import CAUSES, Counts, Report, Variant

MEMORY = "4GiB"
"""What a slice may take, where a case does not say otherwise."""

TABLE = make.FOLDER / "README.md"
HEAD = Path(__file__).parent / "corpus.md.in"


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A variant's total: number of slices, counts, key bytes, predicted CPU seconds and peak."""

    slices: int
    counts: Counts
    pk_bytes: int
    prove_cpu_seconds: float
    peak_bytes: int


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a case costs.

    Attributes:
        memory: what a slice may take.
        scale: bits that the tolerance needed.
        rewrites: how many places each rule was applied at.
        variants: by name; those that EZKL takes.
        cells: of each prepared slice, in order.
        causes: what the prepared cells are for (zkprep/cost/profile.py); none in older baselines.
    """

    memory: str
    scale: int
    rewrites: dict[str, int]
    variants: dict[str, Cost]
    cells: list[int]
    causes: dict[str, int] = {}


Baselines = dict[str, Baseline]
"""By the prover's version."""


def measured(name: str) -> tuple[str, Baseline]:
    """The prover's version, and what a case costs under it; the cache's constants are used.

    Raises:
        ZkprepError: the case cannot be prepared.
    """
    memory = str(make.case(name).get("memory", MEMORY))
    with tempfile.TemporaryDirectory(prefix="zkprep-baseline-") as folder:
        model, data = make.build(name, Path(folder))
        report = api.measure(model, data, Options(memory=parse_memory(memory)))
    return report.prover, _baseline(report, memory)


def recorded(name: str) -> Baselines:
    """The committed baselines of a case; none for a new case."""
    path = make.FOLDER / name / "baseline.json"
    return msgspec.json.decode(path.read_bytes(), type=Baselines) if path.exists() else {}


def causes(name: str, prover: str) -> dict[str, int]:
    """What the cells of a case's prepared slices are for; none where its baseline does not say."""
    found = recorded(name).get(prover)
    return found.causes if found else {}


def prepared(name: str, prover: str) -> Cost | None:
    """What the baseline of a case says of its prepared slices; None where there is none."""
    found = recorded(name).get(prover)
    return found.variants["prepared"] if found else None


def record(name: str) -> None:
    """Measure a case and keep it in its baseline.json."""
    prover, found = measured(name)
    document = msgspec.json.encode({**recorded(name), prover: found}, order="deterministic")
    path = make.FOLDER / name / "baseline.json"
    path.write_bytes(msgspec.json.format(document) + b"\n")


def table() -> str:
    """circuits/README.md, from the committed baselines of the newest prover."""
    known = {name: kept for name in make.names() if (kept := recorded(name))}
    prover = max(version for kept in known.values() for version in kept)
    newest = {name: kept[prover] for name, kept in known.items() if prover in kept}
    rows = [_row(name, found) for name, found in newest.items()]
    parts = (HEAD.read_text(encoding="utf-8"), *_headings(prover), *rows, _means(newest.values()))
    return "\n".join(parts) + "\n"


def main(chosen: list[str]) -> None:
    """Record the chosen cases, or all, and write the table."""
    with tempfile.TemporaryDirectory(prefix="zkprep-cache-") as cache:
        os.environ["ZKPREP_CACHE"] = cache  # no calibration of this machine
        for name in chosen or make.names():
            record(name)
            print(name, flush=True)
    TABLE.write_text(table(), encoding="utf-8")


def _baseline(report: Report, memory: str) -> Baseline:
    return Baseline(
        memory=memory,
        scale=report.scale,
        rewrites=dict(Counter(site.rule for site in report.sites if not site.reason)),
        variants={
            name: cost
            for name, variant in report.variants.items()
            if (cost := _cost(variant)) is not None
        },
        cells=[one.counts.cells for one in report.variants["prepared"].slices],
        causes={cause: sum(getattr(row, cause) for row in report.profile) for cause in CAUSES},
    )


def _cost(variant: Variant) -> Cost | None:
    if variant.total is None:
        return None
    predicted = variant.total.predicted
    return Cost(
        slices=len(variant.slices),
        counts=variant.total.counts,
        pk_bytes=predicted.pk_bytes,
        prove_cpu_seconds=round(predicted.prove_cpu_seconds, 2),
        peak_bytes=predicted.peak_bytes,
    )


def _headings(prover: str) -> list[str]:
    return [
        f"{prover}:\n",
        "| case | MAC | places rewritten | slices | of at most "
        "| cells: ezkl | plain | prepared | change "
        "| prove CPU: ezkl | plain | prepared | peak: ezkl | prepared |",
        "|---|" + "---:|" * 13,
    ]


def _row(name: str, found: Baseline) -> str:
    with tempfile.TemporaryDirectory(prefix="zkprep-facts-") as folder:
        model, _ = make.build(name, Path(folder))
        products = facts(onnx.load(model))["mac"]
    sides = [found.variants.get(variant) for variant in ("ezkl", "plain", "prepared")]
    ezkl, plain, prepared = sides
    assert prepared is not None
    cells = [count(side.counts.cells) if side else "-" for side in sides]
    times = [seconds(side.prove_cpu_seconds) if side else "-" for side in sides]
    change = percent(100 * (prepared.counts.cells / plain.counts.cells - 1)) if plain else "-"
    peaks = [size(side.peak_bytes) if side else "-" for side in (ezkl, prepared)]
    rewritten = count(sum(found.rewrites.values()))
    told = (count(products), rewritten, str(prepared.slices), found.memory)
    return f"| [{name}]({name}) | {' | '.join((*told, *cells, change, *times, *peaks))} |"


def _means(cases: Iterable[Baseline]) -> str:
    """Geometric means of what EZKL takes over what zkprep takes, of the cases that both count."""
    pairs = [(one.variants["ezkl"], one.variants["prepared"]) for one in cases if _both(one)]
    means = {
        "cells": geometric_mean(ezkl.counts.cells / ours.counts.cells for ezkl, ours in pairs),
        "prove CPU": geometric_mean(
            ezkl.prove_cpu_seconds / ours.prove_cpu_seconds for ezkl, ours in pairs
        ),
        "peak memory": geometric_mean(ezkl.peak_bytes / ours.peak_bytes for ezkl, ours in pairs),
    }
    said = ", ".join(f"{name} {mean:.2f}" for name, mean in means.items())
    return f"\nezkl over prepared, geometric mean of {len(pairs)} cases: {said}."


def _both(case: Baseline) -> bool:
    return {"ezkl", "prepared"} <= set(case.variants)


if __name__ == "__main__":
    main(sys.argv[1:])
