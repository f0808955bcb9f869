"""Chains of real EZKL proofs, small enough for 2**10 rows, that attacks start from.

The open chain has the topology, the shapes and the integers of `honest_chain`, so that the same
attacks fit both. In the hidden one nobody but the prover sees more than y:

    x (private) ── slice 0 ── a (committed) ── slice 1 ── b (committed) ── slice 2 ── y

with a = 2·x, b = max(a, 0), y = sum(b).
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import msgspec
import onnx
from honest_chain import OTHER_X, SPEC, Example, X, honest_statement, instances, raw, sha

from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.srs import CEREMONY, CEREMONY_VERIFIER, Srs, verifier_file
from zkprep.circuit import CircuitSpec
from zkprep.claims.claim import OuterPort, Port, PortRef, Preparation, Statement, Wire
from zkprep.claims.claim import Srs as PinnedSrs
from zkprep.claims.felts import encode
from zkprep.verifying.audit import check_proofs
from zkprep.verifying.evidence import SliceFiles
from zkprep.verifying.trust import SrsFiles
from zkprep.verifying.verdict import Obligation, Policy

BACKEND = EzklBackend(seconds=60)
replace = msgspec.structs.replace
HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'
OPEN = (
    HEADER
    + """first (float[4] x) => (float[1,3] a, float s)
    <int64[1] zero = {0}, int64[1] three = {3}, int64[2] row = {1, 3}>
    { t = Slice(x, zero, three)  r = Reshape(t, row)  a = Add(r, r)
      s = ReduceSum<keepdims = 0>(x) }""",
    HEADER + "second (float[1,3] a) => (float[1,3] b) { b = Relu(a) }",
    HEADER
    + """third (float[1,3] b, float s, float[4] x) => (float[2] y)
    <int64[1] three = {3}, int64[1] four = {4}, int64[1] one = {1}>
    { t = ReduceSum<keepdims = 0>(b)  u = Add(t, s)  v = Reshape(u, one)
      l = Slice(x, three, four)  y = Concat<axis = 0>(v, l) }""",
)
# Not the function of slice 1, and yet equal to it on both runs' values.
OTHER_MODEL = (
    HEADER
    + """second (float[1,3] a) => (float[1,3] b) <float[1,3] k = {0, -1, 0}>
    { n = Add(a, k)  b = Relu(n) }"""
)
HIDDEN = (
    HEADER + "first (float[1,3] x) => (float[1,3] a) { a = Add(x, x) }",
    HEADER + "second (float[1,3] a) => (float[1,3] b) { b = Relu(a) }",
    HEADER + "third (float[1,3] b) => (float y) { y = ReduceSum<keepdims = 0>(b) }",
)
HIDDEN_SPECS = (
    replace(SPEC, input_visibility="private", output_visibility="polycommit", checks_boundary=True),
    replace(SPEC, input_visibility="polycommit", output_visibility="polycommit"),
    replace(SPEC, input_visibility="polycommit"),
)
HIDDEN_X, HIDDEN_OTHER_X = (3, -4, 5), (1, 2, -3)


@dataclass(frozen=True)
class Circuit:
    """One slice's circuit and keys; proofs are made when they are first asked for, and kept."""

    folder: Path
    srs: Srs
    sizes: tuple[int, ...]
    _proofs: dict[tuple[int, ...], bytes] = field(default_factory=dict)

    @property
    def settings(self) -> bytes:
        return (self.folder / "settings").read_bytes()

    @property
    def vk(self) -> bytes:
        return (self.folder / "vk").read_bytes()

    def proof(self, values: Sequence[int]) -> bytes:
        """The proof on these inputs; whatever comes after them is what the circuit computes."""
        inputs = tuple(values[: sum(self.sizes)])
        if inputs not in self._proofs:
            self._proofs[inputs] = self._prove(inputs)
        return self._proofs[inputs]

    def _prove(self, inputs: tuple[int, ...]) -> bytes:
        tensors, start = [], 0
        for size in self.sizes:
            tensors.append([encode(value) for value in inputs[start : start + size]])
            start += size
        tag = sha(repr(inputs).encode())[:16]
        data, witness, proof = (
            self.folder / f"{name}-{tag}" for name in ("in", "witness", "proof")
        )
        data.write_text(json.dumps({"input_data": tensors}))
        circuit, pk, settings = (self.folder / name for name in ("circuit", "pk", "settings"))
        BACKEND.witness(circuit, data, witness)
        BACKEND.prove(witness, circuit, pk, self.srs.path, settings, proof)
        return proof.read_bytes()


