"""The shape of a statement: which model, prepared and cut how, proved by which circuits, wired how.

A statement holds no value of a run: the same model prepared in the same way has the same statement
for every input. `zkprep.claims.wellformed` says what makes one well-formed; the bounds here keep
arithmetic on an untrusted statement cheap.
"""

from typing import Annotated, Literal, NamedTuple

import msgspec

from zkprep.circuit import CircuitSpec

Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Index = Annotated[int, msgspec.Meta(ge=0, le=1 << 26)]
Size = Annotated[int, msgspec.Meta(ge=1, le=1 << 26)]
Scale = Annotated[int, msgspec.Meta(ge=0, le=127)]
Shape = Annotated[tuple[Size, ...], msgspec.Meta(max_length=16)]


class PortRef(NamedTuple):
    """Which port: the slice's index, and the index among that slice's inputs or outputs."""

    slice: Index
    port: Index


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One tensor at a slice's boundary.

    Attributes:
        tensor: its name in the prepared model.
        shape: as in the ONNX graph; () for a scalar.
        start: of a public tensor, the index of its first value among the proof's instances; of a
            committed one, of its first point among those that the proof begins with; else 0.
        length: number of its values, row-major.
        scale: bits after the binary point.
        visibility: how a verifier sees it: "public", as instances; "polycommit", as commitments,
            equal where the tensor is; "private", not at all.
    """

    tensor: Name
    shape: Shape
    start: Index
    length: Size
    scale: Scale
    visibility: Literal["public", "private", "polycommit"]


class Srs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The SRS a key was made with; `identity` is that of `zkprep.claims.points.srs_identity`."""

    logrows: Size
    identity: Digest
    origin: Literal["ceremony", "test"]


class Slice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One circuit: sha256 of its ONNX, settings and key files, its proof's size, and its ports."""

    onnx: Digest
    settings: Digest
    vk: Digest
    proof_bytes: Size
    srs: Srs
    spec: CircuitSpec
    inputs: Annotated[tuple[Port, ...], msgspec.Meta(min_length=1)]
    outputs: Annotated[tuple[Port, ...], msgspec.Meta(min_length=1)]


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tensor that leaves slice `source.slice` and enters the later slice `target.slice`."""

    tensor: Name
    source: PortRef
    target: PortRef


class OuterPort(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model input and the slice inputs that read it, or a model output and its slice output."""

    tensor: Name
    shape: Shape
    ports: Annotated[tuple[PortRef, ...], msgspec.Meta(min_length=1)]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model output that the verifier computes from a proved one; see `zkprep.claims.heads`.

    Attributes:
        tensor: its name in the model.
        source: the proved output it is a function of.
        function: which function.
        axis: along which axis of the source; 0 for Sigmoid, which has none.
        last: for ArgMax, whether the last of equal largest elements counts, not the first.
        shape: its shape.
    """

    tensor: Name
    source: Name
    function: Literal["ArgMax", "LogSoftmax", "Sigmoid", "Softmax"]
    axis: Index
    last: bool
    shape: Shape


class ModelDigests(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """sha256 of the ONNX file as given, and of the whole model after preparation."""

    original: Digest
    prepared: Digest


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tensor of the prepared model that several parts make; parted in one way of the two.

    Attributes:
        tensor: its name.
        cuts: axes of it, and the places at which each is parted.
        summed: the places at which what its operator sums over is parted.
    """

    tensor: Name
    cuts: tuple[tuple[Index, tuple[Index, ...]], ...] = ()
    summed: tuple[Index, ...] = ()


class Preparation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a verifier needs, besides the model, to build every slice again.

    Attributes:
        passes: names of the passes in the order they ran.
        dims: the named dimensions that were set, sorted by name.
        keep_head: whether Softmax and the like at the end stay in the circuit.
        splits: what was split after the passes, in the model's order; left out if nothing was.
        cut: per slice, the names of its nodes in the normalised model, after the splits.
    """

    passes: tuple[Name, ...]
    dims: tuple[tuple[Name, Size], ...]
    keep_head: bool = False
    splits: Annotated[tuple[Split, ...], msgspec.Meta(min_length=1)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    cut: tuple[Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)], ...]


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The claim. A model input that no slice reads is not part of it.

    Attributes:
        format: this format's name and version.
        zkprep: version of zkprep that prepared the model.
        prover: the prover's name and version, such as "ezkl 23.0.5".
        wires: in the order of their targets.
        inputs: the model's inputs, in graph order.
        outputs: the proved outputs, in graph order.
        heads: the model's outputs that are functions of proved ones.
    """

    format: Literal["zkprep.statement/1"] = "zkprep.statement/1"
    zkprep: Name
    prover: Name
    model: ModelDigests
    preparation: Preparation
    slices: Annotated[tuple[Slice, ...], msgspec.Meta(min_length=1)]
    wires: tuple[Wire, ...]
    inputs: Annotated[tuple[OuterPort, ...], msgspec.Meta(min_length=1)]
    outputs: Annotated[tuple[OuterPort, ...], msgspec.Meta(min_length=1)]
    heads: tuple[Head, ...] = ()

    def source(self, ref: PortRef) -> Port:
        """The slice output that `ref` names."""
        return self.slices[ref.slice].outputs[ref.port]

    def target(self, ref: PortRef) -> Port:
        """The slice input that `ref` names."""
        return self.slices[ref.slice].inputs[ref.port]
