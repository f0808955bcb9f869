"""ONNX files whose weights stay on disk: reading leaves them there, writing streams them.

An ONNX file is a protobuf: fields of a number and a value, of which graphs and weights are nested.
    ModelProto.graph = 7    GraphProto.initializer = 5    TensorProto.raw_data = 9
Reading cuts large raw_data out, notes where it lies, and parses the rest; a weight reads its bytes
when they are asked for. Writing serialises the model with raw_data of no length, then puts
the bytes in and corrects the lengths around them: the same bytes as if it had been done in memory.
Weights in external files are left there likewise. A model over `EMBED_UP_TO`, or whose source had
external data, is written with its weights in one file beside it.

Source: onnx.proto; the protobuf encoding, protobuf.dev/programming-guides/encoding.
"""

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from zkprep.files import write_atomically, write_together
from zkprep.outline import LARGE, declared, large_weights, referring, weight_bytes

EMBED_UP_TO = 2**31 - 2**20
"""Bytes of weights that fit into a protobuf, which holds 2 GiB, beside the rest of a model."""

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5

_Buffer = mmap.mmap | bytes


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message: its number, where its tag begins, where its value begins and ends."""

    number: int
    kind: int
    tag: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A model read from a file, its weights left on disk, and the other files they are in."""

    model: ir.Model
    data_files: tuple[Path, ...]


def read(path: Path) -> OnnxFile:
    """The model at `path`; its large weights are read whenever they are asked for.

    Raises:
        ValueError, DecodeError: not ONNX, or a weight file is missing, elsewhere or too short.
        onnx.checker.ValidationError: the checker rejects it.
    """
    proto, slots = _parse(path)
    _bring_inner(proto.graph, path.parent)
    onnx.checker.check_model(declared(proto))
    model = ir.from_proto(proto)
    ir.external_data.set_base_dir(model.graph, path.parent.absolute())
    files: dict[Path, None] = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if not isinstance(tensor, ir.ExternalTensor):
            continue
        if name not in slots:
            files[Path(tensor.path)] = None
            value.const_value = _external(tensor)
            continue
        offset, length = slots[name]
        if length != tensor.nbytes:
            raise ValueError(f"weight '{name}' has {length} bytes instead of {tensor.nbytes}")
        value.const_value = _reading(tensor, path.resolve(), offset, base_dir="")
    return OnnxFile(model, tuple(files))


def write(
    model: ir.Model, path: Path, *, external: bool = False, embed_up_to: int = EMBED_UP_TO
) -> None:
    """Write `model` to `path` atomically, weights in it, or in `<path>.data` if they must be.

    Args:
        model: its weights are made one at a time.
        path: of the .onnx file.
        external: whether to write the weights beside the model whatever their size.
        embed_up_to: most bytes of weights inside the model.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    if not external and weight_bytes(model) <= embed_up_to:
        write_atomically(path, _embedded(model))
        return
    beside = data_beside(path)
    weights = large_weights(model)
    offset, places = 0, {}
    for name, tensor in weights.items():
        places[name] = offset
        offset += tensor.nbytes
    proto = referring(model, lambda name: (beside.name, places[name]))
    chunks = (tensor.tobytes() for tensor in weights.values())
    text = proto.SerializeToString(deterministic=True)
    write_together({beside: chunks, path: iter([text])} if weights else {path: iter([text])})


def data_beside(path: Path) -> Path:
    """Where the weights go that are not written into the model at `path`."""
    return path.with_name(f"{path.name}.data")


def _parse(path: Path) -> tuple[onnx.ModelProto, dict[str, tuple[int, int]]]:
    """The protobuf without its large raw_data, and (offset, length) of that by weight."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return onnx.ModelProto(), {}
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            slots = list(_large_slots(data))
            text = b"".join(_spliced(data, slots, lambda _: iter([b""]), lambda _: 0))
    proto = onnx.ModelProto.FromString(text)
    places = {}
    for index, _, field in slots:
        stored = proto.graph.initializer[index]
        stored.ClearField("raw_data")
        stored.data_location = onnx.TensorProto.EXTERNAL
        stored.external_data.add(key="location", value=path.name)
        places[stored.name] = (field.start, field.end - field.start)
    return proto, places


def _reading(tensor: ir.ExternalTensor, file: Path, offset: int, *, base_dir: str) -> ir.LazyTensor:
    """A tensor that maps its part of `file` when its values are asked for, and lets it go again."""
    # The one tensor names no other: what is asked for must not keep what was read before.
    dtype, shape, name = tensor.dtype, ir.Shape(tensor.shape), str(tensor.name)

    def mapped() -> ir.TensorProtocol:
        return ir.ExternalTensor(
            file, offset, None, dtype, shape=shape, name=name, base_dir=base_dir
        )

    return ir.LazyTensor(
        mapped,
        dtype,
        shape,
        name=name,
        doc_string=tensor.doc_string,
        metadata_props=dict(tensor.metadata_props),
    )


