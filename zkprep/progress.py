"""Progress of a run: one live line per slice on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from zkprep.backends.base import Usage
from zkprep.store import Notify

QUICK_SECONDS = 1.0


@contextmanager
def progress(stream: TextIO, *, quiet: bool) -> Iterator[Notify]:
    """What a run should tell about its stages while it lasts, shown on `stream`."""
    if quiet:
        yield _silent
    elif stream.isatty():
        with _live(stream) as notify:
            yield notify
    else:
        yield _lines(stream)


def _silent(_slice: str, _stage: str, _usage: Usage | None) -> None:
    return


def _lines(stream: TextIO) -> Notify:
    """One line per finished stage that took a while."""

    def notify(label: str, stage: str, usage: Usage | None) -> None:
        if usage is not None and usage.seconds >= QUICK_SECONDS:
            print(_done(label, stage, usage), file=stream, flush=True)

    return notify


@contextmanager
def _live(stream: TextIO) -> Iterator[Notify]:
    """A line per slice: its stage, and how long that has taken; finished long stages scroll by."""
    from rich.console import Console
    from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[mark]}"),
        TextColumn("{task.fields[slice]:14}"),
        TextColumn("{task.description:14}"),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(file=stream), transient=True) as bars:

        def notify(label: str, stage: str, usage: Usage | None) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(stage, total=None, slice=label, mark=" ")
            task = tasks[label]
            if usage is None:
                bars.reset(task, description=stage, mark="[cyan]>", slice=label)
                return
            bars.stop_task(task)
            proved = stage == "verify"
            description = "proved" if proved else f"{stage} done"
            bars.update(task, description=description, mark="[green]+" if proved else " ")
            if usage.seconds >= QUICK_SECONDS:
                bars.console.print(_done(label, stage, usage), highlight=False)

        yield notify


def _done(label: str, stage: str, usage: Usage) -> str:
    return (
        f"{label:14} {stage:9} {usage.seconds:6.1f} s  {usage.cpu_seconds:6.1f} CPU s  "
        f"{usage.peak_bytes / 2**20:6.0f} MiB"
    )
