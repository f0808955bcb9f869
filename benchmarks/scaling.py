"""How proving scales: measured stages, and the same schedule played for other machines.

    python -m benchmarks.scaling --record      prove 12 slices, write benchmarks/scaling.json
    python -m benchmarks.scaling               docs/scaling.md anew, from what was recorded

Times are CPU seconds of workers, and the cores' filling is told by the threads that ran: neither
depends on who else uses the machine.
"""

import argparse
import os
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from zkprep import pipeline
from zkprep.backends.base import Backend
from zkprep.backends.ezkl import EzklBackend
from zkprep.cost.machine import cpu_name
from zkprep.execute.cluster import ray_executor
from zkprep.execute.local import local_executor
from zkprep.execute.schedule import SERIAL, Step, bound, plan, play
from zkprep.execute.task import Executor, Need
from zkprep.options import Baselines, Options, parse_memory
from zkprep.report.types import Report, dump
from zkprep.room import Room
from zkprep.runs.events import Event

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "circuits/digits"
RECORDED = ROOT / "benchmarks/scaling.json"
DOCUMENT = ROOT / "docs/scaling.md"
SLICES = 12
CORES = (1, 2, 4, 16, 64)
MEMORY = 64 * 10**9


class Slice(msgspec.Struct, frozen=True):
    """What a slice took: CPU seconds and peak bytes."""

    setup: float
    prove: float
    peak_bytes: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """How a run filled the cores it was given.

    Attributes:
        cores: that there were.
        load: of the machine before, per core: 1 is all taken by others.
        wall_seconds: from the first stage's start to the last one's end.
        thread_seconds: threads that stages were given, summed over their time.
        task_seconds: stages from start to end, as the main process sees them.
        worker_seconds: the same, as their workers see them.
        tasks: how many.
        limit_bytes: the memory limit given.
        most_bytes: that all workers held together, looked at every second or so; 0: not looked at.
    """

    cores: int
    load: float
    wall_seconds: float
    thread_seconds: float
    task_seconds: float
    worker_seconds: float
    tasks: int
    limit_bytes: int
    most_bytes: int


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What each slice took on `cpu`; how a run here filled its cores, and one on Ray."""

    cpu: str
    slices: list[Slice]
    here: Measured
    ray: Measured


class Watcher:
    """Adds up what events tell of the proofs' stages."""

    def __init__(self) -> None:
        self.begun = self.ended = 0.0
        self.thread_seconds = self.task_seconds = self.worker_seconds = 0.0
        self.tasks = self.most = 0
        self._running: dict[tuple[str, str], tuple[float, int]] = {}
        self._held: dict[tuple[str, str], int] = {}

    def __call__(self, event: Event) -> None:
        """Take an event."""
        key, now = (event.slice, event.stage), time.monotonic()
        if event.kind == "plan" and event.stages:
            self.begun = now
        elif event.kind == "start" and event.threads:
            self._running[key] = now, event.threads
        elif event.kind == "memory":
            self._held[key] = event.bytes
            self.most = max(self.most, sum(self._held.values()))
        elif event.kind == "done" and key in self._running:
            start, threads = self._running.pop(key)
            self._held.pop(key, None)
            self.tasks += 1
            self.task_seconds += now - start
            self.worker_seconds += event.seconds
            self.thread_seconds += threads * (now - start)
            self.ended = now

    def measured(self, room: Room, load: float) -> Measured:
        """What it added up to."""
        return Measured(
            cores=room.cores,
            load=load,
            wall_seconds=self.ended - self.begun,
            thread_seconds=self.thread_seconds,
            task_seconds=self.task_seconds,
            worker_seconds=self.worker_seconds,
            tasks=self.tasks,
            limit_bytes=room.memory,
            most_bytes=self.most,
        )


def record(memory: int | None) -> Recorded:
    """Prove digits in slices, here and on two Ray nodes of a core each, and note what it took."""
    backend = EzklBackend()
    options = Options(blocks=SLICES, memory=memory, baselines=Baselines.NONE)
    report, here = _run(backend, options, local_executor(backend, options))
    with _two_nodes() as address, ray_executor(backend, address) as executor:
        _, there = _run(backend, options, executor)
    return Recorded(cpu=cpu_name(), slices=_slices(report), here=here, ray=there)


def _run(backend: Backend, options: Options, executor: Executor) -> tuple[Report, Measured]:
    watcher, room = Watcher(), executor.room
    load = os.getloadavg()[0] / room.cores
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        report = pipeline.prove(
            DIGITS / "model.onnx",
            [DIGITS / "input.json"],
            Path(folder) / "run",
            options,
            backend,
            watcher,
            executor=executor,
        )
    return report, watcher.measured(room, load)


@contextmanager
def _two_nodes() -> Iterator[str]:
    """Two Ray nodes on this machine, a core each; the head has none."""
    from ray.cluster_utils import Cluster

    store = 200 * 2**20
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": store}
    )
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, memory=2 * 2**30, object_store_memory=store)
        cluster.wait_for_nodes()
        yield str(cluster.address)
    finally:
        cluster.shutdown()


def _slices(report: Report) -> list[Slice]:
    measured = (part.measured for part in report.variants["prepared"].slices)
    return [Slice(m.setup_cpu_seconds, m.prove_cpu_seconds, m.peak_bytes) for m in measured if m]