def circuit(folder: Path, text: str, spec: CircuitSpec, srs: Srs) -> Circuit:
    """Compile a model given as ONNX text and make its keys."""
    folder.mkdir(parents=True)
    model = onnx.parser.parse_model(text)
    onnx.save(model, folder / "onnx")
    path = {name: folder / name for name in ("onnx", "settings", "circuit", "vk", "pk")}
    BACKEND.gen_settings(path["onnx"], spec, path["settings"])
    BACKEND.compile(path["onnx"], path["settings"], path["circuit"])
    BACKEND.setup(path["circuit"], srs.path, path["vk"], path["pk"])
    shapes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input]
    return Circuit(folder, srs, tuple(prod(shape) for shape in shapes))


def check(obligations: Sequence[Obligation]) -> None:
    """EZKL's check of proofs, as `zkprep verify` does it."""
    check_proofs(BACKEND, obligations)


@dataclass(frozen=True)
class Chain:
    """A chain's circuits and its statement, without the digests that only keys can give."""

    circuits: tuple[Circuit, ...]
    statement: Statement
    srs: Srs

    def run(self, values: Sequence[Sequence[int]], twin: Sequence[Sequence[int]]) -> Example:
        """The honest run in which the slices' inputs begin `values`; its twin's begin `twin`."""
        bundle = tuple(
            SliceFiles(one.settings, one.vk, one.proof(given))
            for one, given in zip(self.circuits, values, strict=True)
        )
        data = raw(self._pinned(bundle))
        return Example(
            data,
            bundle,
            SrsFiles(CEREMONY_VERIFIER, {self.srs.logrows: verifier_file(self.srs)}),
            Policy(expected=sha(data), ceremony=CEREMONY[1], allow_test_srs=True),
            lambda: self.run(twin, values),
            lambda: self._foreign(values[1]),
            lambda index, _settings, values: self.circuits[index].proof(values),
        )

    def _foreign(self, values: Sequence[int]) -> SliceFiles:
        folder = self.circuits[1].folder.with_name("foreign")
        if folder.exists():
            made = Circuit(folder, self.srs, self.circuits[1].sizes)
        else:
            made = circuit(folder, OTHER_MODEL, self.statement.slices[1].spec, self.srs)
        return SliceFiles(made.settings, made.vk, made.proof(values))

    def _pinned(self, bundle: Sequence[SliceFiles]) -> Statement:
        srs = PinnedSrs(logrows=self.srs.logrows, identity=self.srs.identity, origin="test")
        slices = tuple(
            replace(
                piece,
                settings=sha(files.settings),
                vk=sha(files.vk),
                proof_bytes=len(json.loads(files.proof)["proof"]),
                srs=srs,
            )
            for piece, files in zip(self.statement.slices, bundle, strict=True)
        )
        return replace(self.statement, prover=BACKEND.version, slices=slices)


def open_chain(folder: Path, srs: Srs) -> Example:
    """The honest run on X whose tensors are all public."""
    chain = Chain(_circuits(folder, OPEN, (SPEC,) * 3, srs), honest_statement("test"), srs)
    return _proved(chain, instances(X), instances(OTHER_X))


