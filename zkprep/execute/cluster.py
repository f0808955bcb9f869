"""`--executor ray`: calls of the prover's as tasks of a Ray cluster; needs `zkprep[ray]`.

Everything travels as bytes, so that nodes share no file system: a call's inputs as objects named by
their sha256, its outputs as objects that the driver writes to the run. A node keeps keys by that
name in a folder of its own, so a proving key reaches it once, and not at all where it was made.

Ray's own: tasks wait for cores and memory on a node, are tried again when a node is lost, and what
a lost node held is fetched from the driver's copy or made again (lineage).
"""

import logging
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zkprep.backends.base import Backend, Terms, Usage
from zkprep.errors import Crashed, InputError, OutOfMemory, TooLarge, ZkprepError
from zkprep.execute.task import Call
from zkprep.files import cache_folder, digest, file_digest, first_line, write_atomically
from zkprep.room import Room
from zkprep.runs.stages import Ledger

LOST_NODES = 3
"""How often Ray tries a task again when its worker or node is lost."""

_KEPT = frozenset({"circuit", "pk", "srs"})
"""What a node keeps; what an input's values can be read from is not among it."""

_POLL_SECONDS = 0.5
_LISTENER_SECONDS = 10.0
_SPARE = 1.05


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A file on its way: its sha256, its size, and the object that holds it (not fetched yet)."""

    digest: str
    bytes: int
    ref: Any


@dataclass(slots=True)
class RayExecutor:
    """A Ray cluster that this process is connected to.

    Attributes:
        backend: the prover, as the nodes have it.
    """

    backend: Backend
    _parcels: dict[str, _Parcel] = field(default_factory=dict)
    _homes: dict[str, str] = field(default_factory=dict)
    _ledger: Ledger = field(default_factory=Ledger)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def room(self) -> Room:
        """See Executor. Nodes may come and go."""
        nodes = [node for node in _nodes() if node.get("CPU", 0) >= 1]
        cores, memory = ([int(node.get(name, 0)) for node in nodes] for name in ("CPU", "memory"))
        return Room(max(1, sum(cores)), sum(memory), max([1, *cores]), max(memory, default=0))

    def perform(self, call: Call, terms: Terms, peak_bytes: int) -> Usage:
        """See Executor."""
        import ray

        reads = {name: self._parcel(path) for name, path in call.reads.items()}
        memory = self._memory(call, reads, peak_bytes)
        task: Any = ray.remote(_perform).options(
            num_cpus=terms.threads or 1,
            memory=memory,
            num_returns=1 + len(call.writes),
            max_retries=LOST_NODES,
            scheduling_strategy=self._near(reads),
            name=call.verb,
        )
        backend = self.backend.on(replace(Terms(), threads=terms.threads, seconds=terms.seconds))
        made = task.remote(backend, call.verb, reads, tuple(call.writes))
        said, *outputs = made if call.writes else [made]
        node: str
        usage: Usage
        try:
            self._wait(said, terms)
            node, usage = ray.get(said)
            for path, output in zip(call.writes.values(), outputs, strict=True):
                self._receive(path, output, node)
        except ray.exceptions.RayError as error:
            self._forget(reads)
            raise _translated(call.verb, error) from None
        return usage

    def _parcel(self, path: Path) -> _Parcel:
        """The file as an object of the cluster's, put there once."""
        import ray

        name = self._ledger.digest(path)
        with self._lock:
            if name not in self._parcels:
                data = path.read_bytes()
                self._parcels[name] = _Parcel(name, len(data), ray.put(data))
            return self._parcels[name]

    def _receive(self, path: Path, output: Any, node: str) -> None:
        """Write an output to the run; its object stays where it was made, for those who read it."""
        import ray

        data = ray.get(output)
        write_atomically(path, data)
        name = digest(data)
        with self._lock:
            self._parcels[name] = _Parcel(name, len(data), output)
            self._homes[name] = node

    def _forget(self, reads: Mapping[str, _Parcel]) -> None:
        """Put these files anew next time: what holds them may be what was lost."""
        with self._lock:
            for parcel in reads.values():
                self._parcels.pop(parcel.digest, None)

    def _memory(self, call: Call, reads: Mapping[str, _Parcel], peak_bytes: int) -> int:
        """Bytes to ask a node for: the prover's and the largest file on its way through Ray.

        Raises:
            TooLarge: no node has so much.
        """
        memory = int(_SPARE * peak_bytes) + max(parcel.bytes for parcel in reads.values())
        largest = self.room.largest
        if peak_bytes > largest:
            raise TooLarge(
                f"{call.verb} needs {peak_bytes / 1e9:.2f} GB by prediction; the largest node of "
                f"the cluster has {largest / 1e9:.2f} GB",
                stage=call.verb,
                hint="a larger node, or --memory for smaller slices",
            )
        return min(memory, largest)

    def _near(self, reads: Mapping[str, _Parcel]) -> Any:
        """Where the largest input was made, if that node lives and has room; anywhere else."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        largest = max(reads.values(), key=lambda parcel: parcel.bytes)
        home = self._homes.get(largest.digest)
        if home is None or home not in {node["NodeID"] for node in _nodes()}:
            return "SPREAD"
        return NodeAffinitySchedulingStrategy(home, soft=True, _spill_on_unavailable=True)

    def _wait(self, said: Any, terms: Terms) -> None:
        """Wait for the call's end, and let the watch end it."""
        import ray

        try:
            while not ray.wait([said], timeout=_POLL_SECONDS, fetch_local=False)[0]:
                terms.watch(0)
        except BaseException:
            with suppress(Exception):
                ray.cancel(said, force=True)
            raise


