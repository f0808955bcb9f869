"""chain.verify on EZKL's own settings, keys and proofs: a Gemm and a sum, two runs."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from cheating import edit_proof, instance
from honest_chain import Example, sha

from zkprep.backends.base import read_witness
from zkprep.backends.ezkl import EzklBackend
from zkprep.chain import Obligation, Policy, SrsFiles
from zkprep.circuit import CircuitSpec
from zkprep.errors import LinkMismatch, ProofRejected, StatementError
from zkprep.evidence import SliceFiles
from zkprep.felts import encode
from zkprep.srs import Srs, verifier_file
from zkprep.statement import (
    ModelDigests,
    OuterPort,
    Port,
    PortRef,
    Preparation,
    Slice,
    Statement,
    Wire,
    dump,
)
from zkprep.statement import Srs as PinnedSrs

pytestmark = pytest.mark.ezkl

SPEC = CircuitSpec(logrows=10, decomp_base=1016, checks_boundary=False)
# Multiples of 1/4, so that every value is exact at EZKL's scales.
WEIGHTS = [1.0, 0.5, -1.0, 0.25, 2.0, 0.5, -0.5, 1.0, 1.5, 0.75, -2.0, 1.0]
MODELS = (
    """
    <ir_version: 8, opset_import: ["" : 17]>
    first (float[1,4] x) => (float[1,3] a)
    <float[4,3] w = {WEIGHTS}>
    { m = MatMul(x, w)  a = Relu(m) }
    """.replace("WEIGHTS", ", ".join(map(str, WEIGHTS))),
    """
    <ir_version: 8, opset_import: ["" : 17]>
    second (float[1,3] a) => (float y)
    { y = ReduceSum<keepdims = 0>(a) }
    """,
)
SHAPES = (((1, 4), (1, 3)), ((1, 3), ()))
RUNS = ([0.5, -1.0, 2.0, 1.0], [1.0, 1.0, 0.5, -0.25])


@dataclass(frozen=True)
class Made:
    """The proofs of every run, under one statement."""

    statement: Statement
    bundles: list[tuple[SliceFiles, ...]]
    srs: bytes


def _prove_slice(
    folder: Path, model: str, srs: Srs, run_inputs: Sequence[Sequence[object]]
) -> tuple[list[SliceFiles], list[list[str]]]:
    """Per run the files of one slice, and its outputs as felts."""
    backend = EzklBackend()
    folder.mkdir()
    path = {name: folder / name for name in ("onnx", "settings", "circuit", "vk", "pk")}
    onnx.save(onnx.parser.parse_model(model), path["onnx"])
    backend.gen_settings(path["onnx"], SPEC, path["settings"])
    backend.compile(path["onnx"], path["settings"], path["circuit"])
    backend.setup(path["circuit"], srs.path, path["vk"], path["pk"])
    bundles, outputs = [], []
    for number, values in enumerate(run_inputs):
        data, witness, proof = (folder / f"{name}{number}" for name in ("data", "witness", "proof"))
        data.write_text(json.dumps({"input_data": [values]}))
        backend.witness(path["circuit"], data, witness)
        backend.prove(witness, path["circuit"], path["pk"], srs.path, path["settings"], proof)
        settings, vk = path["settings"].read_bytes(), path["vk"].read_bytes()
        bundles.append(SliceFiles(settings, vk, proof.read_bytes()))
        outputs.append(read_witness(witness).outputs[0])
    return bundles, outputs


def _slice(index: int, files: SliceFiles, srs: Srs) -> Slice:
    document = json.loads(files.settings)
    scales = (document["model_input_scales"][0], document["model_output_scales"][0])
    sizes = [prod(shape) for shape in SHAPES[index]]
    ports = [
        Port(tensor=t, shape=shape, start=start, length=size, scale=scale, visibility="public")
        for t, shape, start, size, scale in zip(
            ("xa", "ay")[index], SHAPES[index], (0, sizes[0]), sizes, scales, strict=True
        )
    ]
    return Slice(
        onnx=sha(MODELS[index].encode()),
        settings=sha(files.settings),
        vk=sha(files.vk),
        proof_bytes=len(json.loads(files.proof)["proof"]),
        srs=PinnedSrs(logrows=SPEC.logrows, identity=srs.identity, origin="test"),
        spec=SPEC,
        inputs=(ports[0],),
        outputs=(ports[1],),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Made:
    folder, srs = tmp_path_factory.mktemp("chain"), kept_srs(SPEC.logrows)
    first, felts = _prove_slice(folder / "0", MODELS[0], srs, RUNS)
    second, _ = _prove_slice(folder / "1", MODELS[1], srs, felts)
    statement = Statement(
        zkprep="0.1.0",
        prover=EzklBackend().version,
        model=ModelDigests(original=sha(b"original"), prepared=sha(b"prepared")),
        preparation=Preparation(passes=(), dims=(), cut=(("m", "a"), ("y",))),
        slices=(_slice(0, first[0], srs), _slice(1, second[0], srs)),
        wires=(Wire(tensor="a", source=PortRef(0, 0), target=PortRef(1, 0)),),
        inputs=(OuterPort(tensor="x", shape=(1, 4), ports=(PortRef(0, 0),)),),
        outputs=(OuterPort(tensor="y", shape=(), ports=(PortRef(1, 0),)),),
    )
    return Made(statement, list(zip(first, second, strict=True)), verifier_file(srs))


@pytest.fixture
def honest_run(made: Made) -> Callable[[int], Example]:
    def run(number: int) -> Example:
        data = dump(made.statement)
        srs = SrsFiles(test={SPEC.logrows: made.srs})
        policy = Policy(expected=sha(data), ceremony=sha(b""), allow_test_srs=True)
        return Example(data, made.bundles[number], srs, policy)

    return run


@pytest.fixture
def checker(tmp_path: Path) -> Callable[[Sequence[Obligation]], None]:
    def check(obligations: Sequence[Obligation]) -> None:
        for one in obligations:
            paths = [tmp_path / name for name in ("proof", "settings", "vk", "srs")]
            for path in paths:
                path.write_bytes(getattr(one, path.name))
            EzklBackend().verify(*paths)

    return check


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_an_honest_run_is_accepted(
    honest_run: Callable[[int], Example], checker: Any, number: int
) -> None:
    verdict = honest_run(number).verify(checker)
    x, y = verdict.inputs["x"], verdict.outputs["y"]
    assert [value / 2**x.scale for value in x.values] == RUNS[number]
    exact = np.maximum(np.array(RUNS[number]) @ np.array(WEIGHTS).reshape(4, 3), 0).sum()
    assert (y.shape, y.values[0] / 2**y.scale) == ((), exact)


def test_runs_cannot_be_spliced(honest_run: Callable[[int], Example], checker: Any) -> None:
    spliced = replace(honest_run(0), bundle=(honest_run(0).bundle[0], honest_run(1).bundle[1]))
    with pytest.raises(LinkMismatch, match="the wire of 'a' from slice 0 to 1: element"):
        spliced.verify(checker)


@pytest.mark.parametrize(
    "attack",
    [instance(1, 3, encode(1)), edit_proof(0, lambda d: d["proof"].__setitem__(9, 0xAA))],
    ids=["edited output", "edited proof"],
)
def test_the_prover_rejects(
    honest_run: Callable[[int], Example], checker: Any, attack: Callable[[Example], Example]
) -> None:
    with pytest.raises(ProofRejected, match="is not valid"):
        attack(honest_run(0)).verify(checker)


def test_trailing_bytes_are_refused(honest_run: Callable[[int], Example], checker: Any) -> None:
    with pytest.raises(ProofRejected, match="slice 1: the proof has .* bytes, expected"):
        edit_proof(1, lambda d: d["proof"].append(0))(honest_run(0)).verify(checker)


def test_real_settings_are_compared_with_the_statement(
    honest_run: Callable[[int], Example], checker: Any
) -> None:
    spec = CircuitSpec(logrows=10, decomp_base=1016, checks_boundary=False, param_scale=9)
    with pytest.raises(StatementError, match="param_scale is 7, the statement says 9"):
        honest_run(0).with_slice(1, spec=spec).verify(checker)
