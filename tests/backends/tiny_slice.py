"""A slice small enough for a circuit of 2**10 rows, and what a prover makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import numpy_helper

from zkprep.backends.base import Backend, Usage
from zkprep.backends.srs import Srs
from zkprep.circuit import CircuitSpec

SPEC = CircuitSpec(logrows=10, decomp_base=1016)
VALUES = [
    0.5,
    -1.25,
    2.0,
    0.0,
    3.5,
    -0.75,
    1.0,
    -2.0,
    0.25,
    1.5,
    -3.0,
    0.125,
    2.5,
    -1.0,
    0.75,
    1.75,
]

_TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
tiny (float[1,1,4,4] x) => (float[1,2,4,4] y) {
    c = Conv<pads=[1,1,1,1], strides=[1,1], dilations=[1,1], kernel_shape=[3,3]>(x, w)
    y = ACTIVATION(c)
}
"""


@dataclass(frozen=True)
class Files:
    """Where one slice's files are."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def data(self) -> Path:
        return self.folder / "input.json"

    @property
    def settings(self) -> Path:
        return self.folder / "settings.json"

    @property
    def circuit(self) -> Path:
        return self.folder / "circuit"

    @property
    def vk(self) -> Path:
        return self.folder / "vk"

    @property
    def pk(self) -> Path:
        return self.folder / "pk"

    @property
    def witness(self) -> Path:
        return self.folder / "witness.json"

    @property
    def proof(self) -> Path:
        return self.folder / "proof.json"


def new_files(folder: Path, *, seed: int = 0, activation: str = "Relu") -> Files:
    """A new folder with the model and an input for it."""
    folder.mkdir()
    files = Files(folder)
    write_model(files.model, seed=seed, activation=activation)
    write_data(files.data, VALUES)
    return files


def write_model(path: Path, *, seed: int = 0, activation: str = "Relu") -> None:
    """Conv 3x3 of 1 to 2 channels on 4x4, then the activation."""
    model = onnx.parser.parse_model(_TEXT.replace("ACTIVATION", activation))
    weights = np.random.default_rng(seed).normal(size=(2, 1, 3, 3)).astype(np.float32) / 4
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    onnx.save(model, path)


def write_data(path: Path, *tensors: Sequence[float | str]) -> None:
    """EZKL's input file."""
    path.write_bytes(msgspec.json.encode({"input_data": tensors}))


MakeFiles = Callable[..., Files]


@dataclass(frozen=True)
class Prover:
    """A backend, and an SRS of the tiny slice's size that it can use."""

    backend: Backend
    srs: Srs

    def settle(self, files: Files, spec: CircuitSpec = SPEC) -> None:
        """Settings and circuit."""
        self.backend.gen_settings(files.model, spec, files.settings)
        self.backend.compile(files.model, files.settings, files.circuit)

    def key(self, files: Files) -> Usage:
        return self.backend.setup(files.circuit, self.srs.path, files.vk, files.pk)

    def witness(self, files: Files) -> Usage:
        return self.backend.witness(files.circuit, files.data, files.witness)

    def prove(self, files: Files) -> Usage:
        return self.backend.prove(
            files.witness, files.circuit, files.pk, self.srs.path, files.settings, files.proof
        )

    def verify(self, files: Files) -> Usage:
        return self.backend.verify(files.proof, files.settings, files.vk, self.srs.path)

    def prove_all(self, files: Files, spec: CircuitSpec = SPEC) -> None:
        """Every stage from settings to proof."""
        self.settle(files, spec)
        self.key(files)
        self.witness(files)
        self.prove(files)
