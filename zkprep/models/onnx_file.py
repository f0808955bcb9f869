"""ONNX files whose weights stay on disk: reading leaves them there, writing streams them.

Reading cuts the large weights out (`splicing`), notes where they lie, and parses the rest; a weight
reads its bytes when they are asked for. Writing serialises the model without them, then puts them
in: the same bytes as if it had been done in memory.
Weights in external files are left there likewise. A model over `EMBED_UP_TO`, or whose source had
external data, is written with its weights in one file beside it.

Source: onnx.proto, ExternalData.
"""

import logging
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.files import write_atomically, write_together
from zkprep.models.ordering import put_in_order
from zkprep.models.outline import LARGE, declared, large_weights, referring, weight_bytes
from zkprep.models.sparse import densify
from zkprep.models.splicing import spliced, weight_slots

_LOG = logging.getLogger(__name__)

EMBED_UP_TO = 2**31 - 2**20
"""Bytes of weights that fit into a protobuf, which holds 2 GiB, beside the rest of a model."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A model read from a file, its weights left on disk, and the other files they are in."""

    model: ir.Model
    data_files: tuple[Path, ...]


def read(path: Path) -> OnnxFile:
    """The model at `path`; its large weights are read whenever they are asked for.

    Raises:
        ValueError, DecodeError: not ONNX, or a weight file is missing, elsewhere or too short.
        InputError: a sparse weight is too large to be made dense, or an output is no tensor.
        onnx.checker.ValidationError: the checker rejects it.
    """
    proto, slots = _parse(path)
    proto = densify(proto, path.parent)
    if proto.training_info:
        _LOG.warning("model '%s': its training information is no part of what is proved", path)
    _refuse_maps(proto.graph)
    put_in_order(proto.graph)
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


def _refuse_maps(graph: onnx.GraphProto) -> None:
    """Raise where the interface holds maps, which nothing here can read."""
    for what, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            kinds = value.type, value.type.sequence_type.elem_type
            if any(kind.WhichOneof("value") == "map_type" for kind in kinds):
                raise InputError(
                    f"{what} '{value.name}' holds maps, and a circuit has tensors only",
                    hint="scikit-learn: to_onnx(model, x, options={id(model): {'zipmap': False}})",
                )


def _parse(path: Path) -> tuple[onnx.ModelProto, dict[str, tuple[int, int]]]:
    """The protobuf without its large raw_data, and (offset, length) of that by weight."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return onnx.ModelProto(), {}
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            slots = [slot for slot in weight_slots(data) if slot.size >= LARGE]
            text = b"".join(spliced(data, slots, lambda _: b"", lambda _: 0))
    proto = onnx.ModelProto.FromString(text)
    places = {}
    for slot in slots:
        stored = proto.graph.initializer[slot.index]
        stored.ClearField("raw_data")
        stored.data_location = onnx.TensorProto.EXTERNAL
        stored.external_data.add(key="location", value=path.name)
        places[stored.name] = (slot.raw.start, slot.size)
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
    slots = [slot for slot in weight_slots(text) if names[slot.index] in weights]
    return spliced(
        text,
        slots,
        lambda index: weights[names[index]].tobytes(),
        lambda index: weights[names[index]].nbytes,
    )
