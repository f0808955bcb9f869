"""Measure what proving costs on this machine: a few small circuits, set up and proved twice.

The probes are ReLUs, and one MaxPool for the higher degree, over several sizes of key. Their SRS
are for tests: what is proved is thrown away. Everything runs in workers of its own, as proofs do.
Of two tries the one of fewer CPU seconds counts: what others do on the machine only adds to them.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from zkprep.backends import srs
from zkprep.backends.base import Backend, Usage
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout, read_fixed_columns
from zkprep.cost.machine import Calibration, Probe, fit, keep, kept, place
from zkprep.errors import BackendError, ZkprepError
from zkprep.files import alone, first_line
from zkprep.proving.sized import input_data
from zkprep.runs.events import Event, Notify

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Circuit:
    """A probe: ReLU on `elements` values in 2**logrows rows, behind a MaxPool if so asked."""

    elements: int
    logrows: int
    pooled: bool = False


PROBES = (Circuit(800, 11), Circuit(1600, 12), Circuit(120, 11, pooled=True))
"""Small, middling, and of the larger extended domain: the law of work says the rest."""

TRIES = 2
"""Times that each is set up and proved."""

NONSENSE = 0.5
"""Relative error over the probes from which their fit says nothing about any other circuit."""

_PROVER = "ezkl"
"""The prover whose work the law describes (zkprep.cost.work)."""


def on_first_use(backend: Backend, notify: Notify) -> None:
    """Measure this machine unless that was done; without, predictions are the reference machine's.

    Whatever goes wrong is told and stops nothing. A process that begins at the same time waits, and
    finds what was kept; one that is stopped keeps nothing.
    """
    name, _, version = backend.version.rpartition(" ")
    if name != _PROVER or kept(version) is not None:
        return
    notify(
        Event(
            kind="note",
            reason="first run on this machine: measuring what proofs cost here, once, some seconds",
        )
    )
    try:
        with alone(place(version)):
            if kept(version) is None:
                calibrate(backend, lambda _line: None)
    except ZkprepError as error:
        reason = f"not measured: {first_line(error)}; predictions are the reference machine's"
        notify(Event(kind="note", reason=reason))


def calibrate(backend: Backend, tell: Tell) -> Calibration:
    """Measure the probes, fit the machine's constants, and keep them.

    Args:
        backend: the prover.
        tell: told of every probe.

    Raises:
        BackendError: the prover failed, or the probes contradict each other.
        InputError: the cache folder cannot be written.
    """
    load, probes = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory(prefix="zkprep-calibrate-") as scratch:
        for number, circuit in enumerate(PROBES, 1):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            probes.append(_measured(circuit, backend, folder))
            tell(f"probe {number} of {len(PROBES)}: {_line(probes[-1])}")
    found = fit(probes, backend.version.split()[-1], load)
    if max(found.time_error, found.memory_error) > NONSENSE or found.constants.bulk <= 0:
        raise BackendError(
            f"the probes contradict each other, by {100 * found.time_error:.0f} % in time and "
            f"{100 * found.memory_error:.0f} % in memory; nothing was kept",
            stage="calibrate",
            hint="run `zkprep calibrate-machine` when the machine is quieter",
        )
    keep(found)
    return found


def _measured(circuit: Circuit, backend: Backend, folder: Path) -> Probe:
    names = ("model.onnx", "settings", "circuit", "input", "witness", "vk", "pk", "proof")
    model, settings, compiled, data, witness, vk, pk, proof = (folder / name for name in names)
    onnx.save(_model(circuit), model)
    values = np.random.default_rng(0).normal(size=circuit.elements).astype(np.float32)
    data.write_bytes(input_data(["x"], {"x": values}, {}))
    spec = CircuitSpec(
        decomp_base=2**circuit.logrows - TABLE_RESERVED_ROWS,
        logrows=circuit.logrows,
        checks_boundary=False,
    )
    secret = srs.generate(circuit.logrows, backend)
    backend.gen_settings(model, spec, settings)
    backend.compile(model, settings, compiled)
    backend.witness(compiled, data, witness)
    setups, proofs = [], []
    for _ in range(TRIES):
        setups.append(backend.setup(compiled, secret.path, vk, pk))
        proofs.append(backend.prove(witness, compiled, pk, secret.path, settings, proof))
    fixed = read_fixed_columns(vk.read_bytes())
    pk.unlink()
    return Probe(
        layout=layout(read_settings(settings.read_bytes()), fixed),
        setup_cpu_seconds=_least(setups),
        prove_cpu_seconds=_least(proofs),
        peak_bytes=max(one.peak_bytes for one in proofs),
    )


def _least(tries: Sequence[Usage]) -> float:
    return min(one.cpu_seconds for one in tries)


def _model(circuit: Circuit) -> onnx.ModelProto:
    nodes = [helper.make_node("Relu", ["x"], ["r" if circuit.pooled else "y"])]
    if circuit.pooled:
        window = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 0, 0]}
        nodes.append(helper.make_node("MaxPool", ["r"], ["y"], **window))  # type: ignore[arg-type]
    before, after = [1, circuit.elements], [1, circuit.elements]
    if circuit.pooled:
        before, after = [1, 1, 2, circuit.elements // 2], [1, 1, 1, circuit.elements // 4]
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, before)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, after)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _line(probe: Probe) -> str:
    return (
        f"key {probe.layout.pk_bytes / 1e6:.0f} MB, setup {probe.setup_cpu_seconds:.2f} CPU-s, "
        f"prove {probe.prove_cpu_seconds:.2f} CPU-s, peak {probe.peak_bytes / 1e6:.0f} MB"
    )
