"""Progress: live lines on a terminal, one plain line per long stage elsewhere, nothing if quiet."""

import io

import pytest

from zkprep.backends.base import Usage
from zkprep.progress import progress

LONG, SHORT = Usage(12.0, 20.5, 3 * 2**20), Usage(0.1, 0.1, 2**20)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _tell(stream: io.StringIO, *, quiet: bool = False) -> str:
    with progress(stream, quiet=quiet) as notify:
        for label in ("prepared/000", "prepared/001"):
            for stage, usage in (("witness", SHORT), ("setup", LONG), ("verify", SHORT)):
                notify(label, stage, None)
                notify(label, stage, usage)
    return stream.getvalue()


def test_plain_lines_for_long_stages() -> None:
    lines = _tell(io.StringIO()).splitlines()
    assert len(lines) == 2
    assert lines[0].split() == [
        "prepared/000",
        "setup",
        "12.0",
        "s",
        "20.5",
        "CPU",
        "s",
        "3",
        "MiB",
    ]


def test_quiet() -> None:
    assert _tell(io.StringIO(), quiet=True) == ""


def test_a_terminal_shows_every_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = _tell(Terminal())
    assert "prepared/001" in shown
    assert "proved" in shown
    assert "12.0 s" in shown
