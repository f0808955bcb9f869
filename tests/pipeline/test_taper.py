"""Fewer bits towards the end: how few follows from what comes after a slice; EZKL decides."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from zkprep import pipeline
from zkprep.backends.ezkl import EzklBackend
from zkprep.execute.local import local_executor
from zkprep.models.inputs import read_input
from zkprep.models.model import input_specs, load
from zkprep.options import Baselines, Options
from zkprep.prepare import prepare
from zkprep.proving.boundary import Boundary
from zkprep.proving.cutting import cut_and_size
from zkprep.proving.job import Fit, Job
from zkprep.proving.taper import tapered
from zkprep.proving.trial import View
from zkprep.runs.events import silent
from zkprep.runs.store import open_run
from zkprep.slicing.slices import Slice

WIDTH, WIDE = 4, 64


def scaling(path: Path, read: str, made: str, factor: float) -> Path:
    """A model that multiplies by `factor`, a power of two: no bits round it."""
    node = helper.make_node("MatMul", [read, "W"], [made], name=made)
    weights = numpy_helper.from_array(factor * np.eye(WIDE, dtype=np.float32), "W")
    ends = [helper.make_tensor_value_info(n, 1, [1, WIDE]) for n in (read, made)]
    graph = helper.make_graph([node], made, ends[:1], ends[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def chain(folder: Path, factors: list[float]) -> list[View]:
    """Slices that multiply by one factor each, and what each of them reads."""
    feeds = {"t0": np.random.default_rng(0).normal(size=(1, WIDE)).astype(np.float32)}
    views = []
    for index, factor in enumerate(factors):
        name = f"{index:03d}"
        path = scaling(folder / f"{name}.onnx", f"t{index}", f"t{index + 1}", factor)
        model = load(path)
        (spec,) = input_specs(model)
        views.append(View("prepared", Slice(name, (), model, model), (feeds,), Boundary()))
        feeds = {f"t{index + 1}": feeds[spec.name] * np.float32(factor)}
    return views


def test_a_slice_needs_the_fewer_bits_the_less_its_error_grows(tmp_path: Path) -> None:
    # The values of slice i are 4**i times the input's: as fine, with two bits less for each.
    bits = tapered(chain(tmp_path, [4.0] * 4), ["t4"], 16, 1e-4)
    assert bits[0] > bits[1] > bits[2] > bits[3]


def test_bits_never_rise_along_a_chain(tmp_path: Path) -> None:
    # The last slices read small values, which need bits: none may be taken before them.
    bits = tapered(chain(tmp_path, [4.0, 4.0, 2.0**-6, 1.0]), ["t4"], 12, 1e-3)
    assert len(set(bits)) == 1


def test_a_chain_at_its_tolerance_keeps_its_bits(tmp_path: Path) -> None:
    bits = tapered(chain(tmp_path, [1.0] * 3), ["t3"], 9, 1e-4)
    assert bits == [9] * 3


def layers(path: Path, count: int) -> Path:
    """Layers that make what their inputs differ by four times as large, and an error with it."""
    nodes = []
    for index in range(count):
        nodes.append(helper.make_node("MatMul", [f"t{index}", "W"], [f"m{index}"]))
        nodes.append(helper.make_node("Add", [f"m{index}", "B"], [f"a{index}"]))
        nodes.append(helper.make_node("Relu", [f"a{index}"], [f"t{index + 1}"]))
    apart = WIDTH * np.eye(WIDTH, dtype=np.float32) - 1
    weights = [
        numpy_helper.from_array(apart, "W"),
        numpy_helper.from_array(np.full(WIDTH, 8, np.float32), "B"),
    ]
    ends = [helper.make_tensor_value_info(n, 1, [1, WIDTH]) for n in ("t0", f"t{count}")]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.mark.ezkl
def test_a_chain_whose_scale_falls_is_as_fine_and_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = layers(tmp_path / "model.onnx", 4), tmp_path / "input.json"
    values = [8.01, 7.99, 8.015, 8.0]
    data.write_text(json.dumps({"input_data": [values]}))
    fit = Fit(scale=17, tapered=True)
    monkeypatch.setattr(pipeline, "cheapest", lambda _: fit)
    options = Options(blocks=4, tolerance=0.001, baselines=Baselines.NONE, allow_test_srs=True)
    report = pipeline.prove(model, data, tmp_path / "run", options, EzklBackend(), silent)
    assert report.verdict is not None
    assert report.variants["prepared"].total.fidelity.relative_error <= options.tolerance

    prepared = prepare(model, {})
    feeds = read_input(data, prepared.normalised)
    with open_run(tmp_path / "again", lambda *_: None) as run:
        backend = EzklBackend()
        executor = local_executor(backend, options)
        job = Job(run, backend, executor, prepared, (feeds,), (), options, fit=fit)
        _, sized = cut_and_size(job)
    constants = [one.spec.param_scale for one in sized["prepared"]]
    assert constants == sorted(constants, reverse=True)
    assert constants[-1] < constants[0]
