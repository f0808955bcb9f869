"""The corpus: every case is what it says, builds the same twice, and costs what is recorded."""

import ast
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import numpy_helper

from benchmarks import baseline
from circuits import make
from circuits.building import Net
from circuits.facts import facts
from zkprep.models.inputs import read_input
from zkprep.models.model import Runner, load, run

ISSUED = {
    "digits",
    "lenet5",
    "resnet8",
    "ds_cnn",
    "vww",
    "autoencoder",
    "mobilenetv2_block",
    "efficientnet_block",
    "resnet50_bottleneck",
    "preactivation_block",
    "vgg_block",
    "unet_step",
    "transformer_encoder",
    "mlp_batchnorm",
    "unchanged",
}
NAMES = make.names()
BUILT = [name for name in NAMES if (make.FOLDER / name / "build.py").exists()]


def _by_length(names: list[str]) -> list[Any]:
    """Cases whose circuits take long to count are left to `make test-long`."""
    return [
        pytest.param(name, marks=[pytest.mark.long] if make.case(name).get("long") else [])
        for name in names
    ]


@pytest.fixture(scope="module")
def folder() -> Any:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_every_case_is_there() -> None:
    assert set(NAMES) == ISSUED


@pytest.mark.parametrize("name", NAMES)
def test_a_case_is_a_valid_model_and_an_input_that_fits(name: str, folder: Path) -> None:
    path, data = make.build(name, folder / name)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert all(node.name for node in proto.graph.node)
    model = load(path)
    outputs = run(model, read_input(data, model))
    assert all(np.isfinite(output).all() and np.ptp(output) > 0 for output in outputs.values())
    recorded = make.case(name)
    assert recorded["name"] == name
    if "facts" in recorded:
        assert facts(proto) == recorded["facts"]


@pytest.mark.parametrize("name", BUILT)
def test_a_builder_gives_the_same_bytes_again(name: str, folder: Path) -> None:
    first, second = (make.build(name, folder / copy / name) for copy in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", BUILT)
def test_batch_normalizations_normalise_what_enters_them(name: str, folder: Path) -> None:
    """By the outputs of the finished file on ONNX Runtime: mean and spread are beta and gamma."""
    path, _ = make.build(name, folder / name)
    net = make.network(name)
    model = onnx.load(path)
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    weights = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for node in norms[-3:]:
        gamma, beta, _, variance = (weights[read] for read in node.input[1:])
        found = _values(path, net, node.output[0])
        axes = (0, *range(2, found.ndim))
        (epsilon,) = (one.f for one in node.attribute if one.name == "epsilon")
        alive = variance > 0.01  # below, the file's rounding of statistics shows
        spread = gamma * np.sqrt(variance / (variance + epsilon))
        np.testing.assert_allclose(found.mean(axis=axes)[alive], beta[alive], atol=0.01)
        np.testing.assert_allclose(found.std(axis=axes)[alive], spread[alive], rtol=0.02)
        assert alive.mean() > 0.5


def _values(path: Path, net: Net, name: str) -> np.ndarray:
    """The tensor `name` over the batch the network was built on, image by image."""
    model = load(path)
    model.graph.outputs[:] = [node.outputs[0] for node in model.graph if node.name == name]
    runner = Runner(model)
    batch = {read: net.values[read] for read in net.inputs}
    size = len(next(iter(batch.values())))
    each = [runner({k: v[i : i + 1] for k, v in batch.items()})[name] for i in range(size)]
    return np.concatenate(each)


@pytest.mark.ezkl
@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("name", _by_length(NAMES))
def test_a_case_costs_what_is_recorded(name: str) -> None:
    prover, found = baseline.measured(name)
    expected = baseline.recorded(name)[prover]
    assert 0.99 * sum(found.cells) <= sum(found.causes.values()) <= sum(found.cells)
    if not expected.causes:  # recorded before baselines said so
        found = replace(found, causes={})
    assert found == expected, "if that is meant, `make baseline` records it"


def test_nothing_is_rewritten_where_nothing_may_be() -> None:
    (recorded,) = baseline.recorded("unchanged").values()
    assert recorded.rewrites == {}
    assert recorded.variants["prepared"].counts.ops == recorded.variants["plain"].counts.ops


def test_builders_need_numpy_and_onnx_alone() -> None:
    sources = [make.FOLDER / name / "build.py" for name in BUILT]
    sources += [make.FOLDER / f"{name}.py" for name in ("building", "facts", "make")]
    for source in sources:
        used = {name.split(".")[0] for name in _imports(source)} - sys.stdlib_module_names
        assert used <= {"numpy", "onnx", "circuits"}, source


def test_the_packages_know_nothing_of_the_corpus() -> None:
    for package in ("zkprep", "slicer"):
        for source in (make.FOLDER.parent / package).rglob("*.py"):
            used = {name.split(".")[0] for name in _imports(source)}
            assert used.isdisjoint({"circuits", "benchmarks"}), source


def _imports(source: Path) -> set[str]:
    named = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named.add(node.module)
    return named


def test_the_table_is_the_baselines() -> None:
    assert baseline.TABLE.read_text(encoding="utf-8") == baseline.table()
