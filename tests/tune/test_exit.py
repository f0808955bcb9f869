"""Outputs brought down at a slice's exit: the Muls, their circuit by EZKL, and who lies of it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from msgspec import UNSET
from msgspec.structs import replace
from rescaled import BACKEND, built, claim_of, claiming, proved_run

from zkprep.backends.base import read_witness
from zkprep.backends.srs import Srs
from zkprep.circuit import CircuitSpec
from zkprep.claims import statement
from zkprep.cost.walk import walk
from zkprep.errors import StatementError
from zkprep.models.model import Runner
from zkprep.options import Baselines, Options
from zkprep.proving import fidelity
from zkprep.proving.sized import data_of, inputs_of, outputs_of, with_twins
from zkprep.tune import LARGEST_OUTPUT, Circuits, Point
from zkprep.tune.descent import entered, exited
from zkprep.verifying import audit

TWO = """
<ir_version: 8, opset_import: ["" : 17]>
two (float[1, 4] x) => (float[1, 3] y, float[1, 4] z)
<float[4, 3] w = {0.5, -0.3, 0.2, 0.7, 0.1, -0.6, 0.4, 0.3, -0.2, 0.1, 0.2, 0.3}>
{
    y = MatMul (x, w)
    z = Mul (x, x)
}
"""
DEEP = """
<ir_version: 8, opset_import: ["" : 17]>
deep (float[1, 16] x) => (float[1, 2] y)
{{
    {layers}
    y = MatMul (t4, w4)
}}
"""
OPTIONS = Options(blocks=1, scale=10, max_logrows=12, tolerance=0.05, baselines=Baselines.NONE)


def model(text: str) -> ir.Model:
    """A model given as ONNX text; every w... without values is a random matrix."""
    proto = onnx.parser.parse_model(text)
    given = {one.name for one in proto.graph.initializer}
    random = np.random.default_rng(0)
    for node in proto.graph.node:
        node.name = node.output[0]
        for name in node.input:
            if name.startswith("w") and name not in given:
                shape = (16, 2 if name == "w4" else 16)
                weights = (random.normal(size=shape) / 3).astype(np.float32)
                proto.graph.initializer.append(onnx.numpy_helper.from_array(weights, name))
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def deep() -> ir.Model:
    """Four MatMuls with ReLUs behind, then one to two values."""
    layers = (f"m{n} = MatMul ({'x' if n == 0 else f't{n}'}, w{n})" for n in range(4))
    relus = (f"t{n + 1} = Relu (m{n})" for n in range(4))
    pairs = (f"{one}\n{other}" for one, other in zip(layers, relus, strict=True))
    return model(DEEP.format(layers="\n".join(pairs)))


def spec(*exits: int) -> CircuitSpec:
    return CircuitSpec(
        input_scale=8,
        param_scale=8,
        scale_rebase_multiplier=3,
        decomp_legs=3,
        checks_boundary=False,
        integer_constants=True,
        exits=exits or UNSET,
    )


def test_an_output_that_is_brought_down_is_a_power_of_two_smaller() -> None:
    before = model(TWO)
    made = entered(before, spec(10, 0))
    assert [node.op_type for node in made.graph].count("Mul") == 3
    assert len(before.graph) == 2
    onnx.checker.check_model(ir.to_proto(made), full_check=True)
    feeds = {"x": np.array([[1.5, -0.7, 0.3, 2.0]], np.float32)}
    lowered, whole = Runner(made)(feeds), Runner(before)(feeds)
    assert np.array_equal(lowered["y_lowered_left"] * 2.0**10, whole["y"])
    assert np.array_equal(lowered["z"], whole["z"])


def test_without_exits_nothing_is_added() -> None:
    one = model(TWO)
    assert entered(one, spec()) is one
    assert exited(one, ()) is one


def test_both_ends_of_a_slice() -> None:
    made = entered(model(TWO), replace(spec(10, 3), descents=(5,)))
    onnx.checker.check_model(ir.to_proto(made), full_check=True)
    assert [node.op_type for node in made.graph].count("Mul") == 6


@pytest.mark.ezkl
@pytest.mark.parametrize("exits", [(9, 0), (0, 20), (14, 14)])
def test_ezkl_divides_behind_the_exit(exits: tuple[int, int], tmp_path: Path) -> None:
    one = built(tmp_path, model(TWO), spec(*exits))
    wanted = tuple(24 - bits if bits else 16 for bits in exits)
    assert one.output_scales == wanted
    assert walk(exited(one.model, exits), one.spec).total == one.settings.total_assignments
    feeds = {"x": np.array([[1.5, -0.7, 0.3, 2.0]], np.float32)}
    circuit, data, path = (tmp_path / name for name in "cdw")
    BACKEND.compile(one.path, one.files.settings, circuit)
    data.write_bytes(data_of(one, feeds, {}))
    BACKEND.witness(circuit, data, path)
    made = read_witness(path)
    exact = Runner(one.model)(inputs_of(one, made))
    found = outputs_of(one, made)
    for name, scale in zip("yz", wanted, strict=True):
        coarse = 2.0 ** -min(scale, 8)  # the weights have 8 bits
        assert np.abs(found[name] - exact[name]).max() <= 4 * coarse


@pytest.mark.ezkl
def test_slices_that_are_brought_down_by_other_bits_are_no_twins(tmp_path: Path) -> None:
    """EZKL's settings of both may be equal; their circuits are not."""
    made = []
    for name, exits in (("one", (9, 9)), ("two", (9, 10)), ("three", (9, 9))):
        (tmp_path / name).mkdir()
        made.append(built(tmp_path / name, model(TWO), spec(*exits)))
    assert [one.twin for one in with_twins(made)] == [None, None, made[0].files]


