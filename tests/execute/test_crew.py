"""A crew: order, room, what is skipped, what starts over, what is given up, Ctrl-C."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedExecutor, bench, fail_with, room, work_for

from zkprep.errors import Crashed, InputError, OutOfMemory, ProofRejected, TimedOut
from zkprep.execute.crew import execute


def test_each_task_after_those_it_needs_and_only_once(tmp_path: Path) -> None:
    executor = ScriptedExecutor(room())
    with bench(tmp_path / "run") as made:
        first = made.task("first")
        tasks = [first, *(made.task(name, first) for name in ("left", "right"))]
        execute(made.run, executor, tasks)
        assert executor.order[0] == "first"
        assert sorted(executor.order) == ["first", "left", "right"]
        execute(made.run, executor, tasks)
        assert len(executor.order) == 3
        assert sorted(made.told("kept")) == ["first", "left", "right"]


def test_the_room_is_never_exceeded(tmp_path: Path) -> None:
    executor = ScriptedExecutor(room(cores=8, memory=1000))
    names = [f"t{number}" for number in range(12)]
    executor.acts = {name: [work_for(0.03)] for name in names}
    with bench(tmp_path / "run") as made:
        execute(made.run, executor, [made.task(name, peak=300) for name in names])
    assert len(executor.order) == 12
    assert 600 <= executor.most <= 1000, "side by side, but never more than fits"


def test_one_that_is_larger_than_the_room_runs_alone(tmp_path: Path) -> None:
    executor = ScriptedExecutor(room(memory=1000))
    executor.acts = {name: [work_for(0.03)] for name in "abc"}
    with bench(tmp_path / "run") as made:
        tasks = [made.task("a", peak=2000), made.task("b"), made.task("c")]
        execute(made.run, executor, tasks)
    assert executor.most == 2000


@pytest.mark.parametrize("error", [OutOfMemory("killed"), TimedOut("hung"), Crashed("panic: x")])
def test_a_lost_worker_costs_its_stage_alone(tmp_path: Path, error: Exception) -> None:
    executor = ScriptedExecutor(room(), {"b": [fail_with(error)]})
    with bench(tmp_path / "run") as made:
        a, b = made.task("a"), made.task("b")
        execute(made.run, executor, [a, b, made.task("c", b)])
        (again,) = (event for event in made.events if event.kind == "retry")
        assert again.reason == str(error)
    assert executor.peaks["b"] == [100, 200], "the second try has twice the room"
    assert sorted(executor.order) == ["a", "b", "b", "c"]


def test_lost_twice_is_given_up_and_nothing_else(tmp_path: Path) -> None:
    twice = [fail_with(OutOfMemory("killed", hint="cut it")), fail_with(OutOfMemory("again"))]
    executor = ScriptedExecutor(room(cores=1), {"b": twice})
    with bench(tmp_path / "run") as made:
        b = made.task("b", cpu=9)
        tasks = [b, made.task("after", b), made.task("a"), made.task("c")]
        with pytest.raises(OutOfMemory, match="prepared/b: again") as caught:
            execute(made.run, executor, tasks)
        assert caught.value.slice_name == "prepared/b"
        assert executor.order == ["b", "b", "a", "c"]
        assert made.told("failed") == ["b"]
        # The next run does what is left, and no more.
        execute(made.run, executor, tasks)
        assert executor.order[4:] == ["b", "after"]


@pytest.mark.parametrize(
    "error", [ProofRejected("no"), InputError("disk is full"), OSError(28, "disk is full")]
)
def test_other_failures_drain(tmp_path: Path, error: Exception) -> None:
    executor = ScriptedExecutor(room(cores=2), {"a": [fail_with(error)], "b": [work_for(0.2)]})
    with bench(tmp_path / "run") as made:
        tasks = [made.task("a", cpu=3), made.task("b", cpu=2), made.task("c")]
        kind = InputError if isinstance(error, OSError) else type(error)
        with pytest.raises(kind, match="no|disk is full"):
            execute(made.run, executor, tasks)
        assert made.told("done") == ["b"], "what ran was finished"
    assert sorted(executor.order) == ["a", "b"], "nothing more was started"


def test_an_error_of_our_own_stops_everything(tmp_path: Path) -> None:
    executor = ScriptedExecutor(room(), {"a": [fail_with(ZeroDivisionError())]})
    executor.acts["b"] = [work_for(60)]
    with bench(tmp_path / "run") as made:
        begun = time.monotonic()
        with pytest.raises(ZeroDivisionError):
            execute(made.run, executor, [made.task("a"), made.task("b")])
        assert time.monotonic() - begun < 10
        assert made.told("done") == []


def _interrupt_after(*delays: float) -> None:
    def interrupt() -> None:
        for delay in delays:
            time.sleep(delay)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()


def test_the_first_interrupt_drains(tmp_path: Path) -> None:
    executor = ScriptedExecutor(room(cores=1), {"a": [work_for(1.0)]})
    with bench(tmp_path / "run") as made:
        tasks = [made.task("a", cpu=9), made.task("b")]
        _interrupt_after(0.2)
        with pytest.raises(KeyboardInterrupt):
            execute(made.run, executor, tasks)
        assert made.told("done") == ["a"]
        assert "draining" in [event.kind for event in made.events]
        execute(made.run, executor, tasks)
    assert executor.order == ["a", "b"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    executor = ScriptedExecutor(room(cores=1), {"a": [work_for(60)]})
    with bench(tmp_path / "run") as made:
        _interrupt_after(0.2, 0.2)
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            execute(made.run, executor, [made.task("a")])
        assert time.monotonic() - begun < 10
        assert made.told("done") == []


def test_a_removed_output_is_made_again_only_for_one_that_reads_it(tmp_path: Path) -> None:
    executor = ScriptedExecutor(room())
    with bench(tmp_path / "run") as made:
        key = made.task("key")
        proof, other = made.task("proof"), made.task("other")
        # A proof's record does not name the key, as in zkprep.proving.tasks: vk stands for it.
        after = [type(one)(one.stage, one.call, one.need, (key.title,)) for one in (proof, other)]
        execute(made.run, executor, [key, *after])
        key.stage.outputs[0].unlink()
        execute(made.run, executor, [key, *after])
        assert sorted(executor.order) == ["key", "other", "proof"]
        other.stage.outputs[0].write_text("damaged")
        execute(made.run, executor, [key, *after])
    assert executor.order[3:] == ["key", "other"]


def test_too_small_a_disk_is_told_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = ScriptedExecutor(room())
    real = shutil.disk_usage

    def small(path: Any) -> Any:
        return real(path)._replace(free=10**9)

    monkeypatch.setattr(shutil, "disk_usage", small)
    with bench(tmp_path / "run") as made:
        with pytest.raises(InputError, match=r"take 1\.20 GB of disk .* has 1\.00 GB free"):
            execute(made.run, executor, [made.task(n, disk=6 * 10**8) for n in "ab"])
        assert executor.order == []
        execute(made.run, executor, [made.task("a", disk=6 * 10**8)])
    assert executor.order == ["a"]
