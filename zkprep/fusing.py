"""Fusion alone: a smaller model of the same function, from what the user has in hand.

Nothing is changed in place: a model is copied, a file is written beside the one it came from.
"""

from pathlib import Path
from typing import TypeVar

import onnx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.models import onnx_file
from zkprep.models.model import load_lazily
from zkprep.models.sparse import densify
from zkprep.passes import fusion_passes, settling_passes
from zkprep.passes.base import PassResult, Site, rehearse, run_passes

Model = TypeVar("Model", onnx.ModelProto, ir.Model)


def fuse(model: ir.Model) -> PassResult:
    """A smaller model of the same function, and every place that was looked at.

    The interface, the opset and the names of surviving tensors are those of `model`, which is
    left untouched; nodes without a name get one.

    Raises:
        PassError: a pass broke its contract; nothing is returned.
        InputError: nothing here can run the model, so no change of it could be checked; or it
            makes tensors that are too large.
    """
    rehearse(model, settling_passes())
    return run_passes(model, fusion_passes())


def fuse_model(model: Model) -> Model:
    """A smaller model of the same function, of the same kind as `model`, which stays as it is.

    Args:
        model: an onnx.ModelProto or an onnx_ir.Model.

    Raises:
        InputError: it is no valid model, or something else than a model.
        PassError: see `fuse`.
    """
    if isinstance(model, ir.Model):
        return fuse(model).model
    if isinstance(model, onnx.ModelProto):
        return ir.to_proto(fuse(_read(model)).model)
    raise InputError(
        f"fuse_model takes an onnx.ModelProto or an onnx_ir.Model, not {type(model).__name__}",
        hint="fuse_file(src, dst) takes the paths of ONNX files",
    )


def fuse_file(
    src: str | Path, dst: str | Path, *, embed_up_to: int = onnx_file.EMBED_UP_TO
) -> tuple[Site, ...]:
    """`fuse` from file to file; `dst` is written whole or not at all, even if nothing fused.

    Large weights are read and written one at a time. They go into `<dst>.data` where those of `src`
    are in files of their own, or where they have more than `embed_up_to` bytes.

    Raises:
        InputError: `src` is no valid model, `dst` cannot be written or is `src` or its weights.
        PassError: see `fuse`.
    """
    source, target = Path(src), Path(dst)
    _refuse_same(target, source, "the input itself; fuse never works in place")
    found = load_lazily(source)
    for path in (target, onnx_file.data_beside(target)):
        for data in found.data_files:
            _refuse_same(path, data, "where the input keeps its weights; choose another name")
    result = fuse(found.model)
    external = bool(found.data_files)
    onnx_file.write(result.model, target, external=external, embed_up_to=embed_up_to)
    return result.sites


def _read(proto: onnx.ModelProto) -> ir.Model:
    try:
        onnx.checker.check_model(proto)
        return ir.from_proto(densify(proto, Path()))
    except Exception as error:  # noqa: BLE001 - onnx documents no closed set of errors
        raise InputError(f"the model is not valid: {first_line(error)}") from None


def _refuse_same(target: Path, other: Path, what: str) -> None:
    if target.exists() and other.exists() and target.samefile(other):
        raise InputError(f"'{target}' is {what}")
