"""What each circuit rewrite is worth on the corpus: docs/rewrites.md.

    python -m benchmarks.rewrites [--prove CASE ...]

Cells, degree and CPU seconds are predicted, pass by pass, and need no keys. With --prove, what is
missing of the cases is also proved (benchmarks/rewrite_proofs.py).
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import geometric_mean

import msgspec
import onnx
import onnx_ir as ir

from benchmarks import rewrite_proofs, rewritten
from benchmarks.rewritten import Results, Stage, State
from circuits import make
from circuits.facts import facts
from zkprep import passes
from zkprep.cost.price import price
from zkprep.cost.profile import CAUSES, profile
from zkprep.models.model import load
from zkprep.options import TOLERANCE
from zkprep.passes.base import run_passes
from zkprep.passes.behead import behead
from zkprep.passes.circuit import ROUNDS, circuit_passes
from zkprep.passes.normalise import normalise
from zkprep.report.figures import MISSING, count, percent, seconds, share, size
from zkprep.slicing.groups import elements
from zkprep.tune.descent import entered

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/rewrites.md"
HEAD = Path(__file__).parent / "rewrites.md.in"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case, fused and behind each rewrite in turn.

    Attributes:
        name: of the case.
        floor: cells that its products, ReLUs and inputs take.
        stages: fused first, rewritten last.
        causes: the cells of the last, by what they are for.
    """

    name: str
    floor: int
    stages: list[Stage]
    causes: dict[str, int]


def main() -> None:
    """Prove what is missing of the chosen cases, if any, and write the page."""
    parser = argparse.ArgumentParser()
    names = make.names()
    parser.add_argument("--prove", nargs="*", default=[], metavar="CASE", choices=names)
    chosen = parser.parse_args().prove
    cases = {name: staged(name) for name in names}
    stages = {name: case.stages for name, case in cases.items()}
    known = rewritten.kept(rewritten.read(), stages)
    if chosen:
        known = rewritten.on_this_machine(known)
        rewrite_proofs.prove(known, {name: stages[name] for name in chosen})
    rewritten.write(known)
    DOCUMENT.write_text("\n".join(page(list(cases.values()), known)) + "\n", encoding="utf-8")


def staged(name: str) -> Case:
    """A case with what it is between its rewrites."""
    with tempfile.TemporaryDirectory(prefix="zkprep-rewrites-") as folder:
        path, _ = make.build(name, Path(folder))
        original, counts = load(path), facts(onnx.load(path))
        body = behead(normalise(original).model).model
    stages = _stages(run_passes(body, passes.default_passes()).model)
    spec = stages[-1].price.spec
    spent = profile([(entered(stages[-1].model, spec), spec)])
    inputs = sum(elements(value) for value in body.graph.inputs)
    return Case(
        name=name,
        floor=counts["mac"] + 16 * counts["relu"] + inputs,
        stages=stages,
        causes={cause: sum(row[cause] for row in spent.values()) for cause in CAUSES},
    )


def _stages(model: ir.Model) -> list[Stage]:
    """A fused model and what it is behind each pass that rewrites it, until none does."""
    stages = [Stage("fused", 0, price(model), model)]
    for _ in range(ROUNDS):
        made = len(stages)
        for one in circuit_passes():
            result = run_passes(stages[-1].model, (one,))
            if not result.applied:
                continue
            rules = [site.rule for site in result.applied if site.saving] or [one.name]
            stages.append(Stage(rules[0], len(rules), price(result.model), result.model))
        if len(stages) == made:
            break
    return stages


def page(cases: Sequence[Case], known: Results) -> Iterator[str]:
    """The document, line by line."""
    yield HEAD.read_text(encoding="utf-8")
    machine = known.machine
    yield (
        f"CPU seconds are those of {machine.cpu}, {machine.cores} cores: predicted ones of the "
        f"reference machine times {known.slowness:.2f} (`zkprep calibrate-machine`).\n"
    )
    yield "## Before and after\n"
    yield from _totals(cases, known)
    yield "\n## Per rewrite\n"
    yield from per_rewrite(cases, known)
    if known.wholes:
        yield "\n## Measured\n"
        yield from measured(known)


