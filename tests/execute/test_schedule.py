"""The schedule: never over the room, never far from the bound, threads where they help."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkprep.execute.schedule import (
    SERIAL,
    Schedule,
    Shape,
    Step,
    bound,
    plan,
    play,
    task_seconds,
)
from zkprep.execute.task import Need
from zkprep.room import Room


def room(cores: int, memory: int = 10**9) -> Room:
    return Room(cores, memory, cores, memory)


def slices(costs: list[float], peak: int = 1) -> dict[str, Step]:
    """A setup and a proof for each slice."""
    steps = {}
    for number, cost in enumerate(costs):
        steps[f"s{number}"] = Step(Need(cost, peak))
        steps[f"p{number}"] = Step(Need(2 * cost, peak), (f"s{number}",))
    return steps


def seconds(steps: dict[str, Step], there: Room) -> float:
    return play(steps, plan(steps, there).shape, there)


@given(
    costs=st.lists(st.floats(0.1, 100.0), min_size=1, max_size=12),
    peaks=st.lists(st.integers(1, 60), min_size=12, max_size=12),
    cores=st.integers(1, 16),
    width=st.integers(1, 16),
)
def test_every_task_runs_once_within_the_room(
    costs: list[float], peaks: list[int], cores: int, width: int
) -> None:
    steps = {
        name: Step(Need(step.need.cpu_seconds, peaks[int(name[1:])]), step.after)
        for name, step in slices(costs).items()
    }
    there = room(cores, memory=50)
    schedule, ran, clock = Schedule(steps, Shape(width)), [], 0
    ends: list[tuple[float, str]] = []
    while schedule.steps:
        for one in schedule.start(there):
            assert one.threads >= 1
            assert not any(before in schedule.steps for before in steps[one.name].after)
            heapq.heappush(ends, (clock + steps[one.name].need.cpu_seconds, one.name))
        assert sum(schedule.running.values()) <= cores
        assert len(schedule.running) <= width
        held = sum(steps[name].need.peak_bytes for name in schedule.running)
        assert held <= 50 or len(schedule.running) == 1
        clock, name = heapq.heappop(ends)
        ran.append(name)
        schedule.finish(name)
    assert sorted(ran) == sorted(steps)


def test_many_small_tasks_get_a_thread_each() -> None:
    schedule = plan(slices([1.0] * 40), room(8))
    assert {one.threads for one in schedule.start(room(8))} == {1}
    assert len(schedule.running) == 8


def test_few_large_ones_get_all_the_cores() -> None:
    schedule = plan(slices([100.0]), room(8))
    assert [one.threads for one in schedule.start(room(8))] == [8]
    two = plan(slices([100.0, 100.0]), room(8))
    assert [one.threads for one in two.start(room(8))] == [4, 4]


def test_a_task_that_would_outlast_all_others_gets_its_share() -> None:
    schedule = plan(slices([100.0, *[1.0] * 8]), room(8))
    first = schedule.start(room(8))[0]
    assert first.name == "s0"
    assert first.threads >= 6


def test_short_of_memory_one_task_takes_all_the_cores() -> None:
    there = room(8, memory=10)
    schedule = plan(slices([10.0] * 6, peak=8), there)
    assert [one.threads for one in schedule.start(there)] == [8]


@pytest.mark.parametrize("cores", [2, 4, 16])
@pytest.mark.parametrize(
    "costs",
    [[5.0] * 12, [float(n) for n in range(1, 13)], [30.0, *[2.0] * 11], [20.0, 19.0, *[3.0] * 10]],
    ids=["equal", "growing", "one large", "two large"],
)
def test_twelve_slices_are_near_the_bound(costs: list[float], cores: int) -> None:
    steps = slices(costs)
    # Whatever threads the longest chain has, it takes so long, and that many cores so long.
    total, longest = 3 * sum(costs), 3 * max(costs)
    chains = {threads: task_seconds(longest, threads) for threads in range(1, cores + 1)}
    least = min(
        max(chain, (threads * chain + total - longest) / cores) for threads, chain in chains.items()
    )
    assert bound(steps, room(cores)) <= least
    assert seconds(steps, room(cores)) <= 1.3 * least


def test_the_bound_is_one() -> None:
    for costs in ([5.0] * 12, [30.0, 1.0], [1.0]):
        for cores in (1, 2, 8):
            steps = slices(costs)
            assert bound(steps, room(cores)) <= seconds(steps, room(cores)) * 1.000001


def test_thousands_of_tasks_are_planned_quickly() -> None:
    steps = slices([float(1 + n % 7) for n in range(3000)])
    assert seconds(steps, room(64)) < 1.05 * sum(s.need.cpu_seconds for s in steps.values()) / 64


def test_a_task_given_up_takes_those_after_it_along() -> None:
    schedule = Schedule(slices([1.0, 1.0]), Shape(1))
    (started,) = schedule.start(room(1))
    assert schedule.abandon(started.name) == [started.name.replace("s", "p")]
    left = []
    while schedule.steps:
        (one,) = schedule.start(room(1))
        left.append(one.name)
        schedule.finish(one.name)
    assert len(left) == 2


def test_threads_do_not_divide_time_by_their_number() -> None:
    assert task_seconds(10.0, 1) == pytest.approx(10.0)
    assert task_seconds(10.0, 10**9) == pytest.approx(10.0 * SERIAL)
