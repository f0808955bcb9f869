"""Inputs of several scales: the Mul at a slice's entry, its circuit by EZKL, and who lies of it."""

import dataclasses
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
from zkprep.claims.felts import decode, encode, quantise
from zkprep.claims.statement import Statement
from zkprep.cost.profile import profile
from zkprep.errors import StatementError
from zkprep.models.model import Runner
from zkprep.options import Baselines, Options
from zkprep.proving.assemble import _given
from zkprep.proving.sized import data_of, inputs_of, outputs_of, with_twins
from zkprep.tune.descent import entered, taken
from zkprep.verifying import audit

SUM = """
<ir_version: 8, opset_import: ["" : 17]>
sum (float[1, 2, 3] a, float[1, 2, 3] b) => (float[1, 2, 3] y)
{
    s = Add (a, b)
    y = Relu (s)
}
"""
SKIP = """
<ir_version: 8, opset_import: ["" : 17]>
skip (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[2, 2, 3, 3] w = {0.5, -0.3, 0.2, 0.7, 0.1, -0.6, 0.4, 0.3, -0.2, 0.1, 0.2, 0.3, -0.4, 0.5,
    0.6, -0.7, 0.8, 0.9, 0.3, 0.1, -0.2, 0.5, -0.4, 0.3, 0.6, -0.1, 0.2, 0.4, -0.3, 0.2, 0.7, 0.5,
    -0.6, 0.1, 0.2, 0.3}>
{
    r = Relu (x)
    c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]> (r, w)
    s = Add (c, x)
    y = Relu (s)
}
"""
STRIDED = """
<ir_version: 8, opset_import: ["" : 17]>
strided (float[1, 2, 4, 4] x) => (float[1, 2, 2, 2] y)
<float[2, 2, 1, 1] w = {0.5, -0.3, 0.2, 0.7}>
{
    c = Conv <kernel_shape = [1, 1], strides = [2, 2]> (x, w)
    y = Relu (c)
}
"""
OPTIONS = Options(blocks=4, scale=8, max_logrows=11, baselines=Baselines.NONE)


def model(text: str) -> ir.Model:
    proto = onnx.parser.parse_model(text)
    for node in proto.graph.node:
        node.name = node.output[0]
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def spec(*descents: int, multiplier: int = 1) -> CircuitSpec:
    return CircuitSpec(
        input_scale=8,
        param_scale=8,
        scale_rebase_multiplier=multiplier,
        decomp_legs=4,
        checks_boundary=False,
        integer_constants=True,
        descents=descents or UNSET,
    )


def feeds() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.normal(size=(1, 2, 3)).astype(np.float32) for name in "ab"}


def test_what_the_circuit_takes_an_input_for_is_brought_back_at_its_entry() -> None:
    before, asked, given = model(SUM), spec(0, 12), feeds()
    made = entered(before, asked)
    assert [node.op_type for node in made.graph] == ["Mul", "Add", "Relu"]
    assert [node.op_type for node in before.graph] == ["Add", "Relu"]
    onnx.checker.check_model(ir.to_proto(made), full_check=True)
    raised = taken(asked, ["a", "b"], given)
    assert np.array_equal(raised["a"], given["a"])
    assert np.array_equal(raised["b"], given["b"] * 2.0**12)
    raised["b"] = raised["b"].astype(np.float32)
    assert np.array_equal(Runner(made)(raised)["y"], Runner(before)(given)["y"])


def test_without_descents_nothing_is_added() -> None:
    one = model(SUM)
    assert entered(one, spec()) is one
    assert taken(spec(), ["a"], feeds()).keys() == {"a"}


def test_names_that_are_taken_are_left_alone() -> None:
    text = SUM.replace("s =", "b_entered =").replace("(s)", "(b_entered)")
    made = entered(model(text), spec(0, 1))
    onnx.checker.check_model(ir.to_proto(made), full_check=True)


@pytest.mark.ezkl
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("descents", [(0, 8), (16, 3)])
def test_ezkl_reads_every_input_at_its_own_scale(
    descents: tuple[int, int], multiplier: int, tmp_path: Path
) -> None:
    one = built(tmp_path, model(SUM), spec(*descents, multiplier=multiplier))
    assert one.input_scales == (8 + descents[0], 8 + descents[1])
    given, (circuit, data, path) = feeds(), (tmp_path / name for name in "cdw")
    BACKEND.compile(one.path, one.files.settings, circuit)
    felts = [
        [encode(value) for value in quantise(given[name].astype(np.float64), scale)]
        for name, scale in zip("ab", one.input_scales, strict=True)
    ]
    by_felts = json.dumps({"input_data": felts}).encode()
    for written in (by_felts, data_of(one, given, {})):
        data.write_bytes(written)
        BACKEND.witness(circuit, data, path)
        made = read_witness(path)
        assert [[encode(decode(f)) for f in side] for side in made.inputs] == felts
        (scale,) = one.settings.model_output_scales
        assert scale == min(8 * multiplier, max(one.input_scales))
        wanted = Runner(one.model)(inputs_of(one, made))["y"]
        assert np.abs(outputs_of(one, made)["y"] - wanted).max() <= 0.51 * 2.0**-scale


