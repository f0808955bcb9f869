"""The statement of a run, composed from its prepared model, its slices and their keys."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from msgspec import UNSET
from msgspec.structs import replace

from zkprep import __version__
from zkprep.backends.srs import Srs
from zkprep.claims import statement
from zkprep.claims.statement import OuterPort, Port, PortRef, Statement
from zkprep.claims.wellformed import extent
from zkprep.files import digest, file_digest
from zkprep.models.model import TensorSpec, input_specs, output_specs, serialize
from zkprep.proving.sized import Sized
from zkprep.slicing.slices import Slicing


@dataclass(frozen=True, slots=True)
class Keyed:
    """A slice whose keys exist, the SRS they were made with, and its proof's size in bytes."""

    sized: Sized
    srs: Srs
    proof_bytes: int


def compose(slicing: Slicing, keyed: Sequence[Keyed], prover: str) -> Statement:
    """The statement that proofs of these slices prove."""
    prepared = slicing.prepared
    slices = tuple(_slice(one) for one in keyed)
    return Statement(
        zkprep=__version__,
        prover=prover,
        model=statement.ModelDigests(
            original=prepared.digest, prepared=digest(serialize(prepared.model))
        ),
        preparation=statement.Preparation(
            passes=prepared.passes,
            dims=tuple(sorted(prepared.dims.items())),
            keep_head=prepared.keep_head,
            splits=prepared.splits or UNSET,
            cut=tuple(piece.nodes for piece in slicing.slices),
        ),
        slices=slices,
        wires=tuple(
            statement.Wire(tensor=w.tensor, source=PortRef(*w.source), target=PortRef(*w.target))
            for w in slicing.wires
        ),
        inputs=_outer(input_specs(prepared.normalised), [one.inputs for one in slices]),
        outputs=_outer(output_specs(prepared.normalised), [one.outputs for one in slices]),
        heads=prepared.heads,
    )


def _slice(one: Keyed) -> statement.Slice:
    sized = one.sized
    given = _ports(input_specs(sized.model), sized.input_scales, sized.spec.input_visibility)
    made = _ports(output_specs(sized.model), sized.output_scales, sized.spec.output_visibility)
    placed = _placed((*given, *made), sized.spec.logrows)
    return statement.Slice(
        onnx=file_digest(sized.path),
        settings=file_digest(sized.files.settings),
        vk=file_digest(sized.keys.vk),
        proof_bytes=one.proof_bytes,
        srs=statement.Srs(
            logrows=one.srs.logrows, identity=one.srs.identity, origin=one.srs.origin
        ),
        spec=sized.spec,
        inputs=placed[: len(given)],
        outputs=placed[len(given) :],
    )


def _ports(
    tensors: Sequence[TensorSpec], scales: Sequence[int], visibility: str
) -> tuple[Port, ...]:
    """One side's ports, not yet placed."""
    return tuple(
        Port(
            tensor=tensor.name,
            shape=tensor.static_shape,
            start=0,
            length=prod(tensor.static_shape),
            scale=scale,
            visibility=visibility,  # type: ignore[arg-type]
        )
        for tensor, scale in zip(tensors, scales, strict=True)
    )


def _placed(ports: Sequence[Port], logrows: int) -> tuple[Port, ...]:
    """The ports where their instances, or their commitments, begin: one after the other."""
    ends: Counter[str] = Counter()
    placed = []
    for port in ports:
        placed.append(replace(port, start=ends[port.visibility]))
        ends[port.visibility] += extent(port, logrows)
    return tuple(placed)


def _outer(tensors: Sequence[TensorSpec], ports: Sequence[Sequence[Port]]) -> tuple[OuterPort, ...]:
    """Where each of the model's own tensors is a port; one that no slice reads is left out."""
    found: dict[str, list[PortRef]] = {}
    for index, slice_ports in enumerate(ports):
        for position, port in enumerate(slice_ports):
            found.setdefault(port.tensor, []).append(PortRef(index, position))
    return tuple(
        OuterPort(tensor=t.name, shape=t.static_shape, ports=tuple(found[t.name]))
        for t in tensors
        if t.name in found
    )
