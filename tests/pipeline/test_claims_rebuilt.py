"""What a statement's author may ask a verifier with the model to build, and what not."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from pipeline_case import Case

from zkprep.backends.fake import FakeBackend
from zkprep.circuit import CircuitSpec
from zkprep.claims.statement import Statement, dump, load
from zkprep.errors import RangeExceeded, StatementError
from zkprep.options import Baselines, Options
from zkprep.tune.descent import entered
from zkprep.verifying import audit

replace = msgspec.structs.replace
HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'
RELU = HEADER + "relu (float[1,2] x) => (float[1,2] y) { y = Relu(x) }"
INTEGERS = HEADER + "whole (int64[3] x, int64[3] z) => (int64[3] y) { y = Add(x, z) }"


def restated(public: Path, change: Callable[[Statement], Statement]) -> None:
    path = public / "statement.json"
    path.write_bytes(dump(change(load(path.read_bytes()))))


def test_a_cut_through_what_was_made_one_operator(skip: Case) -> None:
    """Conv and BatchNormalization are one in the prepared model: nothing lies between them."""
    skip.prove(Options(blocks=2, baselines=Baselines.NONE))
    public = skip.folder / "run/public"

    def parted(claim: Statement) -> Statement:
        names = [name for part in claim.preparation.cut for name in part]
        cut = (tuple(names[:1]), tuple(names[1:]))
        assert names[0] == "conv1"
        return replace(claim, preparation=replace(claim.preparation, cut=cut))

    restated(public, parted)
    with pytest.raises(StatementError, match="the cut parts one operator of the prepared model"):
        audit.verify(public, FakeBackend(), model=skip.model, allow_test_srs=True)


def test_integers_do_not_descend(tmp_path: Path) -> None:
    """As an integer 2**-k is 0: x would not count, whatever the proof says of it."""
    model, data = tmp_path / "whole.onnx", tmp_path / "whole.npz"
    onnx.save(onnx.parser.parse_model(INTEGERS), model)
    np.savez(data, x=np.array([[1, 2, 3]])[0], z=np.array([4, 5, 6]))
    case = Case(tmp_path, model, data)
    case.prove(Options(baselines=Baselines.NONE))
    public = tmp_path / "run/public"

    def descending(claim: Statement) -> Statement:
        (piece,) = claim.slices
        spec = replace(piece.spec, input_scale=0, descents=(4, 0))
        first, second = piece.inputs
        return replace(
            claim, slices=(replace(piece, spec=spec, inputs=(replace(first, scale=4), second)),)
        )

    restated(public, descending)
    with pytest.raises(StatementError, match="'x' is of INT64, only floats can descend"):
        audit.verify(public, FakeBackend(), model=model, allow_test_srs=True)


def test_floats_descend() -> None:
    model = ir.from_proto(
        onnx.parser.parse_model(HEADER + "m (float[3] x) => (float[3] y) { y = Relu(x) }")
    )
    graph = entered(model, CircuitSpec(descents=(4,))).graph
    assert [node.op_type for node in graph] == ["Mul", "Relu"]


@dataclass(frozen=True)
class Telling(FakeBackend):
    """The fake prover with a table of EZKL's form, of one input and one operator."""

    operation: str = "RELU"

    def table(self, model: Path, spec: CircuitSpec) -> str:
        return f"│ 0 │ Input │ 7 │ │ [99] │\n│ 1 │ {self.operation} │ 7 │ [(0, 0)] │ [1] │"


@pytest.mark.parametrize(
    ("operation", "assumed"),
    [
        ("ABS", ()),
        ("LAPLACE", ("slice 000: no bound is known of EZKL's LAPLACE",)),
    ],
)
def test_what_is_assumed_is_said(skip: Case, operation: str, assumed: tuple[str, ...]) -> None:
    report = skip.prove(Options(blocks=1, baselines=Baselines.NONE))
    public, prover = skip.folder / "run/public", Telling(operation=operation)
    verdict = audit.verify(public, prover, model=skip.model, allow_test_srs=True)
    assert verdict.assumed == assumed
    assert report.verdict is not None
    digest = report.verdict.statement
    assert audit.verify(public, prover, expect=digest, allow_test_srs=True).assumed is None


def test_the_prover_makes_no_keys_of_a_circuit_whose_values_may_wrap(skip: Case) -> None:
    prover = Telling(operation="PROD")
    with pytest.raises(RangeExceeded, match="slice 000: values may leave the field: EZKL's node 1"):
        skip.prove(Options(blocks=1, baselines=Baselines.NONE), backend=prover)
    assert not list((skip.folder / "run").rglob("vk"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logrows": 3}, "slice 000: no table fits 2**3 rows"),
        (
            {"logrows": 4, "decomp_base": 1 << 26, "decomp_legs": 3},
            "slice 000: its tables take 8388609 columns of 2**4 rows, the most is 256",
        ),
    ],
)
def test_circuits_of_endless_tables_are_not_made(
    tmp_path: Path, changes: dict[str, int], message: str
) -> None:
    model, data = tmp_path / "relu.onnx", tmp_path / "relu.json"
    onnx.save(onnx.parser.parse_model(RELU), model)
    data.write_text('{"input_data": [[1, -1]]}')
    Case(tmp_path, model, data).prove(Options(baselines=Baselines.NONE))

    def larger(claim: Statement) -> Statement:
        (piece,) = claim.slices
        srs = replace(piece.srs, logrows=changes["logrows"])
        piece = replace(piece, spec=replace(piece.spec, **changes), srs=srs)
        return replace(claim, slices=(piece,))

    restated(tmp_path / "run/public", larger)
    with pytest.raises(StatementError, match=re.escape(message)):
        audit.verify(tmp_path / "run/public", FakeBackend(), model=model, allow_test_srs=True)