@contextmanager
def ray_executor(backend: Backend, address: str | None) -> Iterator[RayExecutor]:
    """A connection to the cluster at `address`; None: a cluster of this machine alone, for now.

    Raises:
        InputError: Ray is not installed, or there is no cluster.
    """
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # they are told by us
    try:
        import ray
    except ImportError:
        raise InputError(
            "--executor ray needs Ray", hint="install it: pip install 'zkprep[ray]'"
        ) from None
    try:
        if address not in (None, "auto"):
            _require_listener(address)
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        where = f" at '{address}'" if address else ""
        raise InputError(
            f"there is no Ray cluster{where}: {first_line(error)}",
            hint="give HOST:PORT or auto; docs/ray.md says how to start a cluster",
        ) from None
    try:
        executor = RayExecutor(backend)
        if not executor.room.largest:
            raise InputError("no node of the Ray cluster has a core", hint="docs/ray.md")
        yield executor
    finally:
        ray.shutdown()


def _require_listener(address: str) -> None:
    """Find out whether anybody listens at HOST:PORT; Ray itself tries for minutes.

    Raises:
        OSError: nobody does.
        ValueError: not HOST:PORT.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError("not HOST:PORT")
    socket.create_connection((host, int(port)), _LISTENER_SECONDS).close()


def _nodes() -> list[dict[str, Any]]:
    """The resources of every node that lives, with its id."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()
    return [{**node["Resources"], "NodeID": node["NodeID"]} for node in nodes if node["Alive"]]


def _perform(
    backend: Backend, verb: str, reads: Mapping[str, _Parcel], writes: tuple[str, ...]
) -> Any:
    """On a node: the call, on files of its own.

    Returns:
        (node's id, what the call used), then the bytes of each output.
    """
    import ray

    with tempfile.TemporaryDirectory(prefix="zkprep-node-") as name:
        folder = Path(name)
        inputs = {
            parameter: _unpacked(parcel, _node_folder() if parameter in _KEPT else folder)
            for parameter, parcel in reads.items()
        }
        outputs = {parameter: folder / parameter for parameter in writes}
        usage = Call(verb, inputs, outputs).on(backend)
        said = (ray.get_runtime_context().get_node_id(), usage)
        data = [path.read_bytes() for path in outputs.values()]
        for parameter in _KEPT & outputs.keys():
            _keep(outputs[parameter])
    return (said, *data) if data else said


def _unpacked(parcel: _Parcel, folder: Path) -> Path:
    """The parcel's file in `folder`; fetched only if it is not there, or damaged."""
    import ray

    path = folder / parcel.digest
    if not (path.is_file() and file_digest(path) == parcel.digest):
        write_atomically(path, ray.get(parcel.ref))
    return path


def _keep(path: Path) -> None:
    """Keep an output for the calls on this node that read it."""
    kept = _node_folder() / file_digest(path)
    if not kept.is_file():
        draft = kept.with_name(f".{kept.name}.{secrets.token_hex(8)}")
        shutil.move(path, draft)
        draft.replace(kept)


def _node_folder() -> Path:
    folder = cache_folder() / "node"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _translated(verb: str, error: Any) -> ZkprepError:
    """Ray's error as ours: what the call raised on its node, or that the node was lost."""
    import ray

    if isinstance(error, ray.exceptions.RayTaskError) and isinstance(error.cause, ZkprepError):
        return error.cause
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = said[-1] if said else type(error).__name__
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return OutOfMemory(f"{verb}: its node ran out of memory: {last}", stage=verb)
    return Crashed(
        f"{verb}: its node or worker was lost: {last}",
        stage=verb,
        hint="every node needs this zkprep, installed in the same way: docs/ray.md",
    )
