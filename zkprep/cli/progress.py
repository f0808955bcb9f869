"""Progress of a run: one live table on a terminal, plain lines elsewhere, JSON lines in a file.

What is left is the plan's prediction, corrected by how the stages done so far kept theirs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from zkprep.errors import InputError
from zkprep.runs.events import Event, Notify, silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

QUICK_SECONDS = 1.0
_REFRESHES_PER_SECOND = 2
Clock = Callable[[], float]


@dataclass(slots=True)
class Row:
    """A stage that runs."""

    begun: float
    start: Event
    held: int = 0


@dataclass(slots=True)
class Board:
    """What is going on, from the events so far.

    Attributes:
        clock: seconds; for tests.
        rows: stages that run, by slice and stage.
        plan: the last plan, and when it was made.
        done: stages that were done since then.
        predicted, taken: wall seconds of these, by prediction and in fact.
        seconds, cpu_seconds, stages, again, peak: of all stages that were done.
    """

    clock: Clock = time.monotonic
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    plan: Event = field(default_factory=lambda: Event(kind="plan"))
    planned: float = 0.0
    done: int = 0
    predicted: float = 0.0
    taken: float = 0.0
    cpu_seconds: float = 0.0
    stages: int = 0
    again: int = 0
    peak: int = 0
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    def take(self, event: Event) -> None:
        """Note an event."""
        key = (event.slice, event.stage)
        if event.kind == "plan":
            self.plan, self.planned = event, self.clock()
            self.done, self.predicted, self.taken = 0, 0.0, 0.0
        elif event.kind == "start":
            self.rows[key] = Row(self.clock(), event)
        elif event.kind == "memory" and key in self.rows:
            self.rows[key].held = event.bytes
        elif event.kind in ("retry", "failed"):
            self.rows.pop(key, None)
            self.again += event.kind == "retry"
        elif event.kind == "done":
            self._done(event, self.rows.pop(key, None))

    def left(self) -> float:
        """Seconds until the plan is done."""
        pace = self.taken / self.predicted if self.predicted else 1.0
        return max(0.0, self.plan.seconds * pace - (self.clock() - self.planned))

    def summary(self) -> str:
        """One line about everything that was done."""
        again = f", {self.again} started over" if self.again else ""
        return (
            f"{self.stages} stages in {_time(self.clock() - self.begun)}, "
            f"{self.cpu_seconds:.1f} CPU s, largest worker {_size(self.peak)}{again}"
        )

    def _done(self, event: Event, row: Row | None) -> None:
        self.stages += 1
        self.cpu_seconds += event.cpu_seconds
        self.peak = max(self.peak, event.bytes)
        if row is not None and row.start.seconds:
            self.done += 1
            self.predicted += row.start.seconds
            self.taken += event.seconds


@contextmanager
def progress(stream: TextIO, *, quiet: bool, events: Path | None = None) -> Iterator[Notify]:
    """What a run should tell about its stages while it lasts.

    Args:
        stream: where it is shown: as a table that changes if it is a terminal, else line by line.
        quiet: show nothing.
        events: a file to which every event is added as a line of JSON.

    Raises:
        InputError: `events` cannot be written.
    """
    with ExitStack() as stack:
        shown = silent if quiet else stack.enter_context(_shown(stream))
        kept = stack.enter_context(_kept(events)) if events is not None else silent

        def notify(event: Event) -> None:
            kept(event)
            shown(event)

        yield notify


@contextmanager
def _kept(path: Path) -> Iterator[Notify]:
    try:
        file = path.open("ab")
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror or error}") from None
    with file:

        def notify(event: Event) -> None:
            if event.kind != "memory":
                file.write(msgspec.json.encode(event) + b"\n")
                file.flush()

        yield notify


@contextmanager
def _shown(stream: TextIO) -> Iterator[Notify]:
    board = Board()
    say = _sayer(stream)
    try:
        if stream.isatty():
            with _live(board, stream) as say:
                yield _told(board, say)
        else:
            yield _told(board, say)
    finally:
        if board.stages:
            _sayer(stream)(board.summary())


def _told(board: Board, say: Callable[[str], None]) -> Notify:
    def notify(event: Event) -> None:
        board.take(event)
        if line := _line(event):
            say(line)

    return notify


def _sayer(stream: TextIO) -> Callable[[str], None]:
    return lambda line: print(line, file=stream, flush=True)


def _line(event: Event) -> str:
    """The event as a line; empty where it is not worth one."""
    where = f"{event.slice:14} {event.stage:9}"
    match event.kind:
        case "note":
            return event.reason
        case "plan" if event.stages and event.seconds >= QUICK_SECONDS:
            return (
                f"{event.stages} stages to prove: about {_time(event.seconds)}, "
                f"within {_size(event.bytes)} of memory"
            )
        case "done" if event.seconds >= QUICK_SECONDS:
            return (
                f"{where} {event.seconds:6.1f} s  {event.cpu_seconds:6.1f} CPU s  "
                f"{event.bytes / 2**20:6.0f} MiB"
            )
        case "retry":
            return f"{where} starts over with more room: {event.reason}"
        case "failed":
            return f"{where} failed: {event.reason}"
        case "draining" if event.stages:
            return f"stopping once {event.stages} running stages are done; Ctrl-C stops at once"
        case _:
            return ""


@contextmanager
def _live(board: Board, stream: TextIO) -> Iterator[Callable[[str], None]]:
    """The board as a table that changes; lines scroll by above it."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    with Live(
        get_renderable=lambda: _table(board),
        console=console,
        transient=True,
        refresh_per_second=_REFRESHES_PER_SECOND,
    ) as live:
        yield _scroller(live.console)
        live.refresh()


def _scroller(console: "Console") -> Callable[[str], None]:
    return lambda line: console.print(line, highlight=False, markup=False)


def _table(board: Board) -> "Table":
    from rich.table import Table

    now = board.clock()
    table = Table.grid(padding=(0, 2))
    for key, row in sorted(board.rows.items()):
        left = max(0.0, row.start.seconds - (now - row.begun)) if row.start.seconds else 0.0
        table.add_row(
            *key,
            _threads(row.start.threads),
            _time(now - row.begun),
            f"about {_time(left)} left" if left else "",
            f"{_size(row.held)} of {_size(row.start.bytes)}" if row.start.bytes else "",
        )
    if board.plan.stages:
        held = sum(row.held for row in board.rows.values())
        table.add_row(
            "all",
            f"{board.done} of {board.plan.stages}",
            "",
            _time(now - board.planned),
            f"about {_time(board.left())} left",
            f"{_size(held)} of {_size(board.plan.bytes)}",
        )
    return table


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number > 1)}" if number else ""


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _size(bytes: int) -> str:
    return f"{bytes / 2**20:.0f} MiB" if bytes < 2**30 else f"{bytes / 2**30:.1f} GiB"
