"""An operator larger than a slice is proved in parts, which are part of the statement."""

import json
from collections.abc import Callable
from pathlib import Path

import networks
import pytest
from pipeline_case import Case

from zkprep.backends.base import Backend
from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.errors import StatementError
from zkprep.options import Baselines, Options
from zkprep.verifying import audit

WIDE = """
<ir_version: 8, opset_import: ["" : 17]>
wide (float[1, 6, 10, 10] image) => (float[1, 5] logits)
{
    conv = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]> (image, W1, B1)
    bn = BatchNormalization (conv, G1, S1, M1, V1)
    relu = Relu (bn)
    pool = AveragePool <kernel_shape = [5, 5], strides = [5, 5]> (relu)
    flat = Flatten (pool)
    logits = MatMul (flat, W2)
}
"""
WIDE_WEIGHTS = {"W1": (2, 6, 3, 3), "B1": (2,), "G1": (2,), "S1": (2,), "M1": (2,), "W2": (8, 5)}
MEMORY = 58_000_000
"""Bytes that hold every operator of the network but its Conv."""

OPTIONS = Options(memory=MEMORY, baselines=Baselines.NONE, calibrate=False)


@pytest.fixture
def wide(tmp_path: Path) -> Case:
    model = networks.build(tmp_path / "wide.onnx", WIDE, WIDE_WEIGHTS)
    return Case(tmp_path, model, networks.write_input(tmp_path / "wide.json", [600]))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake prover's SRS files are none for the real one."""
    monkeypatch.setenv("ZKPREP_CACHE", str(tmp_path / "cache"))


def prove_and_verify(case: Case, backend: Backend) -> Path:
    """Prove under the low limit, and check by both anchors that the parts are proved."""
    report = case.prove(OPTIONS, backend=backend)
    assert report.verdict is not None and report.verdict.accepted, report.verdict
    public = case.folder / "run/public"
    claim = json.loads((public / "statement.json").read_bytes())
    (split,) = claim["preparation"]["splits"]
    assert split["tensor"] == "bn"
    parts = [node for nodes in claim["preparation"]["cut"] for node in nodes if "conv.part" in node]
    assert len(parts) >= 2
    assert sum(any(one in nodes for one in parts) for nodes in claim["preparation"]["cut"]) >= 2
    assert all(part.predicted.peak_bytes <= MEMORY for part in report.variants["prepared"].slices)
    for anchor in ({"expect": report.verdict.statement}, {"model": case.model}):
        verdict = audit.verify(public, backend, allow_test_srs=True, **anchor)
        assert verdict.proofs == len(claim["slices"])
    return public


@pytest.mark.usefixtures("own_cache")
def test_parts_chain_under_a_prover_that_behaves(wide: Case) -> None:
    public = prove_and_verify(wide, FakeBackend())
    path = public / "statement.json"
    claim = json.loads(path.read_bytes())
    claim["preparation"]["splits"][0]["cuts"][0][1][0] += 1
    path.write_text(json.dumps(claim, separators=(",", ":"), sort_keys=True) + "\n")
    with pytest.raises(StatementError):
        audit.verify(public, FakeBackend(), model=wide.model, allow_test_srs=True)


@pytest.mark.usefixtures("own_cache")
def test_the_sites_of_the_report_name_the_split(wide: Case) -> None:
    report = wide.prove(OPTIONS)
    split = [site for site in report.sites if site.rule == "split into tiles"]
    assert [site.nodes for site in split] == [["conv", "bn"]]


@pytest.mark.ezkl
def test_a_conv_beyond_the_memory_is_proved_in_parts(
    wide: Case, kept_srs: Callable[[int], Srs]
) -> None:
    for logrows in range(8, 11):
        kept_srs(logrows)
    prove_and_verify(wide, EzklBackend())