def _external(tensor: ir.ExternalTensor) -> ir.LazyTensor:
    """`tensor` as one that reads its file anew each time; the file is looked at now."""
    path, start = Path(tensor.path), tensor.offset or 0
    if not path.is_file():
        raise ValueError(f"weight file '{tensor.location}' not found next to the model")
    if start + tensor.nbytes > path.stat().st_size or tensor.length not in (None, tensor.nbytes):
        raise ValueError(f"weight '{tensor.name}' is not whole in '{tensor.location}'")
    lazy = _reading(tensor, Path(tensor.location), start, base_dir=str(tensor.base_dir))
    # Mapping the file reads nothing of it, and refuses one that lies outside the model's folder.
    lazy.numpy()
    return lazy


def _bring_inner(graph: onnx.GraphProto, folder: Path) -> None:
    """Bring external tensors that are no weights of the main graph into memory."""
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                _bring(tensor, folder)
            for inner in (attribute.g, *attribute.graphs):
                for tensor in inner.initializer:
                    _bring(tensor, folder)
                _bring_inner(inner, folder)


def _bring(tensor: onnx.TensorProto, folder: Path) -> None:
    if onnx.external_data_helper.uses_external_data(tensor):
        onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        tensor.ClearField("external_data")
        tensor.data_location = onnx.TensorProto.DEFAULT


def _embedded(model: ir.Model) -> Iterator[bytes]:
    """The bytes of `model` with its weights, piece by piece."""
    weights = large_weights(model)
    proto = referring(model, lambda _: ("", 0))
    for stored in proto.graph.initializer:
        if stored.name in weights:
            stored.ClearField("external_data")
            stored.ClearField("data_location")
            # A value of no length would be left out, and with it the place for the bytes.
            stored.raw_data = b"\0"
    names = [stored.name for stored in proto.graph.initializer]
    text = proto.SerializeToString(deterministic=True)
    slots = [slot for slot in _slots(text) if names[slot[0]] in weights]
    return _spliced(
        text,
        slots,
        lambda index: iter([weights[names[index]].tobytes()]),
        lambda index: weights[names[index]].nbytes,
    )


# Index of an initializer, the fields it is nested in (graph, initializer), its raw_data.
_Slot = tuple[int, tuple[_Field, _Field], _Field]


def _large_slots(data: _Buffer) -> Iterator[_Slot]:
    return (slot for slot in _slots(data) if slot[2].end - slot[2].start >= LARGE)


def _slots(data: _Buffer) -> Iterator[_Slot]:
    """Where the raw_data of the initializers of the main graph lie."""
    graphs = [field for field in _fields(data, 0, len(data)) if field.number == _GRAPH]
    if len(graphs) != 1 or graphs[0].kind != _LENGTH:
        return
    inside = _fields(data, graphs[0].start, graphs[0].end)
    found = (field for field in inside if field.number == _INITIALIZER and field.kind == _LENGTH)
    for index, one in enumerate(found):
        raw = [f for f in _fields(data, one.start, one.end) if f.number == _RAW_DATA]
        if len(raw) == 1 and raw[0].kind == _LENGTH:
            yield index, (graphs[0], one), raw[0]


def _fields(data: _Buffer, start: int, end: int) -> Iterator[_Field]:
    """The fields of the message in data[start:end]."""
    while start < end:
        tag = start
        key, start = _varint(data, start, end)
        kind = key & 7
        if kind == _LENGTH:
            length, start = _varint(data, start, end)
        elif kind == _VARINT:
            _, after = _varint(data, start, end)
            length = after - start
        elif kind in (_FIXED_64, _FIXED_32):
            length = 8 if kind == _FIXED_64 else 4
        else:
            raise DecodeError("no such kind of field")
        if start + length > end:
            raise DecodeError("a field is longer than its message")
        yield _Field(key >> 3, kind, tag, start, start + length)
        start += length


def _varint(data: _Buffer, start: int, end: int) -> tuple[int, int]:
    """The number encoded from `start` on, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if start >= end:
            break
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
    raise DecodeError("a number is cut short")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _spliced(
    data: _Buffer,
    slots: list[_Slot],
    make: Callable[[int], Iterator[bytes]],
    size: Callable[[int], int],
) -> Iterator[bytes]:
    """`data` with other values in `slots`, the lengths around them corrected.

    Args:
        data: a ModelProto.
        slots: in order, at most one per initializer.
        make: the new value of a slot, by index of the initializer.
        size: its number of bytes.
    """
    if not slots:
        yield bytes(data[:])
        return
    graph = slots[0][1][0]
    grown = {index: _growth(one, raw, size(index)) for index, (_, one), raw in slots}
    position = graph.tag
    yield bytes(data[:position])
    yield _header(graph, graph.end - graph.start + sum(grown.values()))
    position = graph.start
    for index, (_, one), raw in slots:
        yield bytes(data[position : one.tag])
        inner = _header(raw, size(index))
        content = one.end - one.start - (raw.end - raw.tag) + len(inner) + size(index)
        yield _header(one, content) + bytes(data[one.start : raw.tag]) + inner
        yield from make(index)
        yield bytes(data[raw.end : one.end])
        position = one.end
    yield bytes(data[position:])


def _header(field: _Field, length: int) -> bytes:
    return _encoded(field.number << 3 | _LENGTH) + _encoded(length)


def _growth(one: _Field, raw: _Field, size: int) -> int:
    """By how many bytes an initializer grows, its own header included."""
    content = one.end - one.start - (raw.end - raw.tag) + len(_header(raw, size)) + size
    return len(_header(one, content)) + content - (one.end - one.tag)
