"""`zkprep check`: what stands in the way of a proof, what is rewritten, and what EZKL says."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner, Result

from zkprep import check_model
from zkprep.backends.fake import FakeBackend
from zkprep.cli import app
from zkprep.errors import BackendError, TimedOut, UnsupportedModel
from zkprep.models.model import load
from zkprep.support import refuse_unsupported
from zkprep.support.layout import misread

_HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
_CONVOLUTION = "net (float[1, 2, 7, 7] x) => (float[1, 3, {0}, {0}] y) {{ c = Conv <{1}> (x, w)"
_LOST = "data_format=CHW"


def write(folder: Path, text: str, weight: Sequence[int] = ()) -> Path:
    model = onnx.parser.parse_model(_HEAD + text)
    for node in model.graph.node:
        node.name = f"my_{node.op_type.lower()}"
    if weight:
        values = np.random.default_rng(0).standard_normal(weight).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, "w"))
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def dilated(folder: Path) -> Path:
    text = _CONVOLUTION.format(3, "dilations = [2, 2]") + " y = Relu (c) }"
    return write(folder, text, (3, 2, 3, 3))


def relu(folder: Path) -> Path:
    return write(folder, "net (float[1, 4] x) => (float[1, 4] y) { y = Relu (x) }")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *(str(argument) for argument in arguments)])


@pytest.mark.ezkl
def test_what_ezkl_rejects_and_zkprep_rewrites(tmp_path: Path) -> None:
    result = run(dilated(tmp_path))
    assert result.exit_code == 0, result.output
    assert "my_conv" in result.stdout
    assert "dilated" in result.stdout
    assert "stuff-dilations" in result.stdout
    assert "1 Conv, 1 Relu" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("can be proved: ")
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 80
    assert result.stderr == ""


@pytest.mark.ezkl
def test_the_report_as_data(tmp_path: Path) -> None:
    result = run(dilated(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["provable"]
    [finding] = report["findings"]
    assert finding["operator"] == "Conv"
    assert finding["node"] == "my_conv"
    assert finding["action"] == "rewritten"
    assert finding["problem"] == "EZKL takes no dilated convolution"
    assert report["fine"] == {"Conv": 1, "Relu": 1}
    assert report["ezkl"]["answer"] == "accepted"
    assert 0 < report["ezkl"]["error"] < 0.01
    assert report["ezkl"]["cells"] > 0


@pytest.mark.parametrize(
    ("text", "operator", "reason"),
    [
        ("(float[4] x) => (float[4] y) { y = Mod <fmod = 1> (x, x) }", "Mod", "no such operator"),
        ("(float[4] x) => (int64[1, N] y) { y = NonZero (x) }", "NonZero", "depends on the data"),
        ("(float[0] x) => (float[0] y) { y = Relu (x) }", "input", "holds no elements"),
        ("(float[2] x) => (float[2] y) { y = Bernoulli (x) }", "Bernoulli", "random"),
    ],
)
def test_what_is_refused_by_name(tmp_path: Path, text: str, operator: str, reason: str) -> None:
    result = run(write(tmp_path, f"net {text}"), "--json")
    assert result.exit_code == 2, result.output
    report = json.loads(result.stdout)
    assert not report["provable"]
    assert report["ezkl"] is None
    finding = report["findings"][0]
    assert finding["action"] == "refused"
    assert finding["operator"] == operator
    assert reason in finding["problem"]


def test_the_refusal_of_a_run_names_every_operator(tmp_path: Path) -> None:
    nodes = " ".join(f"t{i} = Mod <fmod = 1> (x, x)" for i in range(7))
    outputs = ", ".join(f"float[4] t{i}" for i in range(7))
    model = load(write(tmp_path, f"net (float[4] x) => ({outputs}) {{ {nodes} }}"))
    with pytest.raises(UnsupportedModel) as caught:
        refuse_unsupported(model)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the model cannot be proved:"
    assert lines[1] == "  Mod 'my_mod': EZKL has no such operator"
    assert lines[-1] == "  and 2 more"
    assert "zkprep check" in caught.value.hint


def test_a_named_dimension_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "net (float[1, length] x) => (float[1, length] y) { y = Relu (x) }")
    result = run(path)
    assert result.exit_code == 2
    assert "--dim length=VALUE" in result.stderr
    assert check_model(path, {"length": 3}, backend=FakeBackend()).provable


@pytest.mark.parametrize(
    ("failure", "provable", "answer"),
    [
        (BackendError("EZKL gen_settings: no"), False, "rejected: EZKL gen_settings: no"),
        (TimedOut("too slow"), True, "accepted as far as it was asked: too slow"),
    ],
)
def test_ezkl_has_the_last_word(
    tmp_path: Path, failure: BackendError, provable: bool, answer: str
) -> None:
    report = check_model(relu(tmp_path), backend=FakeBackend(fail={"gen_settings": failure}))
    assert report.provable is provable
    assert report.ezkl is not None
    assert report.ezkl.answer == answer


def test_a_circuit_that_computes_something_else_is_found(tmp_path: Path) -> None:
    report = check_model(relu(tmp_path), backend=_Wrong())
    assert not report.provable
    assert report.ezkl is not None
    assert report.ezkl.answer == "miscomputed"
    assert report.ezkl.error is not None
    assert report.ezkl.error > 0.1


def test_ezkl_is_asked_of_the_model_that_is_proved(tmp_path: Path) -> None:
    asked: list[str] = []

    class Asked(FakeBackend):
        """A prover that tells what it was asked of."""

        def gen_settings(self, model: Path, spec, out: Path):  # type: ignore[no-untyped-def]
            asked.extend(node.op_type for node in onnx.load(model).graph.node)
            return super().gen_settings(model, spec, out)

    text = "net (float[1, 4] x) => (float[1, 4] y) { a = Relu (x) b = Relu (x) y = Add (a, b) }"
    report = check_model(write(tmp_path, text), backend=Asked())
    assert report.provable
    assert report.fine == {"Add": 1, "Relu": 2}
    assert asked == ["Relu", "Add"]


class _Wrong(FakeBackend):
    """A prover whose circuits are of another model."""

    def compile(self, model: Path, settings: Path, out: Path):  # type: ignore[no-untyped-def]
        other = onnx.load(model)
        other.graph.node[0].op_type = "Neg"
        onnx.save(other, model.with_name("other.onnx"))
        return super().compile(model.with_name("other.onnx"), settings, out)


def test_convolutions_without_batch_are_read_from_the_table() -> None:
    right = "REBASED (div=2, op=DIV (denom=2)) (CONV (stride=[1, 1], padding=[(1, 1)], {}, x=1))"
    assert misread(right.format("data_format=NCHW")) == ()
    assert misread(right.format(_LOST)) == ("CONV",)
    assert misread("\n".join([right.format(_LOST)] * 2)) == ("CONV", "CONV")
