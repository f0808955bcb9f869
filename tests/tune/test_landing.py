"""Divisions inside a slice: the steps, their circuit by EZKL, and who lies of them."""

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
from zkprep.cost.walk import Loaded, walk
from zkprep.errors import StatementError
from zkprep.models.model import Runner, tensors
from zkprep.options import Baselines, Options
from zkprep.proving import fidelity
from zkprep.proving.sized import Sized, data_of, inputs_of, outputs_of, with_twins
from zkprep.tune import Circuits, Point
from zkprep.tune.descent import entered, landed
from zkprep.verifying import audit

GATE = """
<ir_version: 8, opset_import: ["" : 17]>
gate (float[1, 4] x) => (float[1, 3] y)
<float[4, 3] w = {0.5, -0.3, 0.2, 0.7, 0.1, -0.6, 0.4, 0.3, -0.2, 0.1, 0.2, 0.3},
 float[3, 3] v = {0.5, -0.3, 0.2, 0.7, 0.1, -0.6, 0.4, 0.3, -0.2}>
{
    a = MatMul (x, w)
    r = Relu (a)
    b = MatMul (r, v)
    s = Sigmoid (b)
    y = Mul (b, s)
}
"""
INNER = 3
"""The place of b: behind the input, a and r."""
X = {"x": np.array([[1.5, -0.7, 0.3, 2.0]], np.float32)}
OPTIONS = Options(blocks=1, scale=8, max_logrows=12, baselines=Baselines.NONE)


def gate() -> ir.Model:
    proto = onnx.parser.parse_model(GATE)
    for node in proto.graph.node:
        node.name = node.output[0]
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def spec(*landings: tuple[int, int], multiplier: int = 4) -> CircuitSpec:
    return CircuitSpec(
        input_scale=8,
        param_scale=8,
        scale_rebase_multiplier=multiplier,
        decomp_legs=4,
        checks_boundary=False,
        integer_constants=True,
        landings=landings or UNSET,
    )


def test_what_lands_is_read_divided_and_nothing_else_is_changed() -> None:
    before = gate()
    made = entered(before, spec((INNER, 8)))
    assert [node.op_type for node in made.graph] == [
        *("MatMul", "Relu", "MatMul", "Mul", "Mul", "BitShift", "Sigmoid", "Mul")
    ]
    assert len(before.graph) == 5
    factors = [float(node.inputs[1].const_value.numpy()) for node in list(made.graph)[3:6]]
    assert factors == [2.0 ** -(32 - 8 + 1), 2.0, 32 - 8]
    assert entered(before, spec()) is before
    assert landed(before, (), 32) is before


def test_there_has_to_be_a_tensor() -> None:
    assert [value.name for value in tensors(gate())] == list("xarbsy")
    with pytest.raises(StatementError, match="tensor 6 lands, the slice has 6"):
        entered(gate(), spec((6, 8)))


@pytest.mark.ezkl
@pytest.mark.parametrize("places", [(INNER,), (1, INNER), (0, INNER)])
def test_ezkl_divides_where_it_lands_and_knows_the_scale(
    places: tuple[int, ...], tmp_path: Path
) -> None:
    asked = spec(*((place, 6) for place in places))
    one = built(tmp_path, gate(), asked)
    assert [table["Sigmoid"]["scale"] for table in one.settings.required_lookups] == [2.0**6]
    laid = walk(entered(one.model, asked), asked)
    assert laid.total == one.settings.total_assignments
    every = tensors(one.model)
    within = {every[place].name or "": 6 for place in places}
    estimated = Loaded(one.model).walk(asked, landings=within)
    assert estimated.total == pytest.approx(laid.total, rel=0.02), "the order may be another"
    assert estimated.put_out == laid.put_out
    assert one.output_scales == laid.put_out == (12,)
    found, exact = _witnessed(one, tmp_path)
    assert np.abs(found - exact).max() <= 0.05


