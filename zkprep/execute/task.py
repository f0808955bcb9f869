"""A task: a stage of a run, the call of the prover's that does it, and what that needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zkprep.backends.base import Backend, Terms, Usage
from zkprep.room import Room
from zkprep.runs.stages import Stage


@dataclass(frozen=True, slots=True)
class Need:
    """What a task is predicted to take.

    Attributes:
        cpu_seconds: with any number of threads.
        peak_bytes: of memory.
        disk_bytes: that its outputs take.
    """

    cpu_seconds: float
    peak_bytes: int
    disk_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A verb of the prover's on files; the names are those of its parameters."""

    verb: str
    reads: Mapping[str, Path]
    writes: Mapping[str, Path]

    def on(self, backend: Backend) -> Usage:
        """Make the call.

        Raises:
            ZkprepError: as the verb does.
        """
        usage: Usage = getattr(backend, self.verb)(**self.reads, **self.writes)
        return usage


@dataclass(frozen=True, slots=True)
class Task:
    """A stage to be done, once those titled in `after` are."""

    stage: Stage
    call: Call
    need: Need
    after: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Unique in a run."""
        return self.stage.title


class Executor(Protocol):
    """Where calls are made. `perform` is called from many threads at once."""

    @property
    def room(self) -> Room:
        """What there is now; a cluster's may change."""
        ...

    def perform(self, call: Call, terms: Terms, peak_bytes: int) -> Usage:
        """Make a call, and have its outputs on this machine when it is done.

        Args:
            call: what to do.
            terms: threads, time, and who watches.
            peak_bytes: memory it may take.

        Raises:
            WorkerLost: another try may do.
            ZkprepError: it failed.
        """
        ...
