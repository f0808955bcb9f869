"""The tuner against EZKL: what it predicts of its choice is what EZKL counts, and values fit."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from msgspec.structs import replace
from tune_chains import add, build, conv

from zkprep.backends.base import Backend
from zkprep.backends.ezkl import EzklBackend, run_args
from zkprep.backends.fake import FakeBackend
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.cost.circuit import layout
from zkprep.errors import BackendError
from zkprep.models.model import input_specs, load
from zkprep.proving import trial
from zkprep.proving.boundary import Boundary
from zkprep.proving.sized import input_data
from zkprep.slicing.slices import Slice
from zkprep.tune import Circuits, Limits, tuned

BACKEND = EzklBackend()
SCALE = 8
POOL = "MaxPool <kernel_shape = [2, 2], pads = [0, 0, 0, 0], strides = [2, 2]>"
NETWORKS = {
    "conv": conv("net", "x", "y"),
    "sum": add("net", "x", "z", "y"),
    "pool": conv("net", "x", "y").replace("6, 6] y", "3, 3] y").replace("Relu", POOL),
    "lookup": conv("net", "x", "y").replace("Relu", "Sigmoid"),
}


def _view(model: ir.Model) -> trial.View:
    random = np.random.default_rng(0)
    feeds = {
        spec.name: random.normal(size=spec.static_shape).astype(np.float32)
        for spec in input_specs(model)
    }
    return trial.View("prepared", Slice("000", (), model, model), (feeds,), Boundary())


@pytest.mark.ezkl
@pytest.mark.parametrize("name", NETWORKS)
def test_the_choice_is_what_ezkl_builds(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(build(NETWORKS[name]), path)
    view = _view(load(path))
    with trial.demands(BACKEND, [view]) as demands:
        (choice,) = tuned([Circuits(demands[0], Limits(10**12))], SCALE)
    settings, circuit, data, witness = (tmp_path / part for part in ("s", "c", "d", "w"))
    BACKEND.gen_settings(path, choice.spec, settings)
    built = read_settings(settings.read_bytes())
    # With one inner column, EZKL counts the cell that a block's end repeats.
    repeats = choice.layout.blocks if choice.spec.num_inner_cols == 1 else 0
    made = layout(built)
    assert (made.blocks, made.degree, made.lookups) == (
        choice.layout.blocks,
        choice.layout.degree,
        choice.layout.lookups,
    )
    assert made.pk_bytes == choice.layout.pk_bytes
    assert tuple(built.model_output_scales) == choice.output_scales
    assert built.total_assignments <= made.rows_capacity * choice.spec.num_inner_cols + repeats
    BACKEND.compile(path, settings, circuit)
    data.write_bytes(input_data(list(view.samples[0]), view.samples[0], {}))
    BACKEND.witness(circuit, data, witness)


@pytest.mark.parametrize(
    ("where", "name", "value", "message"),
    [
        ("run_args", "disable_freivalds", False, "the Freivalds einsum is on"),
        ("run_args", "param_visibility", "Private", "parameters are 'Private', not 'Fixed'"),
        ("run_args", "param_visibility", {"Hashed": {}}, "not 'Fixed'"),
        ("einsum_params", "total_einsum_col_size", 8, "Freivalds einsum columns"),
    ],
)
def test_forbidden_settings_are_refused_by_who_builds(
    tmp_path: Path, where: str, name: str, value: object, message: str
) -> None:
    model, settings = tmp_path / "model.onnx", tmp_path / "settings.json"
    onnx.save(build(NETWORKS["conv"]), model)
    FakeBackend().gen_settings(model, CircuitSpec(), settings)
    document = json.loads(settings.read_bytes())
    document[where][name] = value
    settings.write_text(json.dumps(document))
    for backend in (FakeBackend(), BACKEND):
        with pytest.raises(BackendError, match=f"the settings are unsound: .*{message}"):
            backend.compile(model, settings, tmp_path / "circuit")
    assert not (tmp_path / "circuit").exists()


@pytest.mark.ezkl
def test_a_boundary_that_nobody_checks_is_refused(tmp_path: Path) -> None:
    model, settings = tmp_path / "model.onnx", tmp_path / "settings.json"
    onnx.save(build(NETWORKS["conv"]), model)
    checked = CircuitSpec(input_visibility="private")
    for backend in (FakeBackend(), BACKEND):
        backend.gen_settings(model, checked, settings)
        backend.compile(model, settings, tmp_path / "circuit")
        with pytest.raises(BackendError, match="neither the circuit nor a verifier"):
            _build(backend, model, replace(checked, checks_boundary=False), tmp_path)


def _build(backend: Backend, model: Path, spec: CircuitSpec, folder: Path) -> None:
    backend.gen_settings(model, spec, folder / "settings.json")
    backend.compile(model, folder / "settings.json", folder / "circuit")


def test_no_spec_can_ask_for_what_is_forbidden() -> None:
    asked = run_args(CircuitSpec())
    assert (asked["disable_freivalds"], asked["param_visibility"]) == (True, "fixed")
    fields = set(CircuitSpec.__struct_fields__)
    assert not fields & {"disable_freivalds", "freivalds", "param_visibility"}


@pytest.mark.ezkl
@pytest.mark.parametrize("columns", [1, 3])
def test_settings_are_the_same_every_time(columns: int, tmp_path: Path) -> None:
    model, out = tmp_path / "model.onnx", tmp_path / "settings.json"
    onnx.save(build(NETWORKS["pool"]), model)
    spec = CircuitSpec(num_inner_cols=columns, decomp_legs=5, decomp_base=248, logrows=8)
    made = set()
    for _ in range(4):
        BACKEND.gen_settings(model, spec, out)
        made.add(out.read_bytes())
    assert len(made) == 1