@pytest.mark.ezkl
def test_slices_that_land_elsewhere_are_no_twins(tmp_path: Path) -> None:
    made = []
    for name, place in (("one", 1), ("two", 4), ("three", 1)):
        (tmp_path / name).mkdir()
        made.append(built(tmp_path / name, gate(), spec((place, 6), (INNER, 6))))
    assert [one.twin for one in with_twins(made)] == [None, None, made[0].files]


@pytest.mark.ezkl
def test_whether_more_bits_help_is_asked_with_landings_as_fine(tmp_path: Path) -> None:
    one = built(tmp_path, gate(), spec((INNER, 4)))
    found, exact = _witnessed(one, tmp_path)
    coarse = np.abs(found - exact).max()
    for bits, multiplier in ((4, 4), (4, 1)):
        finer = fidelity._error_at(BACKEND, one, X, bits, multiplier)
        assert finer is not None
        assert finer.max_error < coarse / 4


def _witnessed(one: Sized, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """What the circuit puts out, and what its model makes of the same."""
    circuit, data, path = (folder / name for name in "cdw")
    BACKEND.compile(one.path, one.files.settings, circuit)
    data.write_bytes(data_of(one, X, {}))
    BACKEND.witness(circuit, data, path)
    made = read_witness(path)
    return outputs_of(one, made)["y"], Runner(one.model)(inputs_of(one, made))["y"]


POINTS = Circuits.points


def _landing(
    circuits: Circuits, start: Point, scale: int, *, last: bool = False
) -> tuple[Point, ...]:
    """Those with landings, whether or not others are cheaper for so few values."""
    return tuple(one for one in POINTS(circuits, start, scale, last=last) if one.landings)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Path:
    """A run in one slice that divides in front of its table alone."""
    for logrows in range(8, 13):
        kept_srs(logrows)
    folder = tmp_path_factory.mktemp("landing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Circuits, "points", _landing)
        return proved_run(folder, gate(), X["x"], OPTIONS)


@pytest.mark.ezkl
def test_a_circuit_that_lands_is_proved_and_verified(proved: Path) -> None:
    claim = claim_of(proved)
    (only,) = claim.slices
    assert only.spec.landings == ((INNER, 8),)
    public, digest = proved / "run/public", statement.digest(claim)
    by_digest = audit.verify(public, BACKEND, expect=digest, allow_test_srs=True)
    by_model = audit.verify(
        public, BACKEND, model=proved / "model.onnx", allow_test_srs=True, told=proved / "x.json"
    )
    assert by_model.assumed == (), "no value leaves the field"
    assert by_model.outputs == by_digest.outputs
    shown = by_digest.outputs["y"]
    got = np.array(shown.values).reshape(shown.shape) / 2.0**shown.scale
    wanted = Runner(gate())(X)["y"]
    assert np.abs(got - wanted).max() < 0.01 * np.ptp(wanted)


@pytest.mark.ezkl
@pytest.mark.parametrize(
    ("landings", "said"),
    [
        (UNSET, "not the statement rebuilt from the model: slices"),
        (((INNER, 7),), "not the statement rebuilt from the model: slices"),
        (((1, 8),), "not the statement rebuilt from the model: slices"),
        (((99, 8),), "tensor 99 lands, the slice has 6"),
        (((-1, 8),), "land as .-1., expected places in order, each once"),
        (((INNER, 8), (1, 8)), "land as .3, 1., expected places in order, each once"),
        (((INNER, 8), (INNER, 8)), "land as .3, 3., expected places in order, each once"),
        (((INNER, -1),), "land as 3 at scale -1, not below the"),
        (((INNER, 8 * 62),), "land as 3 at scale 496, not below the"),
        ((), "expected places in order"),
    ],
)
def test_another_landing_is_refused(
    proved: Path, tmp_path: Path, landings: tuple[tuple[int, int], ...], said: str
) -> None:
    claim = claim_of(proved)
    (only,) = claim.slices
    forged = replace(claim, slices=(replace(only, spec=replace(only.spec, landings=landings)),))
    with pytest.raises(StatementError, match=said):
        public = claiming(proved, forged, tmp_path / "public")
        audit.verify(public, BACKEND, model=proved / "model.onnx", allow_test_srs=True)
