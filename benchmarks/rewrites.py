"""What each circuit rewrite is worth on the corpus: docs/rewrites.md.

    python -m benchmarks.rewrites [--prove CASE ...]

Cells, degree and CPU seconds are predicted, pass by pass, and need no keys. With --prove, the cases
are also proved without and with rewrites, and what that took is kept in benchmarks/rewrites.json.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import msgspec
import onnx
import onnx_ir as ir

from circuits import make
from circuits.facts import facts
from zkprep import api, passes
from zkprep.cost.price import Price, price
from zkprep.cost.profile import CAUSES, profile
from zkprep.groups import elements
from zkprep.model import load
from zkprep.options import Baselines, Options, parse_memory
from zkprep.passes.base import PassResult, run_passes
from zkprep.passes.behead import behead
from zkprep.passes.circuit import ROUNDS, circuit_passes
from zkprep.passes.normalise import normalise
from zkprep.proving.assemble import this_machine
from zkprep.report.figures import count, percent, seconds, size
from zkprep.report.types import Machine, Report

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/rewrites.md"
HEAD = Path(__file__).parent / "rewrites.md.in"
RESULTS = Path(__file__).parent / "rewrites.json"
MEMORY = "4GiB"


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a case, proved and verified."""

    slices: int
    cells: int
    degree: int
    predicted_cpu_seconds: float
    prove_cpu_seconds: float
    pk_bytes: int
    peak_bytes: int
    relative_error: float


class Results(msgspec.Struct, kw_only=True):
    """What was measured on one machine: by case, without and with rewrites."""

    machine: Machine
    cases: dict[str, tuple[Took, Took]]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A rewrite of a case and the price before and after it."""

    rule: str
    places: int
    before: Price
    after: Price


def main() -> None:
    """Prove the chosen cases, if any, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prove", nargs="*", default=[], metavar="CASE")
    known = _results()
    for name in parser.parse_args().prove:
        known.cases[name] = (_proved(name, rewriting=False), _proved(name, rewriting=True))
        document = msgspec.json.format(msgspec.json.encode(known, order="deterministic"))
        RESULTS.write_bytes(document + b"\n")
        print(name, flush=True)
    DOCUMENT.write_text("\n".join(_page(known)) + "\n", encoding="utf-8")


def _results() -> Results:
    if RESULTS.exists():
        return msgspec.json.decode(RESULTS.read_bytes(), type=Results)
    return Results(machine=this_machine(), cases={})


def _proved(name: str, *, rewriting: bool) -> Took:
    options = Options(memory=parse_memory(MEMORY), baselines=Baselines.NONE, allow_test_srs=True)
    with tempfile.TemporaryDirectory(prefix="zkprep-rewrites-") as folder, _only(rewriting):
        model, data = make.build(name, Path(folder))
        report = api.prove(model, data, Path(folder) / "run", options)
    return _took(report)


@contextmanager
def _only(rewriting: bool) -> Iterator[None]:
    """With circuit rewrites, or as it was before there were any."""
    if rewriting:
        yield
        return
    with mock.patch("zkprep.prepare.rewrite", lambda model: PassResult(model, ())):
        yield


