"""The default executor: the prover's workers on this machine, held to a room of cores and memory.

Predictions decide what starts; what is measured decides what may go on. When all workers together
hold more than the ceiling, the one that is furthest above its prediction is stopped: the others
keep what they have, and it starts again with more room.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from zkprep.backends.base import Backend, Terms, Usage
from zkprep.errors import OutOfMemory
from zkprep.execute.task import Call
from zkprep.options import MEMORY_SHARE, Options
from zkprep.room import Room, available_memory, usable_cores


@dataclass(slots=True)
class _Held:
    """What a worker holds, and what it was predicted to."""

    bytes: int
    predicted: int


@dataclass(slots=True)
class LocalExecutor:
    """Worker processes of `backend`.

    Attributes:
        backend: the prover.
        room: cores and memory that tasks may take together.
        ceiling: bytes that the workers never hold together.
    """

    backend: Backend
    room: Room
    ceiling: int
    _held: dict[int, _Held] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def perform(self, call: Call, terms: Terms, peak_bytes: int) -> Usage:
        """See Executor."""
        with self._counted(peak_bytes) as mine:

            def watch(held: int) -> None:
                mine.bytes = held
                terms.watch(held)
                self._enforce(mine, call.verb)

            return call.on(self.backend.on(replace(terms, watch=watch)))

    @contextmanager
    def _counted(self, predicted: int) -> Iterator[_Held]:
        mine = _Held(0, predicted)
        with self._lock:
            self._held[id(mine)] = mine
        try:
            yield mine
        finally:
            with self._lock:
                del self._held[id(mine)]

    def _enforce(self, mine: _Held, verb: str) -> None:
        with self._lock:
            workers = list(self._held.values())
        together = sum(one.bytes for one in workers)
        furthest = max(workers, key=lambda one: one.bytes - one.predicted)
        if together > self.ceiling and furthest is mine:
            raise OutOfMemory(
                f"{verb} was stopped at {mine.bytes / 2**20:.0f} MiB (predicted: "
                f"{mine.predicted / 2**20:.0f} MiB): all workers together held "
                f"{together / 2**20:.0f} MiB, the limit is {self.ceiling / 2**20:.0f} MiB",
                stage=verb,
                hint="a larger --memory, or `zkprep calibrate-machine` for better predictions",
            )


def local_executor(backend: Backend, options: Options) -> LocalExecutor:
    """This machine, within `--memory`; else within a share of what is free, so that some stays."""
    cores, free = usable_cores(), available_memory()
    memory = options.memory or int(MEMORY_SHARE * free)
    return LocalExecutor(backend, Room(cores, memory, cores, memory), options.memory or free)