def hidden_chain(folder: Path, srs: Srs) -> Example:
    """The honest run on HIDDEN_X of which the verifier sees y alone."""
    chain = Chain(_circuits(folder, HIDDEN, HIDDEN_SPECS, srs), hidden_statement(), srs)
    return _proved(chain, hidden_values(HIDDEN_X), hidden_values(HIDDEN_OTHER_X))


def relu_chain(folder: Path, srs: Srs, length: int) -> Example:
    """A chain of equal slices, each the ReLU of the one before, on a = (6, -8, 10)."""
    relu, honest = circuit(folder, OPEN[1], SPEC, srs), honest_statement("test")
    piece, tensors = honest.slices[1], [f"t{index}" for index in range(length + 1)]
    statement = replace(
        honest,
        preparation=Preparation(passes=(), dims=(), cut=tuple((f"n{i}",) for i in range(length))),
        slices=tuple(
            replace(
                piece,
                inputs=(replace(piece.inputs[0], tensor=tensors[index]),),
                outputs=(replace(piece.outputs[0], tensor=tensors[index + 1]),),
            )
            for index in range(length)
        ),
        wires=tuple(
            Wire(tensor=tensors[i], source=PortRef(i - 1, 0), target=PortRef(i, 0))
            for i in range(1, length)
        ),
        inputs=(OuterPort(tensor=tensors[0], shape=(1, 3), ports=(PortRef(0, 0),)),),
        outputs=(OuterPort(tensor=tensors[-1], shape=(1, 3), ports=(PortRef(length - 1, 0),)),),
    )
    values = [[6, -8, 10], *[[6, 0, 10]] * (length - 1)]
    return Chain((relu,) * length, statement, srs).run(values, values)


def hidden_values(x: Sequence[int]) -> list[list[int]]:
    """Per slice of the hidden chain its inputs."""
    a = [2 * value for value in x]
    return [list(x), a, [max(value, 0) for value in a]]


def hidden_statement() -> Statement:
    """The hidden chain's statement, with the digests of the open toy chain."""
    honest = honest_statement("test")
    committed, tensors = "polycommit", "xaby"
    seen = ("private", committed, committed, "public")
    starts = ((0, 0), (0, 1), (0, 0))
    slices = tuple(
        replace(
            honest.slices[index],
            spec=HIDDEN_SPECS[index],
            inputs=(_port(tensors[index], seen[index], starts[index][0]),),
            outputs=(_port(tensors[index + 1], seen[index + 1], starts[index][1]),),
        )
        for index in range(3)
    )
    return replace(
        honest,
        preparation=Preparation(passes=(), dims=(), cut=(("a",), ("b",), ("y",))),
        slices=slices,
        wires=tuple(
            Wire(tensor=name, source=PortRef(index, 0), target=PortRef(index + 1, 0))
            for index, name in enumerate("ab")
        ),
        inputs=(OuterPort(tensor="x", shape=(1, 3), ports=(PortRef(0, 0),)),),
        outputs=(OuterPort(tensor="y", shape=(), ports=(PortRef(2, 0),)),),
    )


def _port(tensor: str, visibility: str, start: int) -> Port:
    shape = () if tensor == "y" else (1, 3)
    return Port(
        tensor=tensor,
        shape=shape,
        start=start,
        length=prod(shape),
        scale=7,
        visibility=visibility,  # type: ignore[arg-type]
    )


def _circuits(
    folder: Path, texts: Sequence[str], specs: Sequence[CircuitSpec], srs: Srs
) -> tuple[Circuit, ...]:
    def one(index: int) -> Circuit:
        return circuit(folder / str(index), texts[index], specs[index], srs)

    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(one, range(len(texts))))


def _proved(
    chain: Chain, values: Sequence[Sequence[int]], twin: Sequence[Sequence[int]]
) -> Example:
    """The run, after proving both it and its twin side by side."""
    pairs = [pair for run in (values, twin) for pair in zip(chain.circuits, run, strict=True)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: pair[0].proof(pair[1]), pairs))
    return chain.run(values, twin)
