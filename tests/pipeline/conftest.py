"""Models and inputs for the tests of the whole pipeline."""

from pathlib import Path

import networks
import pytest
from pipeline_case import Case


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where finished runs are kept."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def skip(tmp_path: Path, kept_runs: Path) -> Case:
    """A network whose skip crosses a slice boundary."""
    model = networks.build(tmp_path / "skip.onnx", networks.SKIP, networks.SKIP_WEIGHTS)
    return Case(tmp_path, model, networks.write_input(tmp_path / "skip.json", [32]), kept_runs)


@pytest.fixture
def two_ends(tmp_path: Path, kept_runs: Path) -> Case:
    """A network of two inputs and two outputs, one of them in the middle."""
    model = networks.build(tmp_path / "ends.onnx", networks.TWO_ENDS, networks.TWO_ENDS_WEIGHTS)
    return Case(tmp_path, model, networks.write_input(tmp_path / "ends.json", [4, 4]), kept_runs)