POINTS = Circuits.points


def _lowered(
    circuits: Circuits, start: Point, scale: int, *, last: bool = False
) -> tuple[Point, ...]:
    """Those that bring the outputs down, whether or not others are cheaper on so few values."""
    every = POINTS(circuits, start, scale, last=last)
    return tuple(one for one in every if one.exits and not one.landings)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Path:
    """A run in one slice that puts off more than what it may put out."""
    for logrows in range(8, 13):
        kept_srs(logrows)
    folder = tmp_path_factory.mktemp("exit")
    values = np.random.default_rng(1).normal(size=16).round(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Circuits, "points", _lowered)
        return proved_run(folder, deep(), values, OPTIONS)


@pytest.mark.ezkl
def test_what_would_be_too_large_to_leave_is_proved_and_verified(proved: Path) -> None:
    claim = claim_of(proved)
    (only,) = claim.slices
    (port,), (bits,) = only.outputs, only.spec.exits or ()
    assert port.scale + bits == only.spec.limit > port.scale
    public, digest = proved / "run/public", statement.digest(claim)
    by_digest = audit.verify(public, BACKEND, expect=digest, allow_test_srs=True)
    by_model = audit.verify(
        public,
        BACKEND,
        model=proved / "model.onnx",
        allow_test_srs=True,
        told=proved / "x.json",
    )
    assert by_model.assumed == (), "no value leaves the field, the exit's neither"
    assert by_model.outputs == by_digest.outputs
    x = np.array(json.loads((proved / "x.json").read_text())["input_data"], dtype=np.float32)
    wanted = Runner(deep())({"x": x})["y"]
    shown = by_digest.outputs["y"]
    assert 2.0**40 < max(map(abs, shown.values)) < LARGEST_OUTPUT
    got = np.array(shown.values).reshape(shown.shape) / 2.0**shown.scale
    assert np.abs(got - wanted).max() < 0.05 * np.ptp(wanted)


@pytest.mark.ezkl
@pytest.mark.parametrize("anchor", ["digest", "model", "settings"])
def test_another_scale_of_an_output_is_refused(proved: Path, tmp_path: Path, anchor: str) -> None:
    """An output of one bit less at the exit would be read as half of what it is."""
    claim = claim_of(proved)
    (only,) = claim.slices
    (port,), (bits,) = only.outputs, only.spec.exits or ()
    if anchor == "settings":
        asked, made = replace(only.spec, exits=UNSET), port
    else:
        asked = replace(only.spec, exits=(bits - 1,))
        made = replace(port, scale=port.scale + 1)
    forged = replace(claim, slices=(replace(only, spec=asked, outputs=(made,)),))
    public = claiming(proved, forged, tmp_path / "public")
    expected = {
        "digest": "the statement's digest is",
        "model": "not the statement rebuilt from the model: slices",
        "settings": "slice 0: the settings' model_output_scales is",
    }
    with pytest.raises(StatementError, match=expected[anchor]):
        if anchor == "model":
            path = proved / "model.onnx"
            audit.verify(public, BACKEND, model=path, allow_test_srs=True)
        else:
            trusted = statement.digest(claim if anchor == "digest" else forged)
            audit.verify(public, BACKEND, expect=trusted, allow_test_srs=True)


@pytest.mark.ezkl
def test_whether_more_bits_help_is_asked_without_an_exit(tmp_path: Path) -> None:
    """With less put off, the exit's power of two would leave nothing of the output."""
    one = built(tmp_path, model(TWO), spec(20, 0))
    feeds = {"x": np.array([[1.5, -0.7, 0.3, 2.0]], np.float32)}
    found = fidelity._error_at(BACKEND, one, feeds, 0, 1)
    assert found is not None
    assert found.relative_error < 0.01
