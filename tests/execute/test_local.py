"""The local executor: measured memory decides which worker may go on."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from scripted import USAGE

from zkprep.backends.base import Terms, Usage
from zkprep.backends.fake import FakeBackend
from zkprep.errors import OutOfMemory
from zkprep.execute.local import LocalExecutor, local_executor
from zkprep.execute.task import Call
from zkprep.options import Options
from zkprep.room import Room

PATIENCE = 20.0


@dataclass(frozen=True)
class Hungry(FakeBackend):
    """Its setup holds as many bytes as its circuit's file says, until another has held as many."""

    terms: Terms = field(default_factory=Terms)
    meet: Callable[[], None] = lambda: None

    def on(self, terms: Terms) -> Self:
        return type(self)(terms=terms, meet=self.meet)

    def setup(self, circuit: Path, srs: Path, vk: Path, pk: Path) -> Usage:
        self.terms.watch(int(circuit.read_text()))
        self.meet()
        self.terms.watch(int(circuit.read_text()))
        for path in (vk, pk):
            path.write_text("key")
        return USAGE


def _call(folder: Path, name: str, bytes: int) -> Call:
    own = folder / name
    own.mkdir()
    (own / "circuit").write_text(str(bytes))
    reads = {"circuit": own / "circuit", "srs": own / "srs"}
    return Call("setup", reads, {"vk": own / "vk", "pk": own / "pk"})


def test_a_worker_over_the_limit_is_stopped(tmp_path: Path) -> None:
    executor = LocalExecutor(Hungry(), Room(2, 1000, 2, 1000), 1000)
    call = _call(tmp_path, "a", 1001 * 2**20)
    with pytest.raises(OutOfMemory, match=r"stopped at 1001 MiB \(predicted: 5 MiB\)") as caught:
        LocalExecutor(Hungry(), executor.room, 1000 * 2**20).perform(call, Terms(), 5 * 2**20)
    assert "calibrate-machine" in caught.value.hint
    enough = LocalExecutor(Hungry(), executor.room, 1002 * 2**20)
    assert enough.perform(call, Terms(), 5) == USAGE


def test_the_one_furthest_above_its_prediction_gives_way(tmp_path: Path) -> None:
    there, go_on = threading.Event(), threading.Event()

    def meet() -> None:
        there.set()
        assert go_on.wait(PATIENCE)

    executor = LocalExecutor(Hungry(meet=meet), Room(2, 1000, 2, 1000), 1000)
    true, short = _call(tmp_path, "true", 500), _call(tmp_path, "short", 600)
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(executor.perform, true, Terms(), 490)
        assert there.wait(PATIENCE)
        executor.backend = Hungry()
        with pytest.raises(OutOfMemory, match="all workers together held"):
            executor.perform(short, Terms(), 400)
        # One that keeps to its prediction is let in, though both together hold too much.
        assert executor.perform(short, Terms(), 600) == USAGE
        go_on.set()
        assert begun.result() == USAGE


def test_the_default_leaves_some_memory() -> None:
    free = local_executor(FakeBackend(), Options())
    assert 0 < free.room.memory < free.ceiling
    asked = local_executor(FakeBackend(), Options(memory=10**9))
    assert asked.room.memory == asked.ceiling == 10**9
