"""Workers of the real prover that are lost: out of memory, over a file limit, killed at random."""

import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import killed
import psutil
import pytest
from pipeline_case import Case

from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.srs import Srs
from zkprep.errors import BackendError
from zkprep.options import Baselines, Options
from zkprep.report.types import Report, read_report
from zkprep.runs.events import Event

pytestmark = pytest.mark.ezkl
THREE = Options(blocks=3, baselines=Baselines.NONE)


@pytest.fixture(autouse=True)
def known_srs(kept_srs: Callable[[int], Srs]) -> None:
    kept_srs(10)


def digest(report: Report) -> str:
    assert report.verdict is not None
    assert report.verdict.accepted
    return report.verdict.statement


@dataclass
class Limiting:
    """Puts the worker of the first setup under a limit of the system's, as soon as there is one."""

    limit: int
    bytes: int
    events: list[Event] = field(default_factory=list)
    watcher: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if event.kind == "start" and event.stage == "setup" and self.watcher is None:
            ending = {child.pid for child in psutil.Process().children()}
            self.watcher = threading.Thread(target=self._act, args=[ending])
            self.watcher.start()

    def _act(self, ending: set[int]) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for child in psutil.Process().children():
                if child.pid in ending:
                    continue
                resource.prlimit(child.pid, self.limit, (self.bytes, self.bytes))
                return
            time.sleep(0.001)


def test_a_worker_out_of_memory_costs_its_stage(skip: Case) -> None:
    limiting = Limiting(resource.RLIMIT_DATA, 2 * 2**20)
    assert digest(skip.prove(THREE, backend=EzklBackend(), notify=limiting))
    (again,) = (event for event in limiting.events if event.kind == "retry")
    assert again.stage == "setup"
    assert re.search("allocation of .* bytes failed|too little memory", again.reason), again.reason


def test_a_full_disk_stops_the_run_and_it_goes_on(skip: Case) -> None:
    limiting = Limiting(resource.RLIMIT_FSIZE, 2**16)
    with pytest.raises(BackendError, match="setup: the disk is full"):
        skip.prove(THREE, backend=EzklBackend(), notify=limiting)
    assert not (skip.folder / "run/public").exists()
    assert killed.left_behind(skip.folder / "run") == []
    assert digest(skip.prove(THREE, backend=EzklBackend()))


def _start(case: Case, run: Path) -> subprocess.Popen[bytes]:
    command = ["prove", case.model, "--input", case.data, "-o", run, "--blocks", 3]
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from zkprep.cli import main; main()",
            *map(str, command),
            *("--baselines", "none", "--quiet"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _kill_someone(process: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kill a worker if there is one and chance will have it, else the main process."""
    workers = psutil.Process(process.pid).children(recursive=True)
    if workers and chance.random() < 0.5:
        chance.choice(workers).kill()
        return False
    process.send_signal(signal.SIGKILL)
    return True


@pytest.mark.long
def test_kills_at_random(skip: Case) -> None:
    expected = digest(skip.prove(THREE, backend=EzklBackend(), out="undisturbed"))
    run, chance, kills = skip.folder / "run", random.Random(0), 0
    while kills < 24:
        process = _start(skip, run)
        while process.poll() is None and kills < 24:
            time.sleep(chance.uniform(0.1, 4.0))
            if process.poll() is None:
                kills += 1
                if _kill_someone(process, chance):
                    process.wait()
        process.wait()
        if process.returncode == 0:
            assert digest(read_report(run)) == expected
            shutil.rmtree(run)
    assert digest(skip.prove(THREE, backend=EzklBackend())) == expected
    assert killed.left_behind(run) == []
    assert killed.is_free(run)
