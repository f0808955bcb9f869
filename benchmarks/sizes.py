"""What small circuits weigh and take when they are proved, recorded for the tests of zkprep.cost.

Every circuit is set up and proved; its settings, the bytes of its keys and of its proof, CPU
seconds and peak memory go to tests/cost/proved.json, which tests/cost/test_cost_proved.py compares
with what zkprep.cost says of the settings alone. The probes of `zkprep calibrate-machine` are
measured in the same run, so that times are judged by constants of the same machine.

    python -m benchmarks.sizes
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from msgspec.structs import replace
from onnx import numpy_helper

from zkprep.backends import srs
from zkprep.backends.ezkl import EzklBackend
from zkprep.circuit import CircuitSpec
from zkprep.cost.circuit import TABLE_RESERVED_ROWS
from zkprep.proving.calibrate import calibrate
from zkprep.proving.prover import proof_bytes
from zkprep.proving.sized import input_data

OUT = Path(__file__).parents[1] / "tests/cost/proved.json"
CONV = "Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]>"
POOL = "MaxPool<kernel_shape = [2, 2], pads = [0, 0, 0, 0], strides = [2, 2]>"
IMAGE = "float[1, 3, 8, 8] x"
ROW = "float[1, 48] x"
NETWORKS = {
    "relu": (ROW, "y = Relu(x)"),
    "gemm": (ROW, "h = Gemm<transB = 1>(x, g, b) y = Relu(h)"),
    "conv": (IMAGE, f"c = {CONV}(x, k) y = Relu(c)"),
    "products": (IMAGE, f"y = {CONV}(x, k)"),
    "sum": (IMAGE, f"c = {CONV}(x, k) r = Relu(c) y = Add(r, x)"),
    "pool": (IMAGE, f"c = {CONV}(x, k) y = {POOL}(c)"),
    "pool-relu": (IMAGE, f"r = Relu(x) y = {POOL}(r)"),
    "sigmoid": (ROW, "h = Gemm<transB = 1>(x, g, b) y = Sigmoid(h)"),
    "two-tables": (ROW, "h = Sigmoid(x) y = Tanh(h)"),
    "softmax": (ROW, "h = Gemm<transB = 1>(x, g, b) y = Softmax<axis = -1>(h)"),
}
WEIGHTS = {"g": (32, 48), "b": (32,), "k": (3, 3, 3, 3)}
PLAIN = CircuitSpec(decomp_legs=3, checks_boundary=False, integer_constants=True)


def circuits() -> Iterator[tuple[str, CircuitSpec]]:
    """Networks and specs, the digit base filling a column of 2**logrows rows."""
    for columns in (1, 2, 3):
        for name, logrows in (("relu", 9), ("conv", 10), ("pool", 10), ("sigmoid", 12)):
            yield name, _spec(logrows, columns)
    for name, logrows in (
        ("gemm", 11),
        ("products", 10),
        ("sum", 10),
        ("pool-relu", 9),
        ("two-tables", 11),
        ("softmax", 12),
    ):
        yield name, _spec(logrows, 2)
    yield "gemm", _spec(8, 2, decomp_legs=4)
    yield "conv", _spec(10, 4)
    yield "sum", _spec(10, 3, scale_rebase_multiplier=2)
    yield "conv", _spec(11, 2, checks_boundary=True)
    yield "relu", _spec(12, 2, output_visibility="hashed")
    yield "gemm", _spec(12, 2, input_visibility="hashed", output_visibility="hashed")
    yield "relu", _spec(10, 2, input_visibility="polycommit", output_visibility="polycommit")
    yield "conv", _spec(10, 3, output_visibility="polycommit")
    yield "pool", _spec(10, 2, input_visibility="polycommit", output_visibility="polycommit")


def main() -> None:
    """Prove every circuit and record it."""
    backend, found = EzklBackend(seconds=300), []
    for number, (name, spec) in enumerate(circuits(), 1):
        with tempfile.TemporaryDirectory(prefix="zkprep-sizes-") as folder:
            found.append({"network": name, **_proved(name, spec, backend, Path(folder))})
        print(f"{number}: {name}, logrows {spec.logrows}, {spec.num_inner_cols} columns")
    made = calibrate(backend, print)
    record = {"calibration": msgspec.to_builtins(made), "circuits": found}
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def model(name: str) -> onnx.ModelProto:
    """The network of that name with seeded weights."""
    inputs, body = NETWORKS[name]
    graph = onnx.parser.parse_graph(f"g ({inputs}) => (float y) {{ {body} }}")
    graph.output[0].type.tensor_type.ClearField("shape")
    random = np.random.default_rng(0)
    read = {each for node in graph.node for each in node.input}
    for weight, shape in WEIGHTS.items():
        values = random.normal(size=shape, scale=0.2).astype(np.float32)
        if weight in read:
            graph.initializer.append(numpy_helper.from_array(values, weight))
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)


def _spec(logrows: int, columns: int, **changes: Any) -> CircuitSpec:
    base = 2**logrows - TABLE_RESERVED_ROWS
    return replace(
        PLAIN,
        logrows=logrows,
        num_inner_cols=columns,
        decomp_base=base,
        lookup_range=(-min(1500, base // 2), min(1500, base // 2)),
        **changes,
    )


def _proved(name: str, spec: CircuitSpec, backend: EzklBackend, folder: Path) -> dict[str, Any]:
    names = ("model.onnx", "settings", "circuit", "input", "witness", "vk", "pk", "proof")
    path, settings, circuit, data, witness, vk, pk, proof = (folder / each for each in names)
    onnx.save(model(name), path)
    shape = [dim.dim_value for dim in model(name).graph.input[0].type.tensor_type.shape.dim]
    values = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
    data.write_bytes(input_data(["x"], {"x": values}, {}))
    secret = srs.obtain(spec.logrows, backend, allow_test=True, notify=lambda _: None)
    backend.gen_settings(path, spec, settings)
    backend.compile(path, settings, circuit)
    backend.witness(circuit, data, witness)
    setup = backend.setup(circuit, secret.path, vk, pk)
    proved = backend.prove(witness, circuit, pk, secret.path, settings, proof)
    backend.verify(proof, settings, vk, secret.path)
    return {
        "settings": msgspec.json.decode(settings.read_bytes()),
        "pk_bytes": pk.stat().st_size,
        "vk_bytes": vk.stat().st_size,
        "proof_bytes": proof_bytes(proof),
        "setup_cpu_seconds": round(setup.cpu_seconds, 3),
        "prove_cpu_seconds": round(proved.cpu_seconds, 3),
        "peak_bytes": proved.peak_bytes,
    }


if __name__ == "__main__":
    main()
