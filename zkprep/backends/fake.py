"""A prover for tests: deterministic, in-process, and as strict as EZKL about what it is given.

It behaves like EZKL where zkprep can tell the difference: settings of EZKL's shape, felts in and
out, keys that depend on model, settings and SRS, proofs that hold for nothing but their instances.
Its proofs are a MAC under a key that everyone can read: they prove nothing to anybody.

    vk, pk    = tag | sha256(structure of the model) | sha256(settings) | sha256(tau in G2)
    instances = public inputs, then public outputs, row-major (EZKL `src/graph/mod.rs:1411`)
    proof     = commitments | HMAC-SHA512(digests of vk, instances, commitments)
    a commitment has 64 bytes per column of its tensor
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import msgspec

from zkprep.backends import fake_circuit
from zkprep.backends.base import Terms, Usage, Witness, read_witness, refuse_deadlock
from zkprep.circuit import (
    CircuitSpec,
    Settings,
    canonical_settings,
    column_blocks,
    read_settings,
    unsound,
)
from zkprep.claims.felts import decode, encode
from zkprep.errors import BackendError, ProofRejected, RangeExceeded, StatementError
from zkprep.files import write_atomically
from zkprep.models.twins import structure

_MAC_KEY = b"zkprep fake prover"
_VK_TAG, _PK_TAG = b"fake-vk:", b"fake-pk:"
_TAU_BYTES = 128
_G2_BYTES = 2 * _TAU_BYTES
_COMMITMENT_BYTES = 64

_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]


class _Circuit(msgspec.Struct, frozen=True):
    """A compiled circuit: ONNX and the settings it was compiled under, both as bytes."""

    model: bytes
    settings: bytes

    @property
    def digests(self) -> bytes:
        """sha256 of both; as with EZKL, the names in the model do not matter."""
        model = structure(fake_circuit.read_model("setup", self.model))
        return bytes.fromhex(model) + hashlib.sha256(self.settings).digest()


class _Proof(msgspec.Struct, frozen=True):
    """The part of a proof file that is checked."""

    instances: list[list[str]]
    proof: list[_Byte]


@dataclass(frozen=True, slots=True)
class FakeBackend:
    """The fake prover.

    Attributes:
        fail: errors to raise, by verb: {"prove": TimedOut("...")}.
    """

    fail: Mapping[str, Exception] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def version(self) -> str:
        """See Backend."""
        return f"fake {fake_circuit.VERSION}"

    def on(self, terms: Terms) -> Self:
        """See Backend. It takes no time, no threads and no memory worth a limit."""
        terms.watch(0)
        return self

    def gen_settings(self, model: Path, spec: CircuitSpec, out: Path) -> Usage:
        """See Backend."""
        (data,) = self._read("gen_settings", model)
        graph = fake_circuit.read_model("gen_settings", data)
        return _write(out, canonical_settings(fake_circuit.circuit_settings(graph, spec)))

    def calibrate(self, model: Path, data: Path, spec: CircuitSpec, out: Path) -> Usage:
        """See Backend. Picks the least rows that hold the cells in one block."""
        graph = fake_circuit.read_model("calibrate", self._read("calibrate", model, data)[0])
        logrows = fake_circuit.logrows_needed(graph, spec)
        picked = msgspec.structs.replace(spec, logrows=logrows)
        return _write(out, canonical_settings(fake_circuit.circuit_settings(graph, picked)))

    def table(self, model: Path, spec: CircuitSpec) -> str:
        """See Backend."""
        (data,) = self._read("table", model)
        return fake_circuit.operator_table(fake_circuit.read_model("table", data), spec)

    def compile(self, model: Path, settings: Path, out: Path) -> Usage:
        """See Backend."""
        circuit = _Circuit(*self._read("compile", model, settings))
        reason = unsound(_settings("compile", circuit.settings))
        if reason:
            raise BackendError(f"fake compile: the settings are unsound: {reason}", stage="compile")
        return _write(out, msgspec.msgpack.encode(circuit))

    def setup(self, circuit: Path, srs: Path, vk: Path, pk: Path) -> Usage:
        """See Backend."""
        compiled = _circuit("setup", *self._read("setup", circuit))
        wanted = _settings("setup", compiled.settings).run_args.logrows
        logrows, tau = _read_srs("setup", srs)
        if logrows != wanted:
            raise BackendError(
                f"fake setup: the SRS has 2**{logrows} rows, the circuit 2**{wanted}", stage="setup"
            )
        _write(pk, _PK_TAG + compiled.digests + tau)
        return _write(vk, _VK_TAG + compiled.digests + tau)

    def witness(self, circuit: Path, data: Path, out: Path) -> Usage:
        """See Backend. What tables look up is taken to be the boundary's values."""
        compiled, given = self._read("witness", circuit, data)
        parsed = _circuit("witness", compiled)
        settings = _settings("witness", parsed.settings)
        model = fake_circuit.read_model("witness", parsed.model)
        inputs = fake_circuit.read_data(model, settings, given)
        outputs = fake_circuit.run(model, settings, inputs)
        values = [value for tensor in (*inputs, *outputs) for value in tensor]
        _refuse_large(values, settings)
        made = Witness(
            inputs=_felts(inputs),
            outputs=_felts(outputs),
            min_lookup_inputs=min(values, default=0),
            max_lookup_inputs=max(values, default=0),
            max_range_size=settings.run_args.decomp_base - 1,
        )
        return _write(out, msgspec.json.encode(made))

    def prove(
        self, witness: Path, circuit: Path, pk: Path, srs: Path, settings: Path, out: Path
    ) -> Usage:
        """See Backend. As with EZKL, a wrong witness gives a proof that does not verify."""
        compiled, key, pinned, _ = self._read("prove", circuit, pk, settings, witness)
        parsed, rules = _circuit("prove", compiled), _settings("prove", pinned)
        claimed = read_witness(witness)
        refuse_deadlock(claimed, rules)
        if key != _PK_TAG + parsed.digests + _read_srs("prove", srs)[1]:
            raise BackendError("fake prove: the key is of another circuit or SRS", stage="prove")
        model = fake_circuit.read_model("prove", parsed.model)
        inputs = [[decode(felt) for felt in tensor] for tensor in claimed.inputs]
        outputs = _felts(fake_circuit.run(model, rules, inputs))
        computed = msgspec.structs.replace(claimed, outputs=outputs)
        committed = _commitments(computed, rules)
        proof = committed + _mac(key[len(_PK_TAG) :], _instances(computed, rules), committed)
        document = _Proof([_instances(claimed, rules)], list(proof))
        return _write(out, msgspec.json.encode(document))

    def verify(self, proof: Path, settings: Path, vk: Path, srs: Path) -> Usage:
        """See Backend."""
        tau = _read_srs("verify", srs)[1]
        for path in (proof, settings, vk):
            if not path.is_file():
                raise ProofRejected(f"'{path.name}' is missing")
        claimed, pinned, key = self._read("verify", proof, settings, vk)
        try:
            rules = read_settings(pinned)
            document = msgspec.json.decode(claimed, type=_Proof)
            (instances,) = document.instances
            signature = bytes(document.proof)
            for felt in instances:
                decode(felt)
        except (StatementError, msgspec.MsgspecError, ValueError) as error:
            raise ProofRejected(f"proof '{proof.name}' is not valid: {error}") from None
        head = len(signature) - hashlib.sha512().digest_size
        digests = key[len(_VK_TAG) :]
        if (
            not key.startswith(_VK_TAG)
            or digests[32:] != hashlib.sha256(pinned).digest() + tau
            or len(instances) != rules.instances
            or head != _COMMITMENT_BYTES * sum(map(_columns(rules), rules.module_sizes.polycommit))
            or signature[head:] != _mac(digests, instances, signature[:head])
        ):
            raise ProofRejected(
                f"proof '{proof.name}' is not valid: the constraint system is not satisfied"
            )
        return _usage(claimed, pinned, key)

    def gen_srs(self, out: Path, logrows: int) -> Usage:
        """See Backend. The same for equal logrows, and nothing but zeros between head and tail."""
        self._read("gen_srs")
        points = hashlib.sha512(f"fake srs {logrows}".encode()).digest()
        document = bytearray(128 * 2**logrows + 260)
        document[:4] = logrows.to_bytes(4, "little")
        document[4:132] = points * 2
        document[-_G2_BYTES:] = points * 4
        return _write(out, bytes(document))

    def get_srs(self, out: Path, logrows: int) -> Usage:
        """See Backend. There is no network here."""
        self._read("get_srs")
        raise BackendError(
            f"fake get_srs: '{out.name}' of logrows {logrows} cannot be reached", stage="get_srs"
        )

    def _read(self, verb: str, *paths: Path) -> list[bytes]:
        if error := self.fail.get(verb):
            raise error
        for path in paths:
            if not path.is_file():
                raise BackendError(f"fake {verb}: there is no file '{path}'", stage=verb)
        return [path.read_bytes() for path in paths]


