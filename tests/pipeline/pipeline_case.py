"""A model and an input on disk, and how the pipeline is run on them."""

from dataclasses import dataclass
from pathlib import Path

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