@pytest.mark.ezkl
def test_slices_that_descend_by_other_bits_are_no_twins(tmp_path: Path) -> None:
    """EZKL's settings of both are equal, byte for byte; their circuits are not."""
    made = []
    for name, descents in (("one", (4, 8)), ("two", (4, 9)), ("three", (4, 8))):
        (tmp_path / name).mkdir()
        made.append(built(tmp_path / name, model(SUM), spec(*descents)))
    settings = {one.files.settings.read_bytes() for one in made}
    assert len(settings) == 1
    assert [one.twin for one in with_twins(made)] == [None, None, made[0].files]


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Path:
    """A run of Relu, Conv, Add, Relu: the Add reads scale 8 and, of the Conv, 16."""
    for logrows in (8, 9, 10, 11):
        kept_srs(logrows)
    folder = tmp_path_factory.mktemp("descent")
    values = np.random.default_rng(1).normal(size=32).round(3)
    return proved_run(folder, model(SKIP), values, OPTIONS)


@pytest.mark.ezkl
def test_a_sum_of_two_scales_is_proved_and_verified(proved: Path) -> None:
    claim = claim_of(proved)
    _, conv, both, last = claim.slices
    assert conv.outputs[0].scale == 16, "the Conv hands on its product"
    by = zip(both.inputs, both.spec.descents or (), strict=True)
    assert {port.tensor: (port.scale, bits) for port, bits in by} == {"x": (8, 0), "c": (16, 8)}
    assert {conv.spec.descents, last.spec.descents} == {UNSET}
    public, digest = proved / "run/public", statement.digest(claim)
    by_digest = audit.verify(public, BACKEND, expect=digest, allow_test_srs=True)
    by_model = audit.verify(
        public,
        BACKEND,
        model=proved / "model.onnx",
        allow_test_srs=True,
        told=proved / "x.json",
    )
    assert by_model.assumed == (), "of every slice it is known that no value leaves the field"
    assert by_digest == dataclasses.replace(by_model, assumed=None)
    x = np.array(json.loads((proved / "x.json").read_text())["input_data"][0], dtype=np.float32)
    wanted = Runner(model(SKIP))({"x": x.reshape(1, 2, 4, 4)})["y"]
    shown = by_digest.outputs["y"]
    got = np.array(shown.values).reshape(shown.shape) / 2.0**shown.scale
    assert np.abs(got - wanted).max() < 0.01 * np.ptp(wanted)


@pytest.mark.ezkl
def test_the_profile_is_of_the_circuit_as_it_is_made(tmp_path: Path) -> None:
    """EZKL's loader moves the stride in front of the Mul at the entry."""
    one = built(tmp_path, model(STRIDED), spec(8, multiplier=2))
    cells = sum(cells for row in profile([_given(one)]).values() for cells in row.values())
    assert cells == one.settings.total_assignments


def _with(claim: Statement, bits: int, *, sent: int | None = None) -> Statement:
    """The claim with 'c' descending by `bits`, and so finer where the Conv puts it out.

    `sent`: the scale that is claimed at its source; None: the same.
    """
    relu, conv, both, last = claim.slices
    place = [port.tensor for port in both.inputs].index("c")
    descents, inputs = [*(both.spec.descents or ())], [*both.inputs]
    descents[place] = bits
    scale = both.spec.input_scale + bits
    inputs[place] = replace(inputs[place], scale=scale)
    made = replace(conv.outputs[0], scale=scale if sent is None else sent)
    asked = replace(both.spec, descents=tuple(descents))
    forged = replace(both, inputs=tuple(inputs), spec=asked)
    return replace(claim, slices=(relu, replace(conv, outputs=(made,)), forged, last))


@pytest.mark.ezkl
@pytest.mark.parametrize("anchor", ["digest", "model", "forged"])
def test_another_descent_is_refused(proved: Path, tmp_path: Path, anchor: str) -> None:
    claim = claim_of(proved)
    forged = _with(claim, 9)
    public = claiming(proved, forged, tmp_path / "public")
    by_digest = statement.digest(claim if anchor == "digest" else forged)
    expected = {
        "digest": "the statement's digest is",
        "model": r"not the statement rebuilt from the model: slices\[1\].outputs\[0\].scale is 17",
        "forged": "slice 1: the settings' model_output_scales is",
    }
    with pytest.raises(StatementError, match=expected[anchor]):
        if anchor == "model":
            path = proved / "model.onnx"
            audit.verify(public, BACKEND, model=path, allow_test_srs=True)
        else:
            audit.verify(public, BACKEND, expect=by_digest, allow_test_srs=True)


@pytest.mark.ezkl
def test_a_descent_from_a_scale_that_nobody_puts_out_is_refused(proved: Path) -> None:
    with pytest.raises(StatementError, match="the wire of 'c' .*: scale is 16 at one end and 17"):
        statement.dump(_with(claim_of(proved), 9, sent=16))
