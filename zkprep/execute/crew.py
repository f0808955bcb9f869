"""Run tasks on an executor until all are done: skip, start, wait, try again, drain.

A worker that is lost (killed, out of memory, panicked, standing still) costs its own stage, which
starts over once with twice the room. If that is lost too, the stages after it are given up and all
others go on: what they make is there when the run is started again. Any other failure would meet
the next stage as well, so nothing more starts; what runs is finished and recorded.

Ctrl-C does the same; a second one stops the workers at once. Nothing is lost but their stages.
"""

import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import FrameType
from typing import Any

from zkprep.backends.base import Terms
from zkprep.errors import BackendError, InputError, WorkerLost, ZkprepError
from zkprep.execute.schedule import Schedule, Start, Step, plan, play, task_seconds
from zkprep.execute.task import Executor, Need, Task
from zkprep.runs.events import Event, Kind
from zkprep.runs.stages import State
from zkprep.runs.store import Run

LEAST_SECONDS = 600.0
PATIENCE = 20.0
"""A call is stopped after so many times its predicted wall time, and LEAST_SECONDS at least."""

_MORE_ROOM = 2
_MOST_TASKS_AT_ONCE = 512
_MEMORY_EVERY = 1.0


class Stopped(BaseException):
    """Raised in a worker's watch, to end it: nobody waits for its answer."""


@dataclass(slots=True)
class _Attempt:
    """A task that runs, what it was said to need, and (in a list of one) the bytes it holds."""

    task: Task
    need: Need
    future: "Future[None]"
    held: list[int]


