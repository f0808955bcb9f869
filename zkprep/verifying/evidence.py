"""Are a slice's files the pinned ones? Rule (4) of `zkprep.verifying.chain.verify`, but the
prover's check.

Settings and key are compared by digest. The settings must besides be sound and say what the
statement says, so that a statement cannot describe a circuit other than the one proved. Of a proof
only `instances` and `proof` are read, and only those are passed on: EZKL authenticates nothing else
(`src/pfsys/mod.rs` Snark and verify_proof_circuit).
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

import msgspec

from zkprep.circuit import (
    VISIBILITIES,
    Settings,
    canonical_settings,
    read_settings,
    unsound,
)
from zkprep.claims.claim import Port, Slice
from zkprep.claims.felts import decode
from zkprep.claims.points import G1_BYTES
from zkprep.claims.wellformed import extent
from zkprep.errors import ProofRejected, StatementError

_SAME_NAME = (
    "input_scale",
    "param_scale",
    "scale_rebase_multiplier",
    "lookup_range",
    "logrows",
    "num_inner_cols",
    "decomp_base",
    "decomp_legs",
)

# What EZKL's proof.json may take: decimals and hex of the proof, felts and their readable forms.
_FILE_BYTES, _TEXT_PER_BYTE, _TEXT_PER_INSTANCE = 1 << 16, 16, 1024

Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]


@dataclass(frozen=True, slots=True)
class SliceFiles:
    """The public files of one slice (untrusted)."""

    settings: bytes
    vk: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a proof shows, once it is checked.

    Attributes:
        instances: its public values, as signed integers.
        points: the commitments it begins with, encoded, one after the other.
        proof: proof.json written anew from its authenticated part.
    """

    instances: tuple[int, ...]
    points: bytes
    proof: bytes


class _ProofFile(msgspec.Struct, frozen=True):
    instances: Annotated[tuple[tuple[str, ...], ...], msgspec.Meta(min_length=1, max_length=1)]
    proof: tuple[Byte, ...]


def open_slice(index: int, piece: Slice, prover: str, files: SliceFiles) -> Evidence:
    """Read the files (untrusted) of slice `index`, pinned by `piece`.

    Raises:
        ProofRejected: a file is not the pinned one, or the proof has not the pinned form.
        StatementError: the pinned settings are unsound or contradict the statement.
    """
    where = f"slice {index}"
    _require_digest(f"{where}: settings.json", files.settings, piece.settings)
    _require_digest(f"{where}: vk", files.vk, piece.vk)
    settings = _read_settings(where, files.settings)
    reason = unsound(settings)
    if reason:
        raise StatementError(f"{where}: unsound settings: {reason}")
    for name, (found, expected) in _agreements(settings, piece, prover).items():
        if found != expected:
            raise StatementError(
                f"{where}: the settings' {name} is {found!r}, the statement says {expected!r}"
            )
    return _read_proof(where, piece, files.proof)


def _require_digest(where: str, data: bytes, pinned: str) -> None:
    found = sha256(data).hexdigest()
    if found != pinned:
        raise ProofRejected(f"{where} is not the pinned one: sha256 {found}, expected {pinned}")


def _read_settings(where: str, data: bytes) -> Settings:
    try:
        settings, canonical = read_settings(data), canonical_settings(data)
    except StatementError as error:
        raise StatementError(f"{where}: {error}") from None
    if canonical != data:
        raise StatementError(f"{where}: the settings are not in canonical form")
    return settings


def _agreements(settings: Settings, piece: Slice, prover: str) -> dict[str, tuple[object, object]]:
    """Name -> (what the settings say, what the statement says)."""
    args, spec = settings.run_args, piece.spec
    public, committed = _seen(piece, "public"), _seen(piece, "polycommit")
    shapes = [list(port.shape) or [1] for port in public]  # EZKL gives a scalar the shape [1]
    return {
        **{name: (getattr(args, name), getattr(spec, name)) for name in _SAME_NAME},
        "input_visibility": (args.input_visibility, VISIBILITIES.get(spec.input_visibility)),
        "output_visibility": (args.output_visibility, VISIBILITIES.get(spec.output_visibility)),
        "ignore_range_check_inputs_outputs": (
            args.ignore_range_check_inputs_outputs,
            not spec.checks_boundary,
        ),
        "rebase_frac_zero_constants": (args.rebase_frac_zero_constants, spec.integer_constants),
        "model_input_scales": (settings.model_input_scales, _taken_for(piece)),
        "model_output_scales": (settings.model_output_scales, _said_of(piece)),
        "model_instance_shapes": (settings.model_instance_shapes, shapes),
        "number of hashes": (sum(settings.module_sizes.poseidon[1]), 0),
        "committed sizes": (settings.module_sizes.polycommit, [p.length for p in committed]),
        "version": (settings.version, prover.rpartition(" ")[2]),
    }


def _taken_for(piece: Slice) -> list[int]:
    """The scales that the circuit takes its inputs for: theirs less what they descend by."""
    by = piece.spec.descents or (0,) * len(piece.inputs)
    return [port.scale - bits for port, bits in zip(piece.inputs, by, strict=True)]


def _said_of(piece: Slice) -> list[int]:
    """The scales that EZKL says of its outputs: theirs and what they are brought down by."""
    by = piece.spec.exits or (0,) * len(piece.outputs)
    return [port.scale + bits for port, bits in zip(piece.outputs, by, strict=True)]


def _seen(piece: Slice, visibility: str) -> list[Port]:
    return [port for port in (*piece.inputs, *piece.outputs) if port.visibility == visibility]


def _read_proof(where: str, piece: Slice, data: bytes) -> Evidence:
    expected = sum(port.length for port in _seen(piece, "public"))
    longest = _FILE_BYTES + _TEXT_PER_BYTE * piece.proof_bytes + _TEXT_PER_INSTANCE * expected
    if len(data) > longest:
        raise ProofRejected(
            f"{where}: proof.json has {len(data)} bytes, a proof like this has at most {longest}"
        )
    try:
        proof = msgspec.json.decode(data, type=_ProofFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProofRejected(f"{where}: proof.json is not a proof: {error}") from None
    if len(proof.instances[0]) != expected:
        raise ProofRejected(
            f"{where}: the proof has {len(proof.instances[0])} instances, expected {expected}"
        )
    if len(proof.proof) != piece.proof_bytes:
        raise ProofRejected(
            f"{where}: the proof has {len(proof.proof)} bytes, expected {piece.proof_bytes}"
        )
    head = sum(extent(port, piece.spec.logrows) for port in _seen(piece, "polycommit"))
    return Evidence(
        instances=_signed(where, proof.instances[0]),
        points=bytes(proof.proof[: G1_BYTES * head]),
        proof=msgspec.json.encode(proof),
    )


def _signed(where: str, felts: tuple[str, ...]) -> tuple[int, ...]:
    values = []
    for position, felt in enumerate(felts):
        try:
            values.append(decode(felt))
        except ValueError as error:
            raise ProofRejected(f"{where}: instance {position} is not canonical: {error}") from None
    return tuple(values)
