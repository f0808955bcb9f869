"""EZKL as its users run it, and zkprep: proved on the same machine, paired and repeated.

    python -m benchmarks.bench [CASE ...] [--repeats N] [--table]

Each repetition of a case proves, one after the other and in this order: zkprep's prepared slices,
EZKL's whole model under its default calibration, zkprep's plain slices, and one slice per weighted
operator as EZKL calibrates it. What does not fit the machine is skipped and shown as predicted.
Samples are added to benchmarks/results.json as they come, so a stopped run goes on; a case whose
circuits are no longer those of its baseline begins anew. The tables in docs/benchmarks.md are
written from it; with --table nothing is proved.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import geometric_mean, median

import msgspec

from benchmarks import tables, weighted
from benchmarks.baseline import MEMORY, causes, prepared
from circuits import make
from zkprep import api
from zkprep.backends.ezkl import EzklBackend
from zkprep.errors import ZkprepError
from zkprep.options import Baselines, Options, parse_memory
from zkprep.proving.assemble import this_machine
from zkprep.report.figures import MISSING, count, seconds, size
from zkprep.report.summary import number
from zkprep.report.types import CAUSES, Machine, Measured, Prediction, Variant

RESULTS = Path(__file__).parent / "results.json"
VARIANTS = ("ezkl", "weighted", "plain", "prepared")
_SAID = {cause: {"multiply": "products", "rebase": "rebases"}.get(cause, cause) for cause in CAUSES}
"""Cells' causes as the document calls them."""

DEFAULTS = tuple(name for name in make.names() if not make.case(name).get("long"))


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One variant of one repetition; `measured` is None where it was not proved."""

    slices: int
    cells: int
    predicted: Prediction
    measured: Measured | None


Repetition = dict[str, Sample]


class Results(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything that was measured on one machine, by case."""

    machine: Machine
    prover: str
    cases: dict[str, list[Repetition]]


def main() -> None:
    """Measure what is missing of the chosen cases, and write the results and their table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=DEFAULTS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="only write the tables anew")
    chosen = parser.parse_args()
    if chosen.table:
        tables.replace("bench", table(on_file()))
        return
    for _ in range(chosen.repeats):
        for name in chosen.cases:
            results = read()
            kept = current(name, results)
            if len(kept) < chosen.repeats:
                results.cases[name] = together(kept, repetition(name))
                write(results)
                print(name, flush=True)


def on_file() -> Results:
    """The results on file, whosesoever."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=Results)


def current(name: str, results: Results) -> list[Repetition]:
    """The repetitions of a case on file; none where its baseline has other circuits."""
    cost = prepared(name, results.prover)
    expected = cost and (cost.slices, cost.counts.cells, cost.pk_bytes)
    kept = results.cases.get(name, [])
    return [one for one in kept if expected in (None, _circuits(one)["prepared"])]


def together(kept: list[Repetition], fresh: Repetition) -> list[Repetition]:
    """The repetitions of a case: those on file as long as the circuits are still the same."""
    same = all(_circuits(one) == _circuits(fresh) for one in kept)
    return [*(kept if same else []), fresh]


def read() -> Results:
    """The results so far; none where those on file are another machine's or another prover's."""
    machine, prover = this_machine(), EzklBackend().version
    if RESULTS.exists():
        kept = on_file()
        theirs = (kept.machine.cpu, kept.machine.cores, kept.prover)
        if theirs == (machine.cpu, machine.cores, prover):
            return kept
        print(f"measuring anew: those on file are of {', '.join(map(str, theirs))}")
    return Results(machine=machine, prover=prover, cases={})


def write(results: Results) -> None:
    """Write the results and the table made of them."""
    document = msgspec.json.encode(results, order="deterministic")
    RESULTS.write_bytes(msgspec.json.format(document) + b"\n")
    tables.replace("bench", table(results))


def repetition(name: str) -> Repetition:
    """Every variant of a case, proved once, from nothing."""
    memory = parse_memory(str(make.case(name).get("memory", MEMORY)))
    options = Options(memory=memory, baselines=Baselines.PROVE)
    with tempfile.TemporaryDirectory(prefix="zkprep-bench-") as folder:
        model, data = make.build(name, Path(folder) / "case")
        report = api.prove(model, data, Path(folder) / "run", options)
        variants = dict(report.variants)
        try:
            variants["weighted"] = weighted.prove(model, data, Path(folder) / "weighted", options)
        except ZkprepError as error:
            print(f"{name}: not proved per weighted operator: {error}")
    return {one: _sample(variants[one]) for one in VARIANTS if _counted(variants.get(one))}


