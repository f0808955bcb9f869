"""Equal circuits: what makes slices equal, one set-up for all of them, keys equal byte for byte."""

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from zkprep import api
from zkprep.backends.base import Backend
from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.circuit import CircuitSpec
from zkprep.models.model import save
from zkprep.models.twins import firsts, pooled, structure
from zkprep.options import Baselines, Options
from zkprep.report.summary import facts
from zkprep.verifying import audit

CONV = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 1, 6, 6] X) => (float[1, 1, 5, 6] Z)
<float[1, 1, 3, 3] W = {1.0, -2.0, 0.5, 0.0, 1.0, 0.0, 2.0, 0.25, -1.0}>
{
    Y = Conv <kernel_shape = [3, 3], strides = [1, 1], pads = [0, 1, 1, 1]> (X, W)
    Z = Relu (Y)
}
"""
SIAMESE = """
<ir_version: 8, opset_import: ["" : 17]>
siamese (float[1, 4] left, float[1, 4] right) => (float[1, 3] low, float[1, 3] high)
<float[4, 3] W = {1.0, -2.0, 0.5, 0.25, 1.0, 3.0, 2.0, 0.25, -1.0, 1.0, 1.5, -0.5}>
{
    a = MatMul (left, W)
    low = Relu (a)
    b = MatMul (right, W)
    high = Relu (b)
}
"""


def conv() -> ir.Model:
    return named(CONV)


def named(text: str) -> ir.Model:
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    return ir.from_proto(model)


def test_names_do_not_matter() -> None:
    text = CONV.replace("X", "other").replace("Y", "c").replace("W", "kernel").replace("Z", "out")
    assert structure(named(text)) == structure(conv())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.25, -1.0", "0.25, -1.5"),
        ("[0, 1, 1, 1]", "[1, 1, 0, 1]"),
        ("Relu", "Neg"),
        ("Z = Relu (Y)", "Z = Relu (Y) Q = Neg (Y)"),
        ("17", "16"),
    ],
)
def test_what_a_circuit_depends_on_matters(old: str, new: str) -> None:
    assert structure(named(CONV.replace(old, new))) != structure(conv())


def test_the_first_of_equals_is_found() -> None:
    assert firsts(["a", "b", "a", "a", "b"]) == [0, 1, 0, 0, 1]


def test_equal_slices_pool_their_largest_values() -> None:
    other = named(CONV.replace("X", "other").replace("W", "V"))
    third = named(CONV.replace("Relu", "Abs"))
    own = [{"X": 1.0, "Y": 5.0}, {"other": 3.0, "Y": 2.0}, {"X": 9.0, "Y": 9.0}]
    assert pooled([conv(), other, third], own) == [
        {"X": 3.0, "Y": 5.0},
        {"other": 3.0, "Y": 5.0},
        {"X": 9.0, "Y": 9.0},
    ]


@pytest.fixture
def siamese(tmp_path: Path) -> Path:
    save(named(SIAMESE), tmp_path / "model.onnx")
    data = {"input_data": [[0.5, -1.0, 2.0, 0.1], [8.0, 3.0, -2.0, 0.7]]}
    (tmp_path / "input.json").write_text(json.dumps(data))
    return tmp_path


OPTIONS = Options(blocks=4, baselines=Baselines.NONE)


def test_equal_slices_are_set_up_once_and_proved_each(siamese: Path) -> None:
    prove_and_verify(siamese, FakeBackend())


@pytest.mark.ezkl
def test_equal_slices_share_keys_of_the_real_prover(
    siamese: Path, kept_srs: Callable[[int], Srs]
) -> None:
    kept_srs(10)
    prove_and_verify(siamese, EzklBackend())


def prove_and_verify(folder: Path, backend: Backend) -> None:
    run = folder / "run"
    report = api.prove(folder / "model.onnx", folder / "input.json", run, OPTIONS, backend=backend)
    assert report.verdict is not None and report.verdict.accepted, report.verdict
    assert [part.twin for part in report.variants["prepared"].slices] == ["", "", "000", "001"]
    assert ("slices", "4, of 2 distinct circuits") in facts(report)
    stages = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    for stage, times in (("setup", 2), ("prove", 4)):
        assert [one["stage"] for one in stages].count(stage) == times
    claim = json.loads((run / "public/statement.json").read_bytes())
    keys = [piece["vk"] for piece in claim["slices"]]
    assert keys[:2] == keys[2:]
    audit.verify(run / "public", backend, model=folder / "model.onnx", allow_test_srs=True)


@pytest.mark.ezkl
def test_ezkl_makes_equal_keys_whatever_the_names(
    tmp_path: Path, kept_srs: Callable[[int], Srs]
) -> None:
    backend, srs = EzklBackend(), kept_srs(10)
    spec = CircuitSpec(decomp_base=1016, decomp_legs=3, logrows=10, checks_boundary=False)
    made = []
    for name in ("X", "other.part1"):
        model = conv()
        model.graph.inputs[0].name = name
        for node in model.graph:
            node.name = f"{name}/{node.name}"
        folder = tmp_path / name
        folder.mkdir()
        save(model, folder / "model.onnx")
        backend.gen_settings(folder / "model.onnx", spec, folder / "settings")
        backend.compile(folder / "model.onnx", folder / "settings", folder / "circuit")
        backend.setup(folder / "circuit", srs.path, folder / "vk", folder / "pk")
        made.append([(folder / one).read_bytes() for one in ("settings", "vk", "pk")])
    assert made[0] == made[1]
