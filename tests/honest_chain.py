"""An honest three-slice chain under a toy prover whose proofs are MACs: what attacks start from.

    x ─┬─ slice 0 ─┬─ a ── slice 1 ── b ──┐
       │           └─ s (a scalar, skips) ┼─ slice 2 ── y
       └──────────────────────────────────┘

a = 2·x[:3], s = sum(x), b = max(a, 0), y = (sum(b) + s, x[3]).
"""

import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import msgspec

from zkprep.circuit import CircuitSpec, canonical_settings
from zkprep.claims.felts import encode
from zkprep.claims.points import srs_identity
from zkprep.claims.statement import (
    ModelDigests,
    OuterPort,
    Port,
    PortRef,
    Preparation,
    Slice,
    Srs,
    Statement,
    Wire,
)
from zkprep.errors import ProofRejected
from zkprep.verifying.chain import verify
from zkprep.verifying.evidence import SliceFiles
from zkprep.verifying.trust import SrsFiles
from zkprep.verifying.verdict import Obligation, Policy, Verdict

MAC_KEY = b"known to the toy prover alone"
SPEC = CircuitSpec(decomp_base=1000, logrows=10, checks_boundary=False, lookup_range=(-1000, 1000))
X = (3, -4, 5, 70)
OTHER_X = (1, 2, -3, 11)
SHAPES = {"x": (4,), "s": (), "a": (1, 3), "b": (1, 3), "y": (2,)}
PORTS = (("x", "as"), ("a", "b"), ("bsx", "y"))


def sha(data: bytes) -> str:
    return sha256(data).hexdigest()


def srs_file(secret: str) -> bytes:
    """A small SRS file as far as its size, its header and its last 128 bytes go."""
    return (1).to_bytes(4, "little") + sha256(secret.encode()).digest() * 16


CEREMONY = srs_file("known to nobody")
TEST_SRS = srs_file("known to the prover")


def settings_document(
    spec: CircuitSpec, inputs: Sequence[Port], outputs: Sequence[Port]
) -> dict[str, Any]:
    """What EZKL 23.0.5 writes for a slice with these ports."""
    names = {"public": "Public", "private": "Private", "polycommit": "KZGCommit"}
    return {
        "run_args": {
            "input_scale": spec.input_scale,
            "param_scale": spec.param_scale,
            "rebase_scale": None,
            "scale_rebase_multiplier": spec.scale_rebase_multiplier,
            "lookup_range": list(spec.lookup_range),
            "logrows": spec.logrows,
            "num_inner_cols": spec.num_inner_cols,
            "variables": [["batch_size", 1]],
            "input_visibility": names[spec.input_visibility],
            "output_visibility": names[spec.output_visibility],
            "param_visibility": "Fixed",
            "rebase_frac_zero_constants": spec.integer_constants,
            "check_mode": "UNSAFE",
            "decomp_base": spec.decomp_base,
            "decomp_legs": spec.decomp_legs,
            "bounded_log_lookup": False,
            "ignore_range_check_inputs_outputs": not spec.checks_boundary,
            "epsilon": 2.220446049250313e-16,
            "disable_freivalds": True,
        },
        "num_rows": 180,
        "total_assignments": 361,
        "total_const_size": 15,
        "total_dynamic_col_size": 0,
        "max_dynamic_input_len": 0,
        "num_dynamic_lookups": 0,
        "num_shuffles": 0,
        "total_shuffle_col_size": 0,
        "einsum_params": {
            "equations": [["mk,kn->mn", {"k": 4, "m": 1, "n": 3}]],
            "total_einsum_col_size": 0,
        },
        "model_instance_shapes": [list(p.shape) or [1] for p in (*inputs, *outputs)],
        "model_output_scales": [p.scale for p in outputs],
        "model_input_scales": [p.scale for p in inputs],
        "module_sizes": {"polycommit": [], "poseidon": [0, [0]]},
        "required_lookups": [],
        "required_range_checks": [[-1, 1], [0, spec.decomp_base - 1]],
        "check_mode": "UNSAFE",
        "version": "23.0.5",
        "num_blinding_factors": None,
        "timestamp": 0,
        "input_types": ["F32"] * len(inputs),
        "output_types": ["F32"] * len(outputs),
    }


def settings_bytes(document: dict[str, Any]) -> bytes:
    return canonical_settings(json.dumps(document).encode())


