"""A head at the model's end: left to the verifier, or kept in the circuit."""

from pathlib import Path

import networks
import numpy as np
import pytest
from pipeline_case import Case

from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.fake import FakeBackend
from zkprep.claims import statement
from zkprep.errors import StatementError
from zkprep.models.model import Runner
from zkprep.options import Baselines, Options
from zkprep.verifying import audit

CLASSIFIER = """
<ir_version: 8, opset_import: ["" : 17]>
classifier (float[1, 4] x) => (float[1, 3] probabilities, int64[1] label)
{
    hidden = MatMul (x, W1)
    active = Relu (hidden)
    logits = MatMul (active, W2)
    probabilities = Softmax (logits)
    label = ArgMax <axis = 1, keepdims = 0> (probabilities)
}
"""


@pytest.fixture
def classifier(tmp_path: Path) -> Case:
    model = networks.build(tmp_path / "c.onnx", CLASSIFIER, {"W1": (4, 4), "W2": (4, 3)})
    return Case(tmp_path, model, networks.write_input(tmp_path / "c.json", [4]))


@pytest.mark.parametrize(
    "backend", [FakeBackend(), pytest.param(EzklBackend(), marks=pytest.mark.ezkl)]
)
def test_the_verifier_evaluates_the_head(
    classifier: Case, backend: FakeBackend | EzklBackend
) -> None:
    report = classifier.prove(Options(blocks=2, baselines=Baselines.NONE), backend=backend)
    assert report.verdict is not None
    assert report.verdict.accepted
    run = classifier.folder / "run"
    verdict = audit.verify(run, backend, expect=report.verdict.statement, allow_test_srs=True)
    assert list(verdict.outputs) == ["logits"]
    probabilities = np.array(verdict.heads["probabilities"].values)
    x = np.array([verdict.inputs["x"].values]) / 2 ** verdict.inputs["x"].scale
    expected = Runner(classifier.model)({"x": x.astype(np.float32)})
    assert np.allclose(probabilities, expected["probabilities"][0], atol=0.02)
    assert probabilities.sum() == pytest.approx(1)
    assert verdict.heads["label"].values == (int(expected["label"][0]),)
    lines = statement.summary(audit.claim_of(run)).heads
    assert lines[1] == "'label' [1] = ArgMax of 'logits' along axis 1"


def test_the_head_stays_where_it_is_asked_for(classifier: Case) -> None:
    options = Options(keep_head=True, baselines=Baselines.NONE)
    report = classifier.prove(options)
    claim = audit.claim_of(classifier.folder / "run")
    assert claim.heads == ()
    assert [outer.tensor for outer in claim.outputs] == ["probabilities", "label"]
    assert report.verdict is not None
    again = audit.verify(
        classifier.folder / "run", FakeBackend(), model=classifier.model, allow_test_srs=True
    )
    assert again.digest == report.verdict.statement


def test_a_model_anchors_its_heads(classifier: Case) -> None:
    classifier.prove(Options(baselines=Baselines.NONE))
    public = classifier.folder / "run" / "public"
    audit.verify(public, FakeBackend(), model=classifier.model, allow_test_srs=True)
    text = (public / "statement.json").read_text()
    (public / "statement.json").write_text(text.replace('"Softmax"', '"LogSoftmax"'))
    with pytest.raises(StatementError, match=r"heads\[0\].function is 'LogSoftmax'"):
        audit.verify(public, FakeBackend(), model=classifier.model, allow_test_srs=True)
