"""Which tasks start now, and with how many threads: pure, so that it can be simulated.

Work first that much work waits for: a task's rank is its own CPU seconds and those of the longest
chain of tasks after it. A task starts when its threads and its memory are free; one that does not
fit is passed by. One that needs more memory than there is starts alone.

A prover's threads do not divide its time by their number (Amdahl): on t threads a task takes
cpu * (SERIAL + (1 - SERIAL) / t) seconds. Many small tasks are best on a thread each, few large
ones on all of them, so the schedule is played through for every number of tasks side by side and
the quickest is kept. A task whose chain would outlast all else gets its share of the cores.
"""

import heapq
from bisect import insort
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import islice
from math import ceil

from zkprep.execute.task import Need
from zkprep.room import Room

FAVOURS = (1.0, 1.4, 2.0)
PLAYED = 500
"""Tasks that a schedule is chosen by; of more, so many evenly taken."""

LOOKAHEAD = 64
"""Waiting tasks that are tried in turn where memory is short."""

SERIAL = 0.1
"""Share of a proof's work that only one thread can do: see docs/scaling.md."""


@dataclass(frozen=True, slots=True)
class Step:
    """A task as the schedule sees it."""

    need: Need
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """A task to be started."""

    name: str
    threads: int


@dataclass(frozen=True, slots=True)
class Shape:
    """How cores are shared out.

    Attributes:
        width: most tasks side by side.
        favour: by how much a long chain's share of the cores exceeds its share of the work.
    """

    width: int
    favour: float = 1.0


class Schedule:
    """The tasks that are left, and those that run.

    Attributes:
        steps: every task that is not done.
        shape: how the cores are shared out.
        running: threads by task.
    """

    def __init__(self, steps: Mapping[str, Step], shape: Shape) -> None:
        self.steps = dict(steps)
        self.shape = shape
        self.running: dict[str, int] = {}
        self.ranks = _ranks(self.steps)
        self._left = sum(step.need.cpu_seconds for step in self.steps.values())
        self._followers = defaultdict(list)
        self._blocked = {}
        for name, step in self.steps.items():
            before = [one for one in step.after if one in self.steps]
            self._blocked[name] = len(before)
            for one in before:
                self._followers[one].append(name)
        self._waiting: list[tuple[float, str]] = []
        for name in self.steps:
            if not self._blocked[name]:
                self._wait(name)

    def start(self, room: Room) -> list[Start]:
        """Start what fits into the room."""
        started: list[Start] = []
        for place, (_, name) in enumerate(list(islice(self._waiting, LOOKAHEAD))):
            free = room.cores - sum(self.running.values())
            if free < 1 or len(self.running) >= self.shape.width:
                break
            if self._fits(name, room):
                slots = min(self.shape.width - len(self.running), len(self._waiting) - place)
                share = round(self.shape.favour * room.cores * self.ranks[name] / (self._left or 1))
                threads = min(free, room.widest, max(1, ceil(free / max(1, slots)), share))
                self.running[name] = threads
                started.append(Start(name, threads))
        for one in started:
            self._waiting.remove((-self.ranks[one.name], one.name))
        return started

    def finish(self, name: str) -> None:
        """The task is done."""
        self.running.pop(name)
        self._left -= self.steps.pop(name).need.cpu_seconds
        for one in self._followers[name]:
            self._blocked[one] -= 1
            if not self._blocked[one]:
                self._wait(one)

    def again(self, name: str, need: Need) -> None:
        """The task has to start over and needs so much."""
        self.running.pop(name)
        self._left += need.cpu_seconds - self.steps[name].need.cpu_seconds
        self.steps[name] = replace(self.steps[name], need=need)
        self._wait(name)

    def abandon(self, name: str) -> list[str]:
        """The task cannot be done: nor can those after it, which are returned."""
        self.running.pop(name)
        lost = [name]
        for one in lost:
            lost += [follower for follower in self._followers[one] if follower not in lost]
        for one in lost:
            self._left -= self.steps.pop(one).need.cpu_seconds
        return lost[1:]

    def _wait(self, name: str) -> None:
        insort(self._waiting, (-self.ranks[name], name))

    def _fits(self, name: str, room: Room) -> bool:
        held = sum(self.steps[one].need.peak_bytes for one in self.running)
        return not self.running or held + self.steps[name].need.peak_bytes <= room.memory


def plan(steps: Mapping[str, Step], room: Room) -> Schedule:
    """The schedule of the shape that takes least time by prediction."""
    most = max(1, min(room.cores, len(steps)))
    widths = sorted({ceil(most / n) for n in range(1, 9)} | set(range(1, min(most, 8))))
    shapes = [Shape(width, favour) for width in widths for favour in FAVOURS]
    some = dict(islice(steps.items(), 0, None, ceil(len(steps) / PLAYED) or 1))
    return Schedule(steps, min(shapes, key=lambda one: play(some, one, room)))


def bound(steps: Mapping[str, Step], room: Room) -> float:
    """Seconds that no schedule can beat: all work on all cores, or the longest chain on most."""
    work = sum(step.need.cpu_seconds for step in steps.values())
    longest = max(_ranks(steps).values(), default=0.0)
    return max(work / room.cores, longest / room.widest)


def task_seconds(cpu_seconds: float, threads: int) -> float:
    """Wall time of a task on so many threads."""
    return cpu_seconds * (SERIAL + (1 - SERIAL) / threads)


def play(steps: Mapping[str, Step], shape: Shape, room: Room) -> float:
    """Play a schedule through; seconds until its end."""
    schedule = Schedule(steps, shape)
    now, ends = 0.0, list[tuple[float, str]]()
    while schedule.steps:
        for one in schedule.start(room):
            seconds = task_seconds(schedule.steps[one.name].need.cpu_seconds, one.threads)
            heapq.heappush(ends, (now + seconds, one.name))
        now, name = heapq.heappop(ends)
        schedule.finish(name)
    return now


def _ranks(steps: Mapping[str, Step]) -> dict[str, float]:
    """CPU seconds of the longest chain that starts with each task."""
    ranks = dict.fromkeys(steps, 0.0)
    order = TopologicalSorter({name: step.after for name, step in steps.items()})
    for name in reversed([one for one in order.static_order() if one in steps]):
        ranks[name] += steps[name].need.cpu_seconds
        for one in steps[name].after:
            if one in ranks:
                ranks[one] = max(ranks[one], ranks[name])
    return ranks
