"""Progress: a live table on a terminal, plain lines elsewhere, JSON in a file, a summary."""

import io
import json
from pathlib import Path

import pytest

from zkprep.cli.progress import Board, progress
from zkprep.errors import InputError
from zkprep.runs.events import Event, Notify

MIB = 2**20


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def done(slice: str, stage: str, seconds: float) -> Event:
    usage = {"seconds": seconds, "cpu_seconds": 2 * seconds, "bytes": 3 * MIB}
    return Event(kind="done", slice=slice, stage=stage, **usage)


def story(notify: Notify) -> None:
    notify(Event(kind="plan", stages=4, seconds=30.0, bytes=2048 * MIB))
    for name in ("prepared/000", "prepared/001"):
        for stage, seconds in (("setup", 12.0), ("verify", 0.1)):
            notify(Event(kind="start", slice=name, stage=stage, seconds=10.0, threads=2))
            notify(Event(kind="memory", slice=name, stage=stage, bytes=500 * MIB))
            notify(done(name, stage, seconds))
    notify(Event(kind="retry", slice="prepared/001", stage="prove", reason="[killed]"))


def told(stream: io.StringIO, *, quiet: bool = False, events: Path | None = None) -> str:
    with progress(stream, quiet=quiet, events=events) as notify:
        story(notify)
    return stream.getvalue()


def test_plain_lines_for_what_takes_long_or_goes_wrong() -> None:
    lines = [" ".join(line.split()) for line in told(io.StringIO()).splitlines()]
    assert lines == [
        "4 stages to prove: about 30 s, within 2.0 GiB of memory",
        "prepared/000 setup 12.0 s 24.0 CPU s 3 MiB",
        "prepared/001 setup 12.0 s 24.0 CPU s 3 MiB",
        "prepared/001 prove starts over with more room: [killed]",
        "4 stages in 0 s, 48.4 CPU s, largest worker 3 MiB, 1 started over",
    ]


def test_quiet() -> None:
    assert told(io.StringIO(), quiet=True) == ""


def test_a_terminal_shows_every_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with progress(stream, quiet=False) as notify:
        notify(Event(kind="plan", stages=3, seconds=90.0, bytes=2048 * MIB))
        for name in ("prepared/000", "prepared/001"):
            notify(
                Event(kind="start", slice=name, stage="prove", seconds=70.0, threads=3, bytes=MIB)
            )
        notify(Event(kind="memory", slice="prepared/001", stage="prove", bytes=500 * MIB))
        notify(Event(kind="failed", slice="prepared/002", stage="prove", reason="[red]no markup"))
    shown = stream.getvalue()
    for part in ("prepared/000", "prepared/001", "3 threads", "about 1:10 left", "500 MiB of 1"):
        assert part in shown, part
    assert "0 of 3" in shown
    assert "about 1:30 left" in shown
    assert "[red]no markup" in shown


def test_events_are_lines_of_json(tmp_path: Path) -> None:
    told(io.StringIO(), quiet=True, events=tmp_path / "events")
    lines = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds == ["plan", *["start", "done"] * 4, "retry"], "memory is for the display"
    assert lines[2]["cpu_seconds"] == 24.0
    assert lines[0]["at"] > 1.7e9


def test_events_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="cannot write"),
        progress(io.StringIO(), quiet=True, events=tmp_path / "none/events"),
    ):
        pass


def test_what_is_left_follows_the_pace_so_far() -> None:
    now = [100.0]
    board = Board(clock=lambda: now[0])
    board.take(Event(kind="plan", stages=3, seconds=60.0))
    assert board.left() == 60.0
    board.take(Event(kind="start", slice="a", stage="prove", seconds=10.0))
    now[0] += 20.0
    board.take(done("a", "prove", 20.0))
    assert board.left() == pytest.approx(60.0 * 2 - 20.0), "twice as slow as predicted"
    now[0] += 500.0
    assert board.left() == 0.0
