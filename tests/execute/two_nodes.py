"""Two Ray nodes on this machine, each with a cache of its own, and provers that say where they ran.

`ray.cluster_utils.Cluster` is what Ray's own tests use. The head has no cores: it cannot be lost.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zkprep.backends.base import Usage
from zkprep.backends.fake import FakeBackend

PATIENCE = 60.0
MEMORY = 2 * 2**30
STORE = 100 * 2**20


@dataclass(frozen=True)
class LoggingBackend(FakeBackend):
    """Takes a while, and adds "verb node" to its log as it begins."""

    log: Path = Path()
    seconds: float = 0.2

    def setup(self, circuit: Path, srs: Path, vk: Path, pk: Path) -> Usage:
        self._begin("setup")
        return super().setup(circuit, srs, vk, pk)

    def prove(
        self, witness: Path, circuit: Path, pk: Path, srs: Path, settings: Path, out: Path
    ) -> Usage:
        self._begin("prove")
        return super().prove(witness, circuit, pk, srs, settings, out)

    def _begin(self, verb: str) -> None:
        import ray

        node = ray.get_runtime_context().get_node_id()
        with self.log.open("a") as file:
            file.write(f"{verb} {node}\n")
        time.sleep(self.seconds)


@dataclass(frozen=True)
class DyingBackend(LoggingBackend):
    """Its first proofs kill their process, more often than Ray tries again."""

    deaths: int = 4

    def prove(
        self, witness: Path, circuit: Path, pk: Path, srs: Path, settings: Path, out: Path
    ) -> Usage:
        self._begin("prove")
        if settings.read_bytes() and witness.stat().st_size and self._still_dying():
            os.kill(os.getpid(), signal.SIGKILL)
        return FakeBackend.prove(self, witness, circuit, pk, srs, settings, out)

    def _still_dying(self) -> bool:
        return self.log.read_text().count("prove") <= self.deaths


@dataclass
class Nodes:
    """A cluster, its address, and the log of what began where."""

    cluster: Any
    log: Path
    killed: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def began(self, verb: str) -> list[str]:
        """The nodes on which a verb began, in order."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [node for said, node in lines if said == verb]

    def cached(self) -> list[Path]:
        """What the nodes keep."""
        return [path for path in self.log.parent.glob("*/node/*") if path.is_file()]

    def kill_one_that_proves(self) -> None:
        """Kill the node on which the first proof began, while it lasts."""
        deadline = time.monotonic() + PATIENCE
        while not self.began("prove") and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
        victim = self.began("prove")[0]
        (node,) = (n for n in self.cluster.worker_nodes if n.node_id == victim)
        self.cluster.remove_node(node, allow_graceful=False)
        self.killed.append(victim)


@contextmanager
def two_nodes(folder: Path) -> Iterator[Nodes]:
    """Start the cluster, and stop it at the end."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False},
    )
    path = os.pathsep.join(sys.path)
    try:
        for name in ("left", "right"):
            cluster.add_node(
                num_cpus=2,
                memory=MEMORY,
                object_store_memory=STORE,
                env_vars={"ZKPREP_CACHE": str(folder / name), "PYTHONPATH": path},
            )
        cluster.wait_for_nodes()
        log = folder / "log"
        log.touch()
        yield Nodes(cluster, log)
    finally:
        cluster.shutdown()