def _write(out: Path, data: bytes) -> Usage:
    write_atomically(out, data)
    return _usage(data)


def _usage(*data: bytes) -> Usage:
    """A figure that depends on the work alone: a microsecond and a byte for each byte."""
    size = sum(len(item) for item in data) + 1
    return Usage(seconds=size * 1e-6, cpu_seconds=size * 1e-6, peak_bytes=size)


def _settings(stage: str, data: bytes) -> Settings:
    try:
        return read_settings(data)
    except StatementError as error:
        raise BackendError(f"fake {stage}: {error}", stage=stage) from None


def _circuit(stage: str, data: bytes) -> _Circuit:
    try:
        return msgspec.msgpack.decode(data, type=_Circuit)
    except msgspec.MsgspecError as error:
        raise BackendError(f"fake {stage}: not a circuit: {error}", stage=stage) from None


def _read_srs(stage: str, path: Path) -> tuple[int, bytes]:
    """Logrows of an SRS file, and sha256 of its tau in G2."""
    if not path.is_file():
        raise BackendError(f"fake {stage}: there is no SRS at '{path}'", stage=stage)
    data = path.read_bytes()
    return int.from_bytes(data[:4], "little"), hashlib.sha256(data[-_TAU_BYTES:]).digest()


def _refuse_large(values: Sequence[int], settings: Settings) -> None:
    args = settings.run_args
    worst = max((abs(value) for value in values), default=0)
    if worst > args.decomp_base**args.decomp_legs - 1:
        raise RangeExceeded(
            f"fake witness: the value {worst} does not fit {args.decomp_legs} digits of base "
            f"{args.decomp_base}",
            stage="witness",
        )


