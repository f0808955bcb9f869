"""Rebuilding from the model gives the prover's statement, whatever the process and the folder.

The circuits have two lookup tables and range checks, whose order EZKL takes from hash maps.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import networks
import pytest

from zkprep import pipeline
from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.srs import Srs
from zkprep.options import Baselines, InputVisibility, Link, Links, Options
from zkprep.verifying import audit

pytestmark = pytest.mark.ezkl

TABLES = """
<ir_version: 8, opset_import: ["" : 17]>
tables (float[1, 6] x) => (float[1, 3] y)
{
    a = MatMul (x, W1)
    s = Sigmoid (a)
    t = Tanh (a)
    c = Concat <axis = 1> (s, t)
    b = MatMul (c, W2)
    r = Relu (b)
    y = MatMul (r, W3)
}
"""
WEIGHTS = {"W1": (6, 4), "W2": (8, 4), "W3": (4, 3)}
OPTIONS = Options(
    blocks=2,
    scale=6,
    tolerance=0.2,
    max_logrows=11,
    baselines=Baselines.NONE,
    links=Links(Link.POLYCOMMIT),
    input_visibility=InputVisibility.PRIVATE,
)
ZKPREP = "from zkprep.cli import main; main()"


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Path:
    for logrows in (10, 11):
        kept_srs(logrows)
    folder = tmp_path_factory.mktemp("tables")
    model = networks.build(folder / "tables.onnx", TABLES, WEIGHTS)
    data = networks.write_input(folder / "x.json", [6])
    report = pipeline.prove(model, data, folder / "run", OPTIONS, EzklBackend(), lambda *_: None)
    assert report.verdict is not None
    assert report.verdict.accepted, report.verdict.reason
    return folder


def test_the_circuits_have_lookups_and_range_checks(proved: Path) -> None:
    documents = [
        json.loads(path.read_bytes()) for path in proved.glob("run/public/slices/*/settings.json")
    ]
    assert max(len(document["required_lookups"]) for document in documents) == 2
    assert all(len(document["required_range_checks"]) >= 2 for document in documents)


@pytest.mark.parametrize(("seed", "name"), [("0", "here"), ("4242", "elsewhere, by another name")])
def test_another_process_rebuilds_the_statement(
    proved: Path, tmp_path: Path, seed: str, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    model = folder / f"{name}.onnx"
    model.write_bytes((proved / "tables.onnx").read_bytes())
    arguments = ["verify", str(proved / "run/public"), "--model", str(model)]
    done = subprocess.run(
        [sys.executable, "-c", ZKPREP, *arguments, "--allow-test-srs", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONHASHSEED": seed, "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    public = proved / "run/public"
    assert said["private"] == ["x"]
    assert said["committed"] == said["links"] > 0
    assert len(audit.claim_of(public).slices) == said["proofs"] == 2
    assert list(folder.glob("zkprep-*")) == []
