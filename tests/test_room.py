"""Cores and memory under control groups of both versions, read from made-up file systems."""

from pathlib import Path

import psutil
import pytest

from zkprep.room import available_memory, usable_cores

GIB = 2**30


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    class Memory:
        available = 100 * GIB

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    monkeypatch.setattr("zkprep.room._affine_cores", lambda: 64)
    return tmp_path


def write(path: Path, text: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def test_a_machine_without_groups(root: Path) -> None:
    assert usable_cores(root) == 64
    assert available_memory(root) == 100 * GIB


def test_version_two_counts_every_group_above(root: Path) -> None:
    write(root / "proc/self/cgroup", "0::/outer/inner")
    groups = root / "sys/fs/cgroup"
    write(groups / "outer/memory.max", 8 * GIB)
    write(groups / "outer/memory.current", 6 * GIB)
    write(groups / "outer/memory.stat", f"anon 7\ninactive_file {GIB}")
    write(groups / "outer/inner/memory.max", "max")
    write(groups / "outer/inner/memory.current", 5 * GIB)
    write(groups / "outer/inner/cpu.max", "250000 100000")
    assert available_memory(root) == 3 * GIB
    assert usable_cores(root) == 3


def test_version_one(root: Path) -> None:
    write(root / "proc/self/cgroup", "4:memory:/job\n2:cpu,cpuacct:/job\n0::/")
    write(root / "sys/fs/cgroup/memory/job/memory.limit_in_bytes", 4 * GIB)
    write(root / "sys/fs/cgroup/memory/job/memory.usage_in_bytes", 5 * GIB)
    write(root / "sys/fs/cgroup/memory/job/memory.stat", f"total_inactive_file {2 * GIB}")
    write(root / "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", 200000)
    write(root / "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", 100000)
    assert available_memory(root) == GIB
    assert usable_cores(root) == 2


def test_a_container_that_sees_only_its_root(root: Path) -> None:
    write(root / "proc/self/cgroup", "0::/docker/abc")
    write(root / "sys/fs/cgroup/memory.max", 2 * GIB)
    write(root / "sys/fs/cgroup/memory.current", GIB)
    assert available_memory(root) == GIB


def test_no_limit_is_none(root: Path) -> None:
    write(root / "proc/self/cgroup", "0::/\n4:memory:/")
    write(root / "sys/fs/cgroup/memory.max", "max")
    write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", 2**63 - 4096)
    write(root / "sys/fs/cgroup/memory/memory.usage_in_bytes", GIB)
    write(root / "sys/fs/cgroup/cpu.max", "max 100000")
    assert available_memory(root) == 100 * GIB
    assert usable_cores(root) == 64


def test_this_machine() -> None:
    assert usable_cores() >= 1
    assert available_memory() > 0