def _felts(tensors: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[encode(value) for value in tensor] for tensor in tensors]


def _instances(witness: Witness, settings: Settings) -> list[str]:
    return [felt for tensor in _of(witness, settings, "Public") for felt in tensor]


def _commitments(witness: Witness, settings: Settings) -> bytes:
    """A digest per committed tensor, which two slices share when the tensor is the same."""
    tensors = _of(witness, settings, "KZGCommit")
    columns = _columns(settings)
    return b"".join(
        hashlib.sha512("".join(tensor).encode()).digest() * columns(len(tensor))
        for tensor in tensors
    )


def _columns(settings: Settings) -> Callable[[int], int]:
    """Columns that a committed tensor of so many values takes."""
    return lambda length: column_blocks(length, 1, settings.run_args.logrows)


def _of(witness: Witness, settings: Settings, visibility: str) -> list[list[str]]:
    args = settings.run_args
    inputs = witness.inputs if args.input_visibility == visibility else []
    outputs = witness.outputs if args.output_visibility == visibility else []
    return [*inputs, *outputs]


def _mac(digests: bytes, instances: Sequence[str], committed: bytes) -> bytes:
    message = digests + msgspec.json.encode(instances) + committed
    return hmac.new(_MAC_KEY, message, hashlib.sha512).digest()
