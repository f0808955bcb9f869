"""Weights inside a serialised model: where their bytes lie, and how to put others in their place.

A protobuf is a row of fields, each a number and a value; some values are protobufs again.
    ModelProto.graph = 7    GraphProto.initializer = 5    TensorProto.raw_data = 9
Another value for raw_data changes the lengths of the weight and of the graph around it, and nothing
else.

Source: onnx.proto; the protobuf encoding, protobuf.dev/programming-guides/encoding.
"""

import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5

Buffer = mmap.mmap | bytes


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: its number, where its tag begins, where its value begins and ends."""

    number: int
    kind: int
    tag: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WeightSlot:
    """Where the raw_data of a weight of the main graph lies.

    Attributes:
        index: number of the weight among the initializers.
        graph: the field of the main graph.
        weight: the field of the weight, inside it.
        raw: the field of the bytes, inside that.
    """

    index: int
    graph: Field
    weight: Field
    raw: Field

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.raw.end - self.raw.start


def weight_slots(data: Buffer) -> Iterator[WeightSlot]:
    """Where the raw_data of the weights in `data`, a ModelProto, lie, in order.

    Raises:
        DecodeError: it is no protobuf, or cut short.
    """
    graphs = [field for field in _fields(data, 0, len(data)) if field.number == _GRAPH]
    if len(graphs) != 1 or graphs[0].kind != _LENGTH:
        return
    inside = _fields(data, graphs[0].start, graphs[0].end)
    found = (field for field in inside if field.number == _INITIALIZER and field.kind == _LENGTH)
    for index, one in enumerate(found):
        raw = [f for f in _fields(data, one.start, one.end) if f.number == _RAW_DATA]
        if len(raw) == 1 and raw[0].kind == _LENGTH:
            yield WeightSlot(index, graphs[0], one, raw[0])


def _fields(data: Buffer, start: int, end: int) -> Iterator[Field]:
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
        yield Field(key >> 3, kind, tag, start, start + length)
        start += length


def _varint(data: Buffer, start: int, end: int) -> tuple[int, int]:
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


def spliced(
    data: Buffer,
    slots: Sequence[WeightSlot],
    make: Callable[[int], bytes],
    size: Callable[[int], int],
) -> Iterator[bytes]:
    """`data` with other bytes in `slots`, piece by piece, each made when its turn comes.

    Args:
        data: a ModelProto.
        slots: in order.
        make: the new bytes of a weight, by its index.
        size: how many they are.
    """
    if not slots:
        yield bytes(data[:])
        return
    graph = slots[0].graph
    grown = sum(_growth(slot, size(slot.index)) for slot in slots)
    yield bytes(data[: graph.tag])
    yield _header(graph, graph.end - graph.start + grown)
    position = graph.start
    for slot in slots:
        one, raw, length = slot.weight, slot.raw, size(slot.index)
        yield bytes(data[position : one.tag])
        yield _header(one, _content(slot, length)) + bytes(data[one.start : raw.tag])
        yield _header(raw, length)
        yield make(slot.index)
        yield bytes(data[raw.end : one.end])
        position = one.end
    yield bytes(data[position:])


def _header(field: Field, length: int) -> bytes:
    return _encoded(field.number << 3 | _LENGTH) + _encoded(length)


def _content(slot: WeightSlot, size: int) -> int:
    """Length of a weight with `size` bytes of raw_data."""
    rest = slot.weight.end - slot.weight.start - (slot.raw.end - slot.raw.tag)
    return rest + len(_header(slot.raw, size)) + size


def _growth(slot: WeightSlot, size: int) -> int:
    """By how many bytes a weight grows, its own header included."""
    content = _content(slot, size)
    return len(_header(slot.weight, content)) + content - (slot.weight.end - slot.weight.tag)
