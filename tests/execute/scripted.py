"""Tasks on bytes, and an executor that does what a script says: to see what a crew makes of it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zkprep.backends.base import Terms, Usage
from zkprep.execute.task import Call, Need, Task
from zkprep.room import Room
from zkprep.runs.events import Event
from zkprep.runs.store import Run, open_run

USAGE = Usage(0.01, 0.01, 100)
Act = Callable[[Call, Terms], None]


@dataclass
class ScriptedExecutor:
    """Writes what each call asks for, after what `acts` has for its output's name.

    Attributes:
        room: what it says there is.
        acts: by stem of the first output: done in turn, one per attempt; then nothing.
        peaks: memory granted to each attempt, in order of its start.
        most: most granted at any time.
    """

    room: Room
    acts: dict[str, list[Act]] = field(default_factory=dict)
    peaks: dict[str, list[int]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def perform(self, call: Call, terms: Terms, peak_bytes: int) -> Usage:
        name = call.verb
        with self._lock:
            self.order.append(name)
            self.peaks.setdefault(name, []).append(peak_bytes)
            self._now += peak_bytes
            self.most = max(self.most, self._now)
            acts = self.acts.get(name, [])
            act = acts.pop(0) if acts else None
        try:
            if act is not None:
                act(call, terms)
            for path in call.writes.values():
                path.write_text(name)
        finally:
            with self._lock:
                self._now -= peak_bytes
        return USAGE


def room(cores: int = 4, memory: int = 1000) -> Room:
    return Room(cores, memory, cores, memory)


def fail_with(error: Exception) -> Act:
    def act(_call: Call, _terms: Terms) -> None:
        raise error

    return act


def work_for(seconds: float) -> Act:
    """Take a while, in sight of the watch."""

    def act(_call: Call, terms: Terms) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            terms.watch(1)
            time.sleep(0.01)

    return act


@dataclass
class Bench:
    """A run, the events it told, and tasks made by name."""

    run: Run
    events: list[Event]

    def task(
        self, name: str, *after: Task, cpu: float = 1.0, peak: int = 100, disk: int = 0
    ) -> Task:
        folder = self.run.root / "private" / "prepared" / name
        folder.mkdir(parents=True, exist_ok=True)
        out = folder / "out"
        reads = [path for one in after for path in one.stage.outputs]
        stage = self.run.new_stage("make", folder, [name.encode(), *reads], [out])
        return Task(
            stage,
            Call(name, {}, {"out": out}),
            Need(cpu, peak, disk),
            tuple(one.title for one in after),
        )

    def told(self, kind: str) -> list[str]:
        return [event.slice.rpartition("/")[2] for event in self.events if event.kind == kind]


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    events: list[Event] = []
    with open_run(folder, events.append) as run:
        yield Bench(run, events)