def _took(report: Report) -> Took:
    total = report.variants["prepared"].total
    assert total is not None and total.measured is not None and total.fidelity is not None
    assert report.verdict is not None and report.verdict.accepted
    return Took(
        slices=len(report.variants["prepared"].slices),
        cells=total.counts.cells,
        degree=total.counts.degree,
        predicted_cpu_seconds=round(total.predicted.prove_cpu_seconds, 2),
        prove_cpu_seconds=round(total.measured.prove_cpu_seconds, 2),
        pk_bytes=total.measured.pk_bytes,
        peak_bytes=total.measured.peak_bytes,
        relative_error=total.fidelity.relative_error,
    )


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case before and after, and every rewrite in between."""

    name: str
    floor: int
    fused: Price
    rewritten: Price
    causes: dict[str, int]
    steps: list[Step]


def _case(name: str) -> Case:
    with tempfile.TemporaryDirectory(prefix="zkprep-rewrites-") as folder:
        path, _ = make.build(name, Path(folder))
        original, counts = load(path), facts(onnx.load(path))
        body = behead(normalise(original).model).model
    fused = run_passes(body, passes.default_passes()).model
    model, steps = _stepwise(fused)
    found = price(model)
    spent = profile([(model, found.spec)])
    inputs = sum(elements(value) for value in body.graph.inputs)
    return Case(
        name=name,
        floor=counts["mac"] + 16 * counts["relu"] + inputs,
        fused=price(fused),
        rewritten=found,
        causes={cause: sum(row[cause] for row in spent.values()) for cause in CAUSES},
        steps=steps,
    )


def _stepwise(model: ir.Model) -> tuple[ir.Model, list[Step]]:
    """The model behind all rewrites, pass by pass."""
    steps = []
    for _ in range(ROUNDS):
        made = len(steps)
        for one in circuit_passes():
            result = run_passes(model, (one,))
            if not result.applied:
                continue
            rules = [site.rule for site in result.applied if site.saving] or [one.name]
            before, after = price(model), price(result.model)
            steps.append(Step(rule=rules[0], places=len(rules), before=before, after=after))
            model = result.model
        if len(steps) == made:
            break
    return model, steps


def _page(known: Results) -> Iterator[str]:
    cases = [_case(name) for name in make.names()]
    yield HEAD.read_text(encoding="utf-8")
    yield "## Before and after\n"
    yield from _totals(cases)
    yield "\n## Per rewrite\n"
    yield from _per_rewrite(cases)
    if known.cases:
        yield "\n## Measured\n"
        yield from _measured(known)


def _totals(cases: list[Case]) -> Iterator[str]:
    yield (
        "| case | floor | cells: fused | rewritten | by the floor | degree | prove CPU: fused "
        "| rewritten | change | the rewritten cells: multiply | rebase | activation | rest |"
    )
    yield "|---|" + "---:|" * 12
    for case in cases:
        one, other, causes = case.fused, case.rewritten, case.causes
        rest = sum(causes.values()) - sum(causes[c] for c in ("multiply", "rebase", "activation"))
        whole = sum(causes.values())
        shares = [
            f"{100 * part / whole:.0f} %"
            for part in (causes["multiply"], causes["rebase"], causes["activation"], rest)
        ]
        figures = (
            count(case.floor),
            count(one.cells),
            count(other.cells),
            f"{other.cells / case.floor:.2f}",
            f"{one.degree} to {other.degree}" if one.degree != other.degree else str(one.degree),
            seconds(one.seconds),
            seconds(other.seconds),
            percent(100 * (other.seconds / one.seconds - 1)),
            *shares,
        )
        yield f"| {case.name} | {' | '.join(figures)} |"


def _per_rewrite(cases: list[Case]) -> Iterator[str]:
    yield "| rewrite | case | places | cells: before | after | degree | prove CPU: before | after |"
    yield "|---|---|" + "---:|" * 6
    found = [(step.rule, case.name, step) for case in cases for step in case.steps]
    for rule, name, step in sorted(found, key=lambda item: item[:2]):
        one, other = step.before, step.after
        degree = (
            f"{one.degree} to {other.degree}" if one.degree != other.degree else str(one.degree)
        )
        figures = (
            str(step.places),
            count(one.cells),
            count(other.cells),
            degree,
            seconds(one.seconds),
            seconds(other.seconds),
        )
        yield f"| {rule} | {name} | {' | '.join(figures)} |"


def _measured(known: Results) -> Iterator[str]:
    machine = known.machine
    yield (
        f"Proved on {machine.cpu}, {machine.cores} cores, tuned as `zkprep prove` does,"
        " without the circuit rewrites and with them; the machine was shared, so CPU seconds.\n"
    )
    yield (
        "| case | cells: without | with | prove CPU predicted: without | with "
        "| measured: without | with | change | key: without | with | peak: without | with "
        "| error / range: without | with |"
    )
    yield "|---|" + "---:|" * 13
    for name, (one, other) in sorted(known.cases.items()):
        figures = (
            count(one.cells),
            count(other.cells),
            seconds(one.predicted_cpu_seconds),
            seconds(other.predicted_cpu_seconds),
            seconds(one.prove_cpu_seconds),
            seconds(other.prove_cpu_seconds),
            percent(100 * (other.prove_cpu_seconds / one.prove_cpu_seconds - 1)),
            size(one.pk_bytes),
            size(other.pk_bytes),
            size(one.peak_bytes),
            size(other.peak_bytes),
            f"{100 * one.relative_error:.3f} %",
            f"{100 * other.relative_error:.3f} %",
        )
        yield f"| {name} | {' | '.join(figures)} |"


if __name__ == "__main__":
    main()