def table(results: Results) -> str:
    """The results as Markdown: the machine, medians, and the geometric means of the ratios."""
    machine, cases = results.machine, sorted(results.cases.items())
    repeats = sorted({len(kept) for _, kept in cases})
    medians = " or ".join(number(many, "repetition") for many in repeats)
    lines = [
        f"{machine.cpu}, {machine.cores} cores, {size(machine.memory_bytes)}, {results.prover}; "
        f"medians of {medians}; ~ is predicted.\n",
        "| case | variant | slices | cells | setup CPU | prove CPU | prove | verify CPU | peak "
        "| pk | vk | proof |",
        "|---|---|" + "---:|" * 10,
    ]
    lines += [
        _row(name, one, [each[one] for each in kept])
        for name, kept in cases
        for one in VARIANTS
        if one in kept[0]
    ]
    lines += ["", *(_means([kept for _, kept in cases], one) for one in VARIANTS[:-1])]
    return "\n".join([*lines, "", *_reached(cases, results.prover)])


def _row(name: str, variant: str, samples: list[Sample]) -> str:
    columns: tuple[tuple[str, Callable[[float], str]], ...] = (
        ("setup_cpu_seconds", seconds),
        ("prove_cpu_seconds", seconds),
        ("prove_seconds", seconds),
        ("verify_cpu_seconds", seconds),
        ("peak_bytes", size),
        ("pk_bytes", size),
        ("vk_bytes", size),
        ("proof_bytes", size),
    )
    figures = [_written(samples, field, write) for field, write in columns]
    first = samples[0]
    cells = (name, variant, str(first.slices), count(first.cells), *figures)
    return f"| {' | '.join(cells)} |"


def _written(samples: list[Sample], field: str, write: Callable[[float], str]) -> str:
    measured = [getattr(one.measured, field) for one in samples if one.measured is not None]
    if measured:
        return write(median(measured))
    predicted = getattr(samples[0].predicted, field, None)
    return "-" if predicted is None else f"~{write(predicted)}"


def _means(cases: list[list[Repetition]], variant: str) -> str:
    """What a variant takes over what prepared takes, of the cases in which both were proved."""
    pairs = [
        (kept, [each[variant].measured for each in kept])
        for kept in cases
        if all(variant in each and each[variant].measured is not None for each in kept)
    ]
    cases_said = number(len(pairs), "case")
    if not pairs:
        return f"- {variant}: nothing was proved"
    said = []
    for label, field in (
        ("prove CPU", "prove_cpu_seconds"),
        ("setup CPU", "setup_cpu_seconds"),
        ("peak memory", "peak_bytes"),
        ("proving keys", "pk_bytes"),
    ):
        ratios = [
            median(getattr(one, field) for one in theirs)
            / median(getattr(each["prepared"].measured, field) for each in kept)
            for kept, theirs in pairs
        ]
        said.append(f"{label} {geometric_mean(ratios):.2f}")
    return f"- {variant} over prepared, geometric mean of {cases_said}: {', '.join(said)}"


def _reached(cases: list[tuple[str, list[Repetition]]], prover: str) -> Iterator[str]:
    """By case: EZKL over prepared, and what the prepared cells are for, the most of them first."""
    yield (
        "| case | prove CPU: ezkl over prepared | peak: ezkl over prepared "
        f"| held back by | cells: {' | '.join(_SAID.values())} |"
    )
    yield "|---|---:|---:|---|" + "---:|" * len(_SAID)
    for name, kept in cases:
        ratios = [_ratio(kept, field) for field in ("prove_cpu_seconds", "peak_bytes")]
        spent = causes(name, prover)
        whole = sum(spent.values())
        most = _SAID[max(spent, key=spent.__getitem__)] if whole else MISSING
        shares = [f"{100 * spent[one] / whole:.0f} %" if whole else MISSING for one in _SAID]
        yield f"| {name} | {' | '.join((*ratios, most, *shares))} |"


def _ratio(kept: list[Repetition], field: str) -> str:
    """EZKL over prepared, measured or, where EZKL was not proved, as both were predicted."""
    if "ezkl" not in kept[0]:
        return MISSING
    sides = [[each[variant] for each in kept] for variant in ("ezkl", "prepared")]
    if all(one.measured is not None for side in sides for one in side):
        theirs, ours = (median(getattr(one.measured, field) for one in side) for side in sides)
        return f"{theirs / ours:.2f}"
    theirs, ours = (getattr(side[0].predicted, field) for side in sides)
    return f"~{theirs / ours:.2f}"


def _circuits(repetition: Repetition) -> dict[str, tuple[int, int, int]]:
    return {
        name: (one.slices, one.cells, one.predicted.pk_bytes) for name, one in repetition.items()
    }


def _counted(variant: Variant | None) -> bool:
    return variant is not None and variant.total is not None


def _sample(variant: Variant) -> Sample:
    whole = variant.total
    assert whole is not None
    return Sample(
        slices=len(variant.slices),
        cells=whole.counts.cells,
        predicted=whole.predicted,
        measured=whole.measured,
    )


if __name__ == "__main__":
    main()