def steps_of(slices: Sequence[Slice], inputs: int) -> dict[str, Step]:
    """The tasks of the slices for so many inputs, as the schedule sees them."""
    steps = {}
    for number, one in enumerate(slices):
        steps[f"setup {number}"] = Step(Need(one.setup, one.peak_bytes))
        for index in range(inputs):
            need = Need(one.prove, one.peak_bytes)
            steps[f"prove {number} {index}"] = Step(need, (f"setup {number}",))
    return steps


def seconds(steps: dict[str, Step], room: Room) -> float:
    """How long the chosen schedule takes."""
    return play(steps, plan(steps, room).shape, room)


def table(slices: Sequence[Slice], inputs: int) -> list[str]:
    """Seconds and speed-up by cores: on one machine, and on machines of two cores."""
    steps = steps_of(slices, inputs)
    alone = seconds(steps, Room(1, MEMORY, 1, MEMORY))
    lines = [
        "| cores | one machine | speed-up | machines of 2 | speed-up | no schedule beats |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for cores in CORES:
        one = seconds(steps, room := Room(cores, MEMORY, cores, MEMORY))
        pairs = seconds(steps, Room(cores, MEMORY, min(cores, 2), MEMORY))
        lines.append(
            f"| {cores} | {one:.1f} s | {alone / one:.1f} | {pairs:.1f} s | {alone / pairs:.1f} "
            f"| {bound(steps, room):.1f} s |"
        )
    return lines


def filled(run: Measured) -> str:
    """How well the cores were filled, in words."""
    share = run.thread_seconds / (run.cores * run.wall_seconds)
    return (
        f"the threads of running stages filled {100 * share:.0f} % of the cores' time from the "
        f"first start to the last end: the run took {1 / share:.2f} times what its stages take "
        "at the least on these cores"
    )


def checked(run: Measured, slices: Sequence[Slice], widest: int) -> str:
    """A run against its simulation, stretched by what its stages took above their CPU seconds."""
    steps, room = steps_of(slices, 1), Room(run.cores, MEMORY, widest, MEMORY)
    stretch = run.task_seconds / sum(step.need.cpu_seconds for step in steps.values())
    foretold = stretch * seconds(steps, room)
    return (
        f"Its stages took {stretch:.1f} times their CPU seconds, with {run.load:.1f} others per "
        f"core; simulated and stretched by as much, the run takes {foretold:.1f} s; in fact it "
        f"took {run.wall_seconds:.1f} s, {100 * (run.wall_seconds / foretold - 1):+.0f} %"
    )


def document(found: Recorded) -> str:
    """docs/scaling.md."""
    here, ray = found.here, found.ray
    setup, prove = (sum(getattr(one, name) for one in found.slices) for name in ("setup", "prove"))
    largest = max(one.setup + one.prove for one in found.slices)
    steps = steps_of(found.slices, 1)
    room = Room(here.cores, here.limit_bytes, here.cores, here.limit_bytes)
    played, least = seconds(steps, room), bound(steps, room)
    own, added = ((run.task_seconds - run.worker_seconds) / run.tasks for run in (here, ray))
    parts = [
        "# How proving scales",
        "Written by `python -m benchmarks.scaling`; do not edit.",
        f"{len(found.slices)} slices of `circuits/digits`, proved by EZKL on {found.cpu}, "
        f"{here.cores} cores: {setup:.1f} CPU s of setup and {prove:.1f} of proving, the "
        f"largest slice {largest:.1f}. The machine was shared, hence the words about others.",
        "## Measured",
        f"- In workers here, {filled(here)}. {checked(here, found.slices, here.cores)}.",
        f"- On two Ray nodes of one core each, {filled(ray)}. {checked(ray, found.slices, 1)}.",
        f"- A stage took {added:.1f} s more than its worker's call on Ray, in the mean, and "
        f"{own:.1f} s more here.",
        f"- Played with the measured CPU seconds, the schedule for {here.cores} cores takes "
        f"{played:.1f} s, {played / least:.2f} times what no schedule beats.",
        f"- All workers here together held {here.most_bytes / 1e6:.0f} MB at most, looked at every "
        f"second; the limit was {here.limit_bytes / 1e6:.0f} MB.",
        "## Simulated",
        "The measured CPU seconds, and the very schedule that zkprep runs "
        "(`zkprep/execute/schedule.py`), on machines of this speed. On one machine a task can "
        "have all cores; on machines of two cores, as nodes of a Ray cluster, two. A task on "
        f"t threads takes cpu * ({SERIAL:g} + {1 - SERIAL:g} / t) seconds: of the CPU seconds "
        "of such proofs 6 to 10 % were the main thread's, of the setups 15 %. What Ray adds to a "
        "stage is not in it.",
        "One input:",
        "\n".join(table(found.slices, 1)),
        "Ten inputs, one setup:",
        "\n".join(table(found.slices, 10)),
        "Twelve slices keep a dozen cores busy; more cores go into threads, which help less. "
        "More inputs, or more and smaller slices, scale on.",
    ]
    return "\n\n".join(_wrapped(part) for part in parts) + "\n"


def _wrapped(part: str) -> str:
    if part.startswith(("#", "|")):
        return part
    indent = "  " if part.startswith("- ") else ""
    return textwrap.fill(
        part, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def main() -> None:
    """Record, or write the document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true", help="prove, and record what it took")
    parser.add_argument("--memory", help="limit for the workers, as zkprep's --memory")
    given = parser.parse_args()
    if given.record:
        RECORDED.write_bytes(dump(record(parse_memory(given.memory))))
    DOCUMENT.write_text(document(msgspec.json.decode(RECORDED.read_bytes(), type=Recorded)))


if __name__ == "__main__":
    main()
