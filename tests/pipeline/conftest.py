"""Models, inputs and a fake run for the tests of the whole pipeline."""

from dataclasses import dataclass
from pathlib import Path

import networks
import pytest

from zkprep import pipeline
from zkprep.backends.base import Backend, Usage
from zkprep.backends.fake import FakeBackend
from zkprep.options import Options
from zkprep.report.types import Report


def silent(_slice: str, _stage: str, _usage: Usage | None) -> None:
    return


@dataclass(frozen=True)
class Case:
    """A model and an input on disk."""

    folder: Path
    model: Path
    data: Path

    def prove(
        self,
        options: Options,
        *,
        out: str = "run",
        data: Path | None = None,
        backend: Backend | None = None,
    ) -> Report:
        return pipeline.prove(
            self.model,
            data or self.data,
            self.folder / out,
            options,
            backend or FakeBackend(),
            silent,
        )


@pytest.fixture
def skip(tmp_path: Path) -> Case:
    """A network whose skip crosses a slice boundary."""
    model = networks.build(tmp_path / "skip.onnx", networks.SKIP, networks.SKIP_WEIGHTS)
    return Case(tmp_path, model, networks.write_input(tmp_path / "skip.json", [32]))


@pytest.fixture
def two_ends(tmp_path: Path) -> Case:
    """A network of two inputs and two outputs, one of them in the middle."""
    model = networks.build(tmp_path / "ends.onnx", networks.TWO_ENDS, networks.TWO_ENDS_WEIGHTS)
    return Case(tmp_path, model, networks.write_input(tmp_path / "ends.json", [4, 4]))
