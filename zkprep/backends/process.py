"""Run one worker: private environment, time limit, and nobody left behind.

Every EZKL call has its own process because EZKL holds the GIL throughout, may deadlock for ever
in `prove` (zkonduit/ezkl#1029) and gives its memory back only when the process ends. It also has
its own EZKL_REPO_PATH, empty at the start: EZKL keeps lookup tables there and `setup` trusts what
it finds, so a folder that anyone else could write to would decide what a circuit means.

A deadlocked worker waits and uses no processor; one that waits for its disk is said by the system
to do so. So a worker is stopped once it has stood still, and long before its time limit.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil

from zkprep.backends.base import Terms, Usage
from zkprep.errors import TimedOut

_WORKER = Path(__file__).with_name("worker.py")
_POLL_SECONDS = 0.02
_KEPT_LOG_BYTES = 64 * 1024
STILL_SECONDS = 120.0
"""A worker that uses no processor for so long is stopped."""

_STILL_CPU_SECONDS = 0.05
_WAITING_VERBS = ("get_srs",)


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The call succeeded: what it returned and used."""

    value: Any
    usage: Usage


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The call raised: the exception's class and text."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a worker ended.

    Attributes:
        reply: what it said; None when it died before saying anything.
        log: the end of what EZKL printed.
        exit_code: of the process; -N when signal N ended it.
        peak_bytes: largest resident size seen from outside.
    """

    reply: Answer | Refusal | None
    log: str
    exit_code: int
    peak_bytes: int


def run_worker(verb: str, arguments: Mapping[str, Any], terms: Terms) -> Outcome:
    """Run `verb` in a fresh worker, held to `terms`.

    Args:
        verb: a name of zkprep.backends.worker.
        arguments: its arguments, as JSON values.
        terms: threads, time limit, and who is told of its memory.

    Raises:
        TimedOut: it was killed for taking too long, or for standing still.
    """
    with tempfile.TemporaryDirectory(prefix="zkprep-worker-") as name:
        folder = Path(name)
        request = {"verb": verb, "arguments": dict(arguments), "parent": os.getpid()}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_WORKER), name],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(folder, terms.threads),
                start_new_session=True,
            )
        try:
            _send(process, msgspec.json.encode(request))
            peak = _wait(process, verb, terms)
        finally:
            _kill(process)
        return Outcome(_read_reply(folder), _read_log(folder), process.returncode, peak)


def _environment(folder: Path, threads: int | None) -> dict[str, str]:
    """The caller's environment without what steers EZKL or floods its log, and a private folder."""
    dropped = ("EZKL_", "RUST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    kept["EZKL_REPO_PATH"] = str(folder / "repository")
    if threads is not None:
        kept["RAYON_NUM_THREADS"] = str(threads)
    return kept


def _send(process: subprocess.Popen[bytes], request: bytes) -> None:
    """Give the worker its request; one whose start was interrupted never gets any, and ends."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(request)


def _wait(process: subprocess.Popen[bytes], verb: str, terms: Terms) -> int:
    """Wait for the end; the largest resident size seen on the way, in bytes."""
    start = time.monotonic()
    observed, peak = psutil.Process(process.pid), 0
    moved, used = start, 0.0
    while True:
        now = time.monotonic()
        with contextlib.suppress(psutil.Error):
            held, times = observed.memory_info().rss, observed.cpu_times()
            peak, spent = max(peak, held), times.user + times.system
            terms.watch(held)
            if spent > used + _STILL_CPU_SECONDS or observed.status() == psutil.STATUS_DISK_SLEEP:
                moved, used = now, spent
        if terms.seconds is not None and now > start + terms.seconds:
            raise _too_long(verb, f"did not finish within {terms.seconds:g} s")
        if now > moved + STILL_SECONDS and verb not in _WAITING_VERBS:
            raise _too_long(verb, f"stood still for {STILL_SECONDS:g} s")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return peak


def _too_long(verb: str, what: str) -> TimedOut:
    return TimedOut(
        f"EZKL {verb} {what} and was stopped (load of the machine: {os.getloadavg()[0]:.1f})",
        stage=verb,
        hint="run again, give it a smaller slice, or free the machine's cores",
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read_reply(folder: Path) -> Answer | Refusal | None:
    try:
        return msgspec.json.decode((folder / "reply.json").read_bytes(), type=Answer | Refusal)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _read_log(folder: Path) -> str:
    return (folder / "log").read_bytes()[-_KEPT_LOG_BYTES:].decode("utf-8", "replace")