def mac(settings: bytes, vk: bytes, srs: bytes, felts: Sequence[str]) -> list[int]:
    message = b"|".join([settings, vk, srs, *(felt.encode() for felt in felts)])
    return list(hmac.digest(MAC_KEY, message, "sha256"))


def proof_bytes(settings: bytes, vk: bytes, srs: bytes, values: Sequence[int]) -> bytes:
    """proof.json as EZKL writes it, unauthenticated fields and all."""
    felts = [encode(value) for value in values]
    proof = mac(settings, vk, srs, felts)
    document = {
        "protocol": None,
        "instances": [felts],
        "proof": proof,
        "hex_proof": "0x" + bytes(proof).hex(),
        "split": None,
        "pretty_public_inputs": {"inputs": [[str(value) for value in values]]},
        "timestamp": 1700000000000,
        "version": "23.0.5",
    }
    return json.dumps(document).encode()


def check(obligations: Sequence[Obligation]) -> None:
    """The toy prover's verifier."""
    for one in obligations:
        proof = json.loads(one.proof)
        assert set(proof) == {"instances", "proof"}
        if proof["proof"] != mac(one.settings, one.vk, one.srs, proof["instances"][0]):
            raise ProofRejected(f"slice {one.slice}: the proof is not valid")


def vk_bytes(index: int) -> bytes:
    return f"verification key {index}".encode()


def _ports(tensors: str, start: int) -> tuple[Port, ...]:
    ports = []
    for tensor in tensors:
        shape, length = SHAPES[tensor], prod(SHAPES[tensor])
        ports.append(
            Port(
                tensor=tensor, shape=shape, start=start, length=length, scale=7, visibility="public"
            )
        )
        start += length
    return tuple(ports)


def _slice(index: int, srs: Srs) -> Slice:
    inputs = _ports(PORTS[index][0], 0)
    outputs = _ports(PORTS[index][1], sum(port.length for port in inputs))
    return Slice(
        onnx=sha(f"slice {index}".encode()),
        settings=sha(settings_bytes(settings_document(SPEC, inputs, outputs))),
        vk=sha(vk_bytes(index)),
        proof_bytes=32,
        srs=srs,
        spec=SPEC,
        inputs=inputs,
        outputs=outputs,
    )


def honest_statement(origin: str = "ceremony") -> Statement:
    file = CEREMONY if origin == "ceremony" else TEST_SRS
    srs = Srs(logrows=SPEC.logrows, identity=srs_identity(file), origin=origin)  # type: ignore[arg-type]
    ref = PortRef
    return Statement(
        zkprep="0.1.0",
        prover="ezkl 23.0.5",
        model=ModelDigests(original=sha(b"original"), prepared=sha(b"prepared")),
        preparation=Preparation(
            passes=("explicit-defaults", "fuse-affine"),
            dims=(("batch", 1), ("length", 4)),
            cut=(("double", "sum"), ("relu",), ("total", "join")),
        ),
        slices=tuple(_slice(index, srs) for index in range(3)),
        wires=(
            Wire(tensor="a", source=ref(0, 0), target=ref(1, 0)),
            Wire(tensor="b", source=ref(1, 0), target=ref(2, 0)),
            Wire(tensor="s", source=ref(0, 1), target=ref(2, 1)),
        ),
        inputs=(OuterPort(tensor="x", shape=(4,), ports=(ref(0, 0), ref(2, 2))),),
        outputs=(OuterPort(tensor="y", shape=(2,), ports=(ref(2, 0),)),),
    )


def instances(x: Sequence[int]) -> list[list[int]]:
    """Per slice, its inputs and outputs when the model's input is `x`."""
    a, s = [2 * value for value in x[:3]], sum(x)
    b = [max(value, 0) for value in a]
    y = [sum(b) + s, x[3]]
    return [[*x, *a, s], [*a, *b], [*b, s, *x, *y]]