@dataclass(slots=True)
class Crew:
    """The state of a run's execution; made by `execute`."""

    run: Run
    executor: Executor
    tasks: dict[str, Task]
    schedule: Schedule
    pool: ThreadPoolExecutor
    attempts: dict[str, _Attempt] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    errors: list[ZkprepError] = field(default_factory=list)
    draining: bool = False
    interrupted: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Run everything that can be run; returns once nothing runs any more."""
        told = time.monotonic()
        while True:
            if self.interrupted.is_set() and not self.draining:
                self._drain()
            if not self.draining:
                for start in self.schedule.start(self.executor.room):
                    self._start(start)
            if not self.attempts:
                return
            futures = {one.future: title for title, one in self.attempts.items()}
            done, _ = wait(futures, timeout=_MEMORY_EVERY / 2, return_when=FIRST_COMPLETED)
            for future in done:
                self._settle(futures[future])
            if time.monotonic() > told + _MEMORY_EVERY:
                told = time.monotonic()
                for one in self.attempts.values():
                    self._tell("memory", one.task, bytes=one.held[0])

    def _drain(self) -> None:
        """Start nothing more."""
        self.draining = True
        self.run.tell(Event(kind="draining", stages=len(self.attempts)))

    def _start(self, start: Start) -> None:
        task, need = self.tasks[start.name], self.schedule.steps[start.name].need
        held = [0]
        future = self.pool.submit(self._perform, task, need, start.threads, held)
        self.attempts[start.name] = _Attempt(task, need, future, held)

    def _perform(self, task: Task, need: Need, threads: int, held: list[int]) -> None:
        """In a thread of the pool: the stage, unless it turns out to be done."""
        if self.run.ledger.state(task.stage) is State.FRESH:
            self._tell("kept", task)
            return
        self._tell(
            "start",
            task,
            threads=threads,
            cpu_seconds=need.cpu_seconds,
            seconds=task_seconds(need.cpu_seconds, threads),
            bytes=need.peak_bytes,
        )

        def watch(now: int) -> None:
            held[0] = now
            if self.stopped.is_set():
                raise Stopped

        seconds = max(LEAST_SECONDS, PATIENCE * task_seconds(need.cpu_seconds, threads))
        terms = Terms(threads, seconds, watch)
        call = partial(self.executor.perform, task.call, terms, need.peak_bytes)
        try:
            self.run.perform(task.stage, call)
        except OSError as error:
            where = task.stage.folder
            raise InputError(f"cannot write '{where}': {error.strerror or error}") from None

    def _settle(self, title: str) -> None:
        attempt = self.attempts.pop(title)
        error = attempt.future.exception()
        if error is None:
            self.schedule.finish(title)
        elif isinstance(error, WorkerLost) and title not in self.tried and not self.draining:
            self.tried.add(title)
            self._tell("retry", attempt.task, reason=str(error))
            self.schedule.again(title, self._more_room(attempt))
        elif isinstance(error, ZkprepError):
            self._fail(attempt.task, error)
        else:
            raise error

    def _more_room(self, attempt: _Attempt) -> Need:
        room = self.executor.room
        bytes = max(attempt.need.peak_bytes, attempt.held[0]) * _MORE_ROOM
        return replace(
            attempt.need,
            peak_bytes=max(attempt.need.peak_bytes, min(room.memory, bytes)),
            cpu_seconds=attempt.need.cpu_seconds * _MORE_ROOM,
        )

    def _fail(self, task: Task, error: ZkprepError) -> None:
        self._tell("failed", task, reason=str(error))
        if isinstance(error, BackendError):
            blamed = type(error)(f"{task.stage.label}: {error}", hint=error.hint)
            blamed.stage, blamed.slice_name = task.stage.name, task.stage.label
            error = blamed
        self.errors.append(error)
        self.schedule.abandon(task.title)
        if not isinstance(error, WorkerLost) and not self.draining:
            self._drain()

    def _tell(self, kind: Kind, task: Task, **said: Any) -> None:
        self.run.tell(Event(kind=kind, slice=task.stage.label, stage=task.stage.name, **said))


def execute(run: Run, executor: Executor, tasks: Sequence[Task]) -> None:
    """Do every task that is not done.

    Raises:
        InputError: the disk is too small for what they make.
        ZkprepError: a task failed; the first of all failures.
        KeyboardInterrupt: the user asked to stop.
    """
    wanted = {task.title: task for task in _wanted(run, tasks)}
    _require_disk(run, wanted.values())
    steps = {title: Step(task.need, task.after) for title, task in wanted.items()}
    schedule = plan(steps, executor.room)
    seconds = play(steps, schedule.shape, executor.room)
    run.tell(Event(kind="plan", stages=len(steps), seconds=seconds, bytes=executor.room.memory))
    with ThreadPoolExecutor(_MOST_TASKS_AT_ONCE) as pool:
        crew = Crew(run, executor, wanted, schedule, pool)
        try:
            with _interruptible(crew):
                crew.work()
        except BaseException:
            crew.stopped.set()
            raise
    if crew.errors:
        raise crew.errors[0]
    if crew.interrupted.is_set():
        raise KeyboardInterrupt


def _wanted(run: Run, tasks: Sequence[Task]) -> list[Task]:
    """The tasks to be done, and those after them, which may turn out to be done.

    A task whose outputs were removed to free the disk is wanted only by a task that reads them.
    """
    states = {task.title: run.ledger.state(task.stage) for task in tasks}
    read = {one for task in tasks if states[task.title] is State.STALE for one in task.after}
    wanted: dict[str, Task] = {}
    for task in tasks:
        state, follows = states[task.title], any(one in wanted for one in task.after)
        lacking = state is State.LACKING and task.title in read
        if state is State.STALE and not follows:
            run.ledger.open(task.stage)
        if state is State.STALE or lacking or follows:
            wanted[task.title] = task
        else:
            run.tell(Event(kind="kept", slice=task.stage.label, stage=task.stage.name))
    return list(wanted.values())


def _require_disk(run: Run, tasks: Iterable[Task]) -> None:
    need, free = sum(task.need.disk_bytes for task in tasks), shutil.disk_usage(run.root).free
    if need > free:
        raise InputError(
            f"the keys and proofs take {need / 1e9:.2f} GB of disk by prediction; "
            f"'{run.root}' has {free / 1e9:.2f} GB free",
            hint="`zkprep clean` frees the keys of other runs; --output may name another disk",
        )


@contextmanager
def _interruptible(crew: Crew) -> Iterator[None]:
    """Make Ctrl-C drain the crew, and a second one stop it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if crew.interrupted.is_set():
            raise KeyboardInterrupt
        crew.interrupted.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
