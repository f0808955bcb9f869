"""A model and an input on disk, and how the pipeline is run on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zkprep import pipeline
from zkprep.backends.base import Backend
from zkprep.backends.fake import FakeBackend
from zkprep.events import Notify, silent
from zkprep.options import Options
from zkprep.report.types import Report


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
        data: Path | Sequence[Path] | None = None,
        backend: Backend | None = None,
        notify: Notify = silent,
    ) -> Report:
        return pipeline.prove(
            self.model,
            data or self.data,
            self.folder / out,
            options,
            backend or FakeBackend(),
            notify,
        )
