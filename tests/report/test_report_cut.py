"""The picture of a cut: what is drawn and where, as SVG, Mermaid and table; the command line."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from zkprep.cli import app
from zkprep.report import cut_table, html, markdown
from zkprep.report.cut import Cut, CutOperator, CutSlice, CutTensor
from zkprep.report.picture import mermaid, svg
from zkprep.report.picture.boxes import lines, scene
from zkprep.report.picture.layered import draw

DIGITS = Path(__file__).parents[2] / "circuits/digits/model.onnx"
SVG = "{http://www.w3.org/2000/svg}"


def piece(name: str, inputs: Sequence[str], outputs: Sequence[str], twin: str = "") -> CutSlice:
    return CutSlice(
        name=name,
        nodes=["one", "two"],
        ops=1,
        inputs=list(inputs),
        outputs=list(outputs),
        cells=1234,
        prove_cpu_seconds=2.5,
        peak_bytes=10**8,
        twin=twin,
    )


def tensor(
    name: str, source: int | None, *readers: int, elements: int = 16, leaves: bool = False
) -> CutTensor:
    return CutTensor(
        name=name, elements=elements, source=source, readers=list(readers), leaves=leaves
    )


def operators(*slices: int) -> list[CutOperator]:
    return [
        CutOperator(name=f"n{index}", op=f"Op{index}", slice=home, cells=100)
        for index, home in enumerate(slices)
    ]


def skip() -> Cut:
    """x -> 0 -> 1 -> 2 | 3 -> 4 -> y, and what 0 makes is read by 1 and by 4."""
    return Cut(
        slices=[piece("000", ["x"], ["a", "c"]), piece("001", ["a", "c"], ["y"], twin="000")],
        operators=operators(0, 0, 0, 1, 1),
        tensors=[
            tensor("x", None, 0, elements=1000),
            tensor("a", 0, 1, 4, elements=64),
            tensor("b", 1, 2),
            tensor("c", 2, 3, elements=32),
            tensor("d", 3, 4),
            tensor("y", 4, elements=10, leaves=True),
        ],
    )


def test_operators_in_a_row_share_a_box() -> None:
    shown = scene(skip())
    assert [box.operators for box in shown.boxes] == [(0,), (1, 2), (3,), (4,)]
    assert [pill.tensor.name for pill in shown.pills] == ["x", "a", "c", "y"]
    a, c = 5, 6
    assert {(0, 1), (0, a), (a, 3), (1, c), (c, 2), (2, 3)} <= set(shown.links)
    assert (0, 3) not in shown.links


def test_a_box_says_its_operators_on_a_few_lines() -> None:
    many = [CutOperator(name=str(i), op=op, slice=0, cells=1) for i, op in enumerate(OPS)]
    chain = [tensor(f"t{i}", i, i + 1) for i in range(len(OPS) - 1)]
    cut = Cut(slices=[piece("0", [], [])], operators=many, tensors=chain)
    (box,) = scene(cut).boxes
    assert lines(cut, box) == [
        "Conv \u00d73, Relu",
        "BatchNormalization, Relu",
        "Flatten, Gemm + 2 more",
    ]


OPS = ["Conv"] * 3 + ["Relu", "BatchNormalization", "Relu", "Flatten", "Gemm"]
OPS += ["GlobalAveragePool", "Softmax"]


def test_the_svg_shows_each_slice_box_and_crossing_tensor_once() -> None:
    root = ElementTree.fromstring(
        svg.render(skip()).replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1)
    )
    kinds = [group.get("class") for group in root.iter(f"{SVG}g")]
    assert [kinds.count(kind) for kind in ("band", "box", "pill link")] == [2, 4, 2]
    assert [kinds.count(kind) for kind in ("pill input", "pill output")] == [1, 1]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts.count("64") == texts.count("32") == 1
    assert "x: 1\u202f000" in texts
    hues = {group.get("style") for group in root.iter(f"{SVG}g")} - {None}
    assert len(hues) == 1, "equal slices have one colour"


def test_names_of_a_model_end_nothing() -> None:
    cut = skip()
    bad = '</text><script>alert(1)</script>"]\n|`'
    tensors = [msgspec.structs.replace(one, name=bad) for one in cut.tensors]
    named = [msgspec.structs.replace(one, name=bad, op=bad) for one in cut.operators]
    evil = Cut(slices=cut.slices, operators=named, tensors=tensors)
    assert "<script" not in svg.render(evil)
    ElementTree.fromstring(svg.render(evil))
    assert "<script" not in html.render_cut(bad, evil)
    drawn = mermaid.render(evil)
    assert "script>" not in drawn
    assert drawn.count("\n") == mermaid.render(cut).count("\n")
    assert all(line.count("[") == line.count("]") for line in drawn.splitlines())


def test_mermaid_says_how_much_crosses() -> None:
    drawn = mermaid.render(skip())
    assert drawn.startswith("flowchart TD\n")
    assert drawn.count("subgraph ") == drawn.count("  end\n") == 2
    arrows = re.findall(r"^  (\w+) -->(?:\|([\d ]+)\|)? (\w+)$", drawn, re.MULTILINE)
    assert ("b0", "64", "b3") in arrows and ("b1", "32", "b2") in arrows
    assert ("b0", "", "b1") in arrows and ("p4", "1 000", "b0") in arrows


def test_the_table_counts_links_and_distinct_structures() -> None:
    assert cut_table.rows(skip())[1][0] == "001 = 000"
    assert cut_table.rows(skip())[0][-1] == "a (64), c (32)"
    said = cut_table.totals(skip())
    assert said.startswith("2 slices of 1 distinct structure, 2 links; 2\u202f468 cells")


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_nothing_in_a_row_overlaps(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    ranks = sorted(data.draw(st.lists(st.integers(0, 6), min_size=count, max_size=count)))
    widths = [float(data.draw(st.integers(10, 90))) for _ in ranks]
    pairs = [(i, j) for i in range(count) for j in range(count) if ranks[i] < ranks[j]]
    links = sorted(data.draw(st.sets(st.sampled_from(pairs), max_size=20))) if pairs else []
    made = draw(widths, ranks, links, gap=8)
    assert draw(widths, ranks, links, gap=8) == made
    for rank in set(ranks):
        row = sorted((made.places[v], widths[v]) for v in range(count) if ranks[v] == rank)
        for (x, width), (y, other) in pairwise(row):
            assert y - x >= (width + other) / 2 + 8 - 1e-6
    for (source, target), bends in zip(links, made.bends, strict=True):
        assert len(bends) == ranks[target] - ranks[source] - 1


@pytest.mark.parametrize(
    ("format_", "said"),
    [
        ("text", "puts out"),
        ("md", "```mermaid\nflowchart TD"),
        ("html", '<svg class="cut"'),
        ("json", '"tensors"'),
    ],
)
def test_a_dry_run_shows_the_cut(format_: str, said: str) -> None:
    done = CliRunner().invoke(
        app, ["slice", str(DIGITS), "--dry-run", "--blocks", "3", "--format", format_]
    )
    assert done.exit_code == 0, done.output
    assert said in done.stdout


def test_more_workers_cut_more(tmp_path: Path) -> None:
    made = []
    for workers in ("1", "4"):
        done = CliRunner().invoke(
            app, ["slice", str(DIGITS), "--dry-run", "--workers", workers, "--json"]
        )
        made.append(msgspec.json.decode(done.stdout)["slices"])
    one, four = ([part["prove_cpu_seconds"] for part in slices] for slices in made)
    assert max(four) < max(one)
    assert sum(four) >= sum(one)


def test_markdown_folds_nothing_of_a_cut_alone() -> None:
    assert markdown.render_cut("m.onnx", skip()).startswith("### zkprep slice: `m.onnx`\n")
