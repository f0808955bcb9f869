"""What this machine lets us have: cores and memory, as far as affinity and control groups allow.

A control group limits a process and everything below it, so every group from the process's own up
to the root counts. In a container the group's own path may not be visible; its root then is.

Source: cgroups(7); Linux `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/memory.rst`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Room:
    """What tasks may take together.

    Attributes:
        cores: in all.
        memory: bytes in all.
        widest: cores that one task can have at most; those of one machine.
        largest: bytes that one task can have at most; those of one machine.
    """

    cores: int
    memory: int
    widest: int
    largest: int


def usable_cores(root: Path = _ROOT) -> int:
    """Cores that this process can keep busy: its affinity, cut down to its groups' CPU quota.

    Args:
        root: where the file system starts; for tests.
    """
    cores = _affine_cores()
    for folder, version in _groups("cpu", root):
        if version == 2:
            quota, _, period = _text(folder / "cpu.max").partition(" ")
        else:
            quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            cores = min(cores, -(-int(quota) // int(period)))
    return max(1, cores)


def available_memory(root: Path = _ROOT) -> int:
    """Bytes that can be taken without swapping: what is free, here and in every group.

    Args:
        root: where the file system starts; for tests.
    """
    import psutil

    free = psutil.virtual_memory().available
    for folder, version in _groups("memory", root):
        names = ("max", "current") if version == 2 else ("limit_in_bytes", "usage_in_bytes")
        limit, used = (_text(folder / f"memory.{name}") for name in names)
        if limit.isdigit() and used.isdigit():
            free = min(free, int(limit) - int(used) + _reclaimable(folder))
    return max(0, free)


def _affine_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _reclaimable(folder: Path) -> int:
    """Bytes of files that a group holds in memory and gives back when asked."""
    for line in _text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.isdigit():
            return int(value)
    return 0


def _groups(controller: str, root: Path) -> Iterator[tuple[Path, int]]:
    """Every control group of this process that may limit it, with the version of its files."""
    mounts = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, version = mounts, 2
        elif controller in controllers.split(","):
            base, version = mounts / controllers, 1
            if not base.is_dir():
                base = mounts / controller
        else:
            continue
        own = base / path.lstrip("/")
        yield base, version
        while own != base and base in own.parents:
            yield own, version
            own = own.parent


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
