"""A Ray cluster of two nodes on this machine: the same run as here, also when a node is lost."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from two_nodes import MEMORY, DyingBackend, LoggingBackend, Nodes, two_nodes

from zkprep import pipeline
from zkprep.backends.base import Backend, Terms
from zkprep.backends.fake import FakeBackend
from zkprep.errors import BackendError, TooLarge
from zkprep.execute.cluster import ray_executor
from zkprep.execute.task import Call, Executor
from zkprep.options import Baselines, Options
from zkprep.report.types import Report
from zkprep.runs.events import Event, Notify, silent

pytest.importorskip("ray", reason="Ray is not installed: pip install 'zkprep[ray]'")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]

_TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
three (float[1, 8] x) => (float[1, 8] y) {
    a = MatMul (x, W) b = Relu (a) c = MatMul (b, W) d = Relu (c) e = MatMul (d, W) y = Relu (e)
}
"""


@dataclass(frozen=True)
class Made:
    """A model with two inputs, and how it is proved."""

    folder: Path
    model: Path
    data: list[Path]

    def prove(
        self,
        backend: Backend,
        out: str,
        executor: Executor | None = None,
        notify: Notify = silent,
        memory: int | None = None,
    ) -> Report:
        options = Options(blocks=3, memory=memory, baselines=Baselines.NONE)
        run = self.folder / out
        return pipeline.prove(
            self.model, self.data, run, options, backend, notify, executor=executor
        )


@pytest.fixture
def made(tmp_path: Path) -> Made:
    model = onnx.parser.parse_model(_TEXT)
    weights = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "W"))
    onnx.save(model, tmp_path / "three.onnx")
    data = [tmp_path / f"{seed}.npy" for seed in range(2)]
    for seed, path in enumerate(data):
        np.save(path, np.random.default_rng(seed).normal(size=(1, 8)).astype(np.float32))
    return Made(tmp_path, tmp_path / "three.onnx", data)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with two_nodes(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    """The cluster that no test kills a node of; nothing begun on it yet, nothing cached."""
    cluster.log.write_text("")
    for cached in cluster.cached():
        cached.unlink()
    return cluster


@pytest.fixture
def lost_nodes(tmp_path: Path) -> Iterator[Nodes]:
    """A cluster of one's own."""
    with two_nodes(tmp_path) as found:
        yield found


def digest(report: Report) -> str:
    assert report.verdict is not None
    assert report.verdict.accepted
    return report.verdict.statement


def test_a_cluster_proves_the_same(made: Made, nodes: Nodes) -> None:
    here = digest(made.prove(FakeBackend(), "here"))
    backend = LoggingBackend(log=nodes.log)
    with ray_executor(backend, nodes.address) as executor:
        assert executor.room.cores == 4
        assert executor.room.widest == 2
        assert executor.room.largest == MEMORY
        assert digest(made.prove(backend, "there", executor)) == here
        assert len(set(nodes.began("setup"))) == 2, "both nodes worked"
        assert (len(nodes.began("setup")), len(nodes.began("prove"))) == (3, 6)
        made.prove(backend, "there", executor)
        assert len(nodes.began("prove")) == 6, "nothing was done again"
    kept = nodes.cached()
    assert {path.parents[1].name for path in kept} == {"left", "right"}, "each keeps its keys"
    witness = (made.folder / "there/private/prepared/000/witness.json").read_bytes()
    assert witness not in [path.read_bytes() for path in kept]


def test_a_damaged_key_in_a_nodes_cache_is_fetched_again(made: Made, nodes: Nodes) -> None:
    backend = LoggingBackend(log=nodes.log, seconds=0.0)
    with ray_executor(backend, nodes.address) as executor:
        one = Made(made.folder, made.model, made.data[:1])
        digest(one.prove(backend, "run", executor))
        assert nodes.cached()
        for path in nodes.cached():
            path.write_bytes(b"damaged" + path.read_bytes()[7:])
        assert digest(made.prove(backend, "run", executor))
    assert len(nodes.began("setup")) == 3


def test_what_fails_on_a_node_fails_as_here(made: Made, nodes: Nodes) -> None:
    failing = FakeBackend(fail={"prove": BackendError("no reason", hint="none either")})
    with (
        ray_executor(failing, nodes.address) as executor,
        pytest.raises(BackendError, match=r"prepared/00.*: no reason") as caught,
    ):
        made.prove(failing, "failing", executor)
    assert caught.value.hint == "none either"


def test_a_process_that_keeps_dying_costs_its_stage(made: Made, nodes: Nodes) -> None:
    dying, events = DyingBackend(log=nodes.log, seconds=0.0), list[Event]()
    one = Made(made.folder, made.model, made.data[:1])
    with ray_executor(dying, nodes.address) as executor:
        assert digest(one.prove(dying, "dying", executor, events.append))
    assert not [event for event in events if event.kind == "failed"]


def test_a_call_that_fits_no_node_is_told(tmp_path: Path, nodes: Nodes) -> None:
    circuit = tmp_path / "circuit"
    circuit.write_bytes(b"circuit")
    call = Call("setup", {"circuit": circuit}, {"vk": tmp_path / "vk"})
    with (
        ray_executor(FakeBackend(), nodes.address) as executor,
        pytest.raises(TooLarge, match=r"setup needs 2\.15 GB by prediction; the largest node"),
    ):
        executor.perform(call, Terms(), MEMORY + 1)


def test_a_node_lost_in_the_middle_of_a_proof(made: Made, lost_nodes: Nodes) -> None:
    here = digest(made.prove(FakeBackend(), "here"))
    backend = LoggingBackend(log=lost_nodes.log, seconds=1.0)
    events: list[Event] = []
    killer = threading.Thread(target=lost_nodes.kill_one_that_proves)
    with ray_executor(backend, lost_nodes.address) as executor:
        killer.start()
        report = made.prove(backend, "there", executor, events.append)
        killer.join()
        assert executor.room.cores == 2, "a node is gone"
    assert lost_nodes.killed
    assert digest(report) == here
    assert not [event for event in events if event.kind == "failed"]
    assert len(lost_nodes.began("prove")) > 6, "the proof that was lost was begun again"
