"""What cutting the corpus costs: docs/slicing.md, by prediction; no prover runs.

    python -m benchmarks.slicing [CASE ...]

Every cut is also run on ONNX Runtime, in both variants, and has to give the whole model's output
bit for bit. Cells, seconds and bytes are those by which cuts are chosen (zkprep/cost/loads.py).
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import networkx as nx

import slicer
from benchmarks import weighted
from circuits import make
from zkprep.errors import TooLarge
from zkprep.models.inputs import read_input
from zkprep.models.model import Feeds
from zkprep.options import Options, parse_memory
from zkprep.prepare import Prepared, prepare
from zkprep.proving import cutting
from zkprep.proving.drawn import drawn
from zkprep.report.cut import Cut, CutSlice
from zkprep.report.figures import count, percent, plain, seconds, size
from zkprep.slicing.slices import Slicing, apply_cut, check_chain

DOCUMENT = Path("docs/slicing.md")
HEAD = Path(__file__).parent / "slicing.md.in"
UNLIMITED = 1 << 50
BUDGETS = {"4GiB": UNLIMITED, "1GiB": UNLIMITED, "256MiB": 8_000_000}
"""Memory per slice, and the cells of the largest model for which it is asked: minutes beyond."""

WORKERS = (1, 2, 4, 16)
NODES = 10_000


@dataclass(frozen=True)
class Case:
    """A case of the corpus, prepared, with its input."""

    name: str
    prepared: Prepared
    feeds: Feeds


def load(name: str) -> Case:
    """Build and prepare a case."""
    with tempfile.TemporaryDirectory(prefix="zkprep-slicing-") as folder:
        model, data = make.build(name, Path(folder))
        prepared = prepare(model, {})
        return Case(name, prepared, read_input(data, prepared.normalised))


def checked(case: Case, slicing: Slicing) -> Cut:
    """The cut, after running its chain in both variants."""
    for variant in ("plain", "prepared"):
        check_chain(slicing, variant, case.feeds)
    return drawn(slicing)


def total(cut: Cut) -> int:
    """Cells of all slices."""
    return sum(piece.cells for piece in cut.slices)


def spent(slices: Sequence[CutSlice], workers: int) -> float:
    """CPU seconds until the last of `workers` is done; each takes the largest slice left."""
    loads = [0.0] * workers
    for piece in sorted(slices, key=lambda one: -one.prove_cpu_seconds):
        least = min(range(workers), key=loads.__getitem__)
        loads[least] += piece.prove_cpu_seconds
    return max(loads)


def budgets(cases: Iterable[Case]) -> Iterator[tuple[str, ...]]:
    """A row per case and budget: overhead over the whole model in one slice."""
    for case in cases:
        whole = total(drawn(cutting.cut(case.prepared, Options(blocks=1, memory=UNLIMITED))))
        requests = [("4 slices", Options(blocks=4, memory=UNLIMITED))]
        requests += [
            (one, Options(memory=parse_memory(one)))
            for one, most in BUDGETS.items()
            if whole <= most
        ]
        for said, options in requests:
            try:
                slicing = cutting.cut(case.prepared, options)
            except TooLarge as error:
                yield (case.name, said, f"does not fit: {error}", *[""] * 6)
                continue
            yield (case.name, said, *_budget(checked(case, slicing), slicing, whole, options))


def _budget(cut: Cut, slicing: Slicing, whole: int, options: Options) -> Iterator[str]:
    largest = max(cut.slices, key=lambda piece: piece.peak_bytes)
    room = options.memory or UNLIMITED
    assert largest.peak_bytes <= room, "a slice is over its budget"
    yield count(len(cut.slices))
    yield count(sum(not piece.twin for piece in cut.slices))
    yield count(len(slicing.prepared.splits))
    yield percent(100 * (total(cut) / whole - 1))
    yield count(max(piece.cells for piece in cut.slices))
    yield size(largest.peak_bytes)
    yield seconds(sum(piece.prove_cpu_seconds for piece in cut.slices))


def against_weighted(cases: Iterable[Case]) -> Iterator[tuple[str, ...]]:
    """Rows of one slice per operator with weights, and of zkprep's cut for so many workers.

    Both are cuts of the prepared model, so that the cut alone differs.
    """
    for case in cases:
        names = weighted.cut(case.prepared.model)
        own = replace(case.prepared, normalised=case.prepared.model)
        per_operator = drawn(apply_cut(own, names)).slices
        ours = [
            checked(case, cutting.cut(case.prepared, Options(memory=UNLIMITED, workers=workers)))
            for workers in WORKERS
        ]
        row = [_several([len(per_operator), *(len(cut.slices) for cut in ours)])]
        row.append(_several([sum(p.cells for p in per_operator), *map(total, ours)]))
        row.append(_several([_largest(per_operator), *(_largest(cut.slices) for cut in ours)]))
        for workers, cut in zip(WORKERS, ours, strict=True):
            before, after = spent(per_operator, workers), spent(cut.slices, workers)
            row.append(f"{seconds(before)} \u2192 {seconds(after)}")
        yield (case.name, *row)


def _largest(slices: Sequence[CutSlice]) -> int:
    return max(piece.cells for piece in slices)


def _several(numbers: Sequence[int]) -> str:
    """The first, and those after it that differ from each other."""
    first, *others = numbers
    return f"{count(first)} \u2192 {', '.join(dict.fromkeys(map(count, others)))}"


def large(nodes: int, seed: int = 1) -> "nx.DiGraph[str]":
    """Nodes that read up to three of the eight before them; weights and tensors of any size."""
    draw = random.Random(seed)
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in range(nodes):
        graph.add_node(f"n{node}", weights=draw.randint(1, 1000))
    for node in range(1, nodes):
        for source in {max(0, node - draw.randint(1, 8)) for _ in range(draw.choice([1, 1, 2, 3]))}:
            graph.add_edge(f"n{source}", f"n{node}", tensors={f"t{source}": 1 + source % 500})
    return graph


def times() -> Iterator[tuple[str, ...]]:
    """CPU seconds to cut a graph of many nodes."""
    graph = large(NODES)

    def cost(loads: slicer.Loads) -> slicer.Floats:
        return 500 + loads.weights[:, 0] + loads.inputs + loads.outputs

    requests: dict[str, dict[str, float]] = {
        "least sum": {},
        "least sum, blocks of at most 1/25": {"limit": 200_000},
        "least sum, blocks of at most 1/170": {"limit": 30_000},
        "16 workers": {"workers": 16},
        "16 blocks, slack 10 %": {"blocks": 16, "slack": 0.1},
    }
    for said, request in requests.items():
        start = time.process_time()
        found = slicer.cut(graph, cost, **request)  # type: ignore[arg-type]
        yield said, count(len(found.costs)), seconds(time.process_time() - start)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(names: Sequence[str]) -> None:
    """Write the document."""
    cases = [load(name) for name in names or make.names()]
    parts = {
        "BUDGETS": table(
            (
                "case",
                "budget",
                "slices",
                "distinct",
                "splits",
                "overhead",
                "largest, cells",
                "peak",
                "prove CPU",
            ),
            budgets(cases),
        ),
        "WEIGHTED": table(
            ("case", "slices", "cells", "largest, cells", *(f"{n} workers" for n in WORKERS)),
            against_weighted(cases),
        ),
        "TIMES": table(("request", "blocks", "CPU"), times()),
    }
    text = HEAD.read_text()
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    DOCUMENT.write_text(plain(text))
    print(DOCUMENT)


if __name__ == "__main__":
    main(sys.argv[1:])