def _totals(cases: Sequence[Case], known: Results) -> Iterator[str]:
    yield (
        "| case | floor | cells: fused | rewritten | by the floor | degree | prove CPU: fused "
        "| rewritten | change | the rewritten cells: multiply | rebase | activation | rest |"
    )
    yield "|---|" + "---:|" * 12
    for case in cases:
        one, other, causes = case.stages[0].price, case.stages[-1].price, case.causes
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
            _degrees(one.degree, other.degree),
            *_change(known.slowness * one.seconds, known.slowness * other.seconds),
            *shares,
        )
        yield f"| {case.name} | {' | '.join(figures)} |"


def per_rewrite(cases: Sequence[Case], known: Results) -> Iterator[str]:
    """The table of all rewrites, with what was measured, and how that is to be read."""
    yield (
        "| rewrite | case | places | cells: before | after | degree "
        "| prove CPU predicted: before | after | change | measured: before | after | change "
        "| peak: before | after |"
    )
    yield "|---|---|" + "---:|" * 12
    found = [
        (other.rule, case.name, one, other)
        for case in cases
        for one, other in pairwise(case.stages)
    ]
    for rule, name, one, other in sorted(found, key=lambda item: item[:2]):
        both = known.state(name, one), known.state(name, other)
        figures = _compared(one, other, *both, known)
        yield f"| {rule} | {name} | {other.places} | {' | '.join(figures)} |"
    proved = {
        case.name: [state for stage in case.stages if (state := known.state(case.name, stage))]
        for case in cases
    }
    if any(proved.values()):
        yield from ("", *_remarks({name: each for name, each in proved.items() if each}, known))


def _compared(
    one: Stage, other: Stage, before: State | None, after: State | None, known: Results
) -> Iterator[str]:
    """A row's figures: of the circuits that were proved, or as priced where not both were."""
    if before is None or after is None:
        yield from (count(one.price.cells), count(other.price.cells))
        yield _degrees(one.price.degree, other.price.degree)
        yield from _change(known.slowness * one.price.seconds, known.slowness * other.price.seconds)
        yield from [MISSING] * 5
        return
    old, new = before.took, after.took
    yield from (count(old.cells), count(new.cells), _degrees(old.degree, new.degree))
    predicted = (known.slowness * took.reference_cpu_seconds for took in (old, new))
    yield from _change(*predicted)
    yield from _change(old.prove_cpu_seconds, new.prove_cpu_seconds)
    yield from (size(old.peak_bytes), size(new.peak_bytes))


def _degrees(one: int, other: int) -> str:
    return f"{one} to {other}" if one != other else str(one)


def _change(one: float, other: float) -> tuple[str, str, str]:
    return seconds(one), seconds(other), percent(100 * (other / one - 1))


def _remarks(proved: dict[str, list[State]], known: Results) -> Iterator[str]:
    """How near predictions came, and which circuits are not those of the prices."""
    every = [one.took for states in proved.values() for one in states]
    off = [took.prove_cpu_seconds / took.reference_cpu_seconds / known.slowness for took in every]
    yield (
        f"Of the {len(every)} circuits that were proved, measured over predicted is "
        f"{geometric_mean(off):.2f} in geometric mean, from {min(off):.2f} to {max(off):.2f}. "
        "Each was proved once, with other jobs beside it: changes of a few percent may be chance."
    )
    chosen = [name for name, states in proved.items() if not all(one.as_asked for one in states)]
    if chosen:
        yield (
            f"Of {' and '.join(chosen)} a priced circuit would put out more than the 53 bits that "
            "EZKL keeps exact; what stands here is the one circuit that zkprep chooses instead."
        )
    worst = {name: max(one.took.relative_error for one in each) for name, each in proved.items()}
    coarse = [f"{name} {share(off)}" for name, off in worst.items() if off > TOLERANCE]
    if coarse:
        yield (
            f"At 8 bits not all keep the tolerance, a circuit costs the same: {', '.join(coarse)} "
            "of the output's range. `zkprep prove` takes more bits then."
        )


def measured(known: Results) -> Iterator[str]:
    """The table of cases as `zkprep prove` proves them."""
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
    for name, whole in sorted(known.wholes.items()):
        one, other = whole.took
        figures = (
            count(one.cells),
            count(other.cells),
            seconds(known.slowness * one.reference_cpu_seconds),
            seconds(known.slowness * other.reference_cpu_seconds),
            *_change(one.prove_cpu_seconds, other.prove_cpu_seconds),
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
