"""Runs in processes that are killed: a prover that loses workers, and what is left behind."""

import json
import multiprocessing
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from multiprocessing import forkserver
from pathlib import Path

import filelock
import pytest

from zkprep import pipeline
from zkprep.backends.base import Usage
from zkprep.backends.fake import FakeBackend
from zkprep.errors import Crashed, ZkprepError
from zkprep.options import Baselines, Options
from zkprep.runs.events import silent

OPTIONS = Options(blocks=3, baselines=Baselines.NONE)
ONCE = ("compile", "setup", "prove", "verify")
_loss = 0.1
_DRAFT = re.compile(r"\..+\.[0-9a-z_]{8,}")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["killed"])


class Unlucky(FakeBackend):
    """A slow prover that now and then loses a worker, and writes half of what it writes."""

    def setup(self, circuit: Path, srs: Path, vk: Path, pk: Path) -> Usage:
        _bad_luck(pk)
        return super().setup(circuit, srs, vk, pk)

    def prove(
        self, witness: Path, circuit: Path, pk: Path, srs: Path, settings: Path, out: Path
    ) -> Usage:
        _bad_luck(out)
        return super().prove(witness, circuit, pk, srs, settings, out)


def _bad_luck(out: Path) -> None:
    draft = out.with_name(f".{out.name}.{os.urandom(8).hex()}")
    draft.write_bytes(b"half of what w")
    try:
        time.sleep(random.uniform(0.0, 0.03))
        if random.random() < _loss:
            raise Crashed("killed")
    finally:
        draft.unlink()


def prove(model: Path, data: list[Path], out: Path, seed: int | None, cache: str) -> None:
    """In a process of its own; without a seed no worker is lost; ends with 1 if one is, twice."""
    global _loss  # noqa: PLW0603 - of this process alone
    _loss = 0.0 if seed is None else _loss
    random.seed(seed)
    os.environ["ZKPREP_CACHE"] = cache
    try:
        pipeline.prove(model, data, out, OPTIONS, Unlucky(), silent)
    except ZkprepError as error:
        raise SystemExit(1) from error


def start(
    model: Path, data: list[Path], out: Path, seed: int | None = None
) -> multiprocessing.Process:
    # Python 3.11 does not give its server our path, and would load everything in each process.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()
    cache = os.environ["ZKPREP_CACHE"]
    process = _FORKS.Process(target=prove, args=(model, data, out, seed, cache))
    process.start()
    return process  # type: ignore[return-value]


def seconds(model: Path, data: list[Path], out: Path) -> float:
    """How long a run takes in such a process, once all is loaded."""
    start(model, data, out / "first").join()
    begun = time.monotonic()
    start(model, data, out / "second").join()
    return time.monotonic() - begun


def kill_at_random(model: Path, data: list[Path], out: Path, kills: int, longest: float) -> int:
    """Start the run again and again, killing it each time, until it is done; returns the kills."""
    done = 0
    chance = random.Random(out.parent.name)
    while True:
        process = start(model, data, out, seed=done)
        process.join(chance.uniform(0.0, longest) if done < kills else None)
        if process.exitcode is None:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            done += 1
        if process.exitcode == 0:
            return done


def left_behind(run: Path) -> list[Path]:
    """Drafts of files that were never finished."""
    return [path for path in run.rglob(".*") if _DRAFT.fullmatch(path.name)]


def is_free(run: Path) -> bool:
    """Whether nobody holds the run's lock."""
    with filelock.FileLock(run / ".zkprep-lock", blocking=False):
        return True


def times_done(run: Path) -> Counter[str]:
    """How often each stage that is done once was finished."""
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return Counter(f"{e['slice']} {e['stage']}" for e in events if e["stage"] in ONCE)