@dataclass(frozen=True)
class Example:
    """Everything `verify` takes; attacks replace a part of it.

    `twin` is a run of the same function on another input; `foreign` are the files of slice 1 of
    another model; `prove` makes the proof of a slice for given values, as far as the prover behind
    it lets itself be talked into.
    """

    statement: bytes
    bundle: tuple[SliceFiles, ...]
    srs: SrsFiles
    policy: Policy
    twin: "Callable[[], Example]"
    foreign: Callable[[], SliceFiles]
    prove: Callable[[int, bytes, Sequence[int]], bytes]

    def verify(self, checker: Callable[[Sequence[Obligation]], None] = check) -> Verdict:
        return verify(self.statement, self.bundle, self.srs, self.policy, checker)

    @property
    def claim(self) -> Statement:
        return msgspec.json.decode(self.statement, type=Statement)

    def write(self, folder: Path) -> Path:
        """RUN/public, as a prover hands it over."""
        files = {"statement.json": self.statement}
        for index, one in enumerate(self.bundle):
            place = f"slices/{index:03d}"
            files[f"{place}/settings.json"] = one.settings
            files |= {f"{place}/vk": one.vk, f"{place}/proof.json": one.proof}
        if any(piece.srs.origin == "test" for piece in self.claim.slices):
            files |= {f"srs/{logrows}.srs": data for logrows, data in self.srs.test.items()}
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder

    def with_policy(self, **changes: Any) -> "Example":
        return replace(self, policy=replace(self.policy, **changes))

    def anchored(self, statement: Statement) -> "Example":
        """The verifier expects exactly this statement, however wrong it is."""
        data = raw(statement)
        return replace(self, statement=data).with_policy(expected=sha(data))

    def with_slice(self, index: int, **changes: Any) -> "Example":
        return self.anchored(replace_slice(self.claim, index, **changes))

    def with_files(self, index: int, **changes: bytes) -> "Example":
        files = list(self.bundle)
        files[index] = replace(files[index], **changes)
        return replace(self, bundle=tuple(files))

    def with_settings(self, index: int, settings: bytes) -> "Example":
        """Other settings, pinned by the expected statement, and a proof that is valid for them."""
        proof = self.prove(index, settings, instances(X)[index])
        example = self.with_files(index, settings=settings, proof=proof)
        return example.with_slice(index, settings=sha(settings))

    def with_instances(self, index: int, values: Sequence[int]) -> "Example":
        """A proof for other values: what a cheating prover may really do."""
        proof = self.prove(index, self.bundle[index].settings, values)
        return self.with_files(index, proof=proof)


def raw(statement: Statement) -> bytes:
    """The canonical bytes, without the checks of `dump`."""
    return msgspec.json.encode(statement, order="deterministic") + b"\n"


def replace_slice(statement: Statement, index: int, **changes: Any) -> Statement:
    slices = list(statement.slices)
    slices[index] = msgspec.structs.replace(slices[index], **changes)
    return msgspec.structs.replace(statement, slices=tuple(slices))


def replace_port(
    statement: Statement, index: int, side: str, number: int, **changes: Any
) -> Statement:
    ports = list(getattr(statement.slices[index], side))
    ports[number] = msgspec.structs.replace(ports[number], **changes)
    return replace_slice(statement, index, **{side: tuple(ports)})


def honest(x: Sequence[int] = X, origin: str = "ceremony") -> Example:
    """An honest run on the input `x`, and a verifier who expects its statement."""
    statement = honest_statement(origin)
    srs = CEREMONY if origin == "ceremony" else TEST_SRS
    bundle = []
    for index, (piece, values) in enumerate(zip(statement.slices, instances(x), strict=True)):
        settings = settings_bytes(settings_document(SPEC, piece.inputs, piece.outputs))
        proof = proof_bytes(settings, vk_bytes(index), srs, values)
        bundle.append(SliceFiles(settings, vk_bytes(index), proof))
    data = raw(statement)
    other = OTHER_X if tuple(x) == X else X
    return Example(
        data,
        tuple(bundle),
        SrsFiles(ceremony=CEREMONY, test={SPEC.logrows: TEST_SRS}),
        Policy(expected=sha(data), ceremony=sha(CEREMONY)),
        lambda: honest(other, origin),
        lambda: _foreign(bundle[1].settings, srs),
        lambda index, settings, values: proof_bytes(settings, vk_bytes(index), srs, values),
    )


def _foreign(settings: bytes, srs: bytes) -> SliceFiles:
    vk = b"verification key of another model"
    return SliceFiles(settings, vk, proof_bytes(settings, vk, srs, instances(X)[1]))


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON document: `container[key] = value` changes it there."""
    if not isinstance(document, dict | list):
        return []
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    below = [place for key in keys for place in places(document[key])]
    return [(document, key) for key in keys] + below
