"""What --executor says where there is no Ray, or no cluster."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zkprep.backends.fake import FakeBackend
from zkprep.cli import app

DIGITS = Path(__file__).parents[2] / "circuits/digits"


@pytest.fixture(autouse=True)
def fake_prover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkprep.backends.ezkl.EzklBackend", FakeBackend)


def refused(tmp_path: Path, *options: str) -> str:
    model, data = str(DIGITS / "model.onnx"), str(DIGITS / "input.json")
    run = tmp_path / "run"
    done = CliRunner().invoke(app, ["prove", model, "--input", data, "-o", str(run), *options])
    assert done.exit_code == 2, done.output
    assert not run.exists()
    return done.stderr


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    said = refused(tmp_path, "--executor", "ray")
    assert said.splitlines() == [
        "error: --executor ray needs Ray",
        "  install it: pip install 'zkprep[ray]'",
    ]


def test_an_address_is_rays(tmp_path: Path) -> None:
    assert "goes with --executor ray" in refused(tmp_path, "--address", "auto")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere"])
def test_no_cluster_is_told(tmp_path: Path, address: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'zkprep[ray]'")
    said = refused(tmp_path, "--executor", "ray", "--address", address)
    assert said.startswith(f"error: there is no Ray cluster at '{address}': ")
    assert "docs/ray.md" in said
