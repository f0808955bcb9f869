"""A model and an input on disk, and how the pipeline is run on them."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zkprep import pipeline
from zkprep.backends.base import Backend
from zkprep.backends.fake import FakeBackend
from zkprep.files import digest, file_digest
from zkprep.options import Options
from zkprep.report.types import Report, read_report
from zkprep.runs.events import Notify, silent


@dataclass(frozen=True)
class Case:
    """A model and an input on disk; `kept`: where the session keeps finished runs."""

    folder: Path
    model: Path
    data: Path
    kept: Path | None = None

    def proved(
        self, options: Options, *, out: str = "run", data: Path | Sequence[Path] | None = None
    ) -> Report:
        """A finished run for tests of what comes after; equal questions are proved once."""
        assert self.kept is not None
        inputs = [data] if isinstance(data, Path) else data or [self.data]
        read = [file_digest(path) for path in (self.model, *inputs)]
        kept = self.kept / digest(f"{read} {options}".encode())
        if not kept.exists():
            self.prove(options, out=out, data=data)
            shutil.copytree(self.folder / out, kept)
        else:
            shutil.copytree(kept, self.folder / out)
        return read_report(kept)

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
