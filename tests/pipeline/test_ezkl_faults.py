"""Workers of the real prover that are lost: out of memory, over a file limit, killed at random."""

import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import killed
import psutil
import pytest
from pipeline_case import Case

from zkprep.backends.ezkl import EzklBackend
from zkprep.events import Event
from zkprep.options import Baselines, Options
from zkprep.report.types import Report, read_report
from zkprep.srs import Srs

pytestmark = pytest.mark.ezkl
THREE = Options(blocks=3, baselines=Baselines.NONE)


@pytest.fixture(autouse=True)
def known_srs(kept_srs: Callable[[int], Srs]) -> None:
    kept_srs(10)


def digest(report: Report) -> str:
    assert report.verdict is not None
    assert report.verdict.accepted
    return report.verdict.statement


@pytest.mark.parametrize(
    ("limit", "bytes", "reason"),
    [
        (resource.RLIMIT_DATA, 40 * 2**20, "allocation of .* bytes failed"),
        (resource.RLIMIT_FSIZE, 2**16, "died with exit code -25|disk is full|File too large"),
    ],
    ids=["memory", "file size"],
)
def test_a_worker_that_meets_a_limit_costs_its_stage(
    skip: Case, limit: int, bytes: int, reason: str
) -> None:
    events: list[Event] = []
    limited: list[int] = []

    def limit_one(event: Event) -> None:
        """Put the first setup's worker under the limit as soon as there is one."""
        events.append(event)
        if event.kind == "start" and event.stage == "setup" and not limited:
            limited.append(0)
            threading.Thread(target=put_under_limit).start()

    def put_under_limit() -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for child in psutil.Process().children():
                resource.prlimit(child.pid, limit, (bytes, bytes))
                limited.append(child.pid)
                return
            time.sleep(0.001)

    report = skip.prove(THREE, backend=EzklBackend(), notify=limit_one)
    assert digest(report)
    again = [event for event in events if event.kind == "retry"]
    assert [event.stage for event in again] == ["setup"], [event.reason for event in again]


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
