"""Tensors from a file: EZKL's JSON, .npz by name, .npy for one; each is checked to be as expected.

Knows no model, so that a verifier can read the input it was told without any tool for models.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zkprep.errors import InputError
from zkprep.files import first_line

UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError)
"""What reading a file that is something else can raise."""


class Expected(Protocol):
    """What a tensor has to be."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type it takes."""
        ...

    @property
    def static_shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...


def read_tensors(path: Path, specs: Sequence[Expected]) -> dict[str, NDArray[Any]]:
    """The tensors of `specs`, in their shapes and types, from a file.

    Raises:
        InputError: unreadable, wrong names, count, shape or dtype, or not finite.
    """
    if not path.is_file():
        raise InputError(f"input '{path}' is not a file", hint="give a .json, .npz or .npy file")
    try:
        if path.suffix in (".npz", ".npy"):
            arrays = read_archive(path, specs)
        else:
            arrays = read_document(path, json.loads(path.read_bytes()), specs)
    except UNREADABLE as error:
        raise InputError(f"input '{path}' cannot be read: {first_line(error)}") from None
    return {spec.name: fit(path, spec, arrays[spec.name]) for spec in specs}


def read_archive(path: Path, specs: Sequence[Expected]) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name, or the one of an .npy, as they are."""
    names = [spec.name for spec in specs]
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            if sorted(archive.files) != sorted(names):
                raise InputError(
                    f"input '{path}' holds {sorted(archive.files)}; the model's inputs are {names}"
                )
            return {name: archive[name] for name in names}
    return _named(path, [np.load(path, allow_pickle=False)], names)


def read_document(
    path: Path, document: object, specs: Sequence[Expected]
) -> dict[str, NDArray[Any]]:
    """The arrays of EZKL's `{"input_data": [[...], ...]}`, as they are."""
    if not isinstance(document, dict) or not isinstance(document.get("input_data"), list):
        raise InputError(
            f"input '{path}' is not EZKL input: expected "
            '{"input_data": [[numbers], ...]} with one list per model input'
        )
    tensors = [_json_tensor(path, tensor) for tensor in document["input_data"]]
    return _named(path, tensors, [spec.name for spec in specs])


def _named(path: Path, tensors: list[NDArray[Any]], names: list[str]) -> dict[str, NDArray[Any]]:
    if len(tensors) != len(names):
        raise InputError(
            f"input '{path}' holds {len(tensors)} tensors; the model's inputs are {names}"
        )
    return dict(zip(names, tensors, strict=True))


def _json_tensor(path: Path, tensor: object) -> NDArray[Any]:
    try:
        array = np.asarray(tensor)
    except ValueError:
        raise InputError(f"input '{path}' holds a ragged list of numbers") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"input '{path}' holds something that is not a number")
    return array


def fit(path: Path, spec: Expected, array: NDArray[Any]) -> NDArray[Any]:
    """The array in its shape and type."""
    shape = spec.static_shape
    exact = array.shape == shape
    flat = path.suffix not in (".npz", ".npy") and array.size == int(np.prod(shape))
    if not (exact or flat):
        raise InputError(
            f"input '{path}': '{spec.name}' has shape {list(array.shape)} ({array.size} elements); "
            f"the model expects {list(shape)} ({int(np.prod(shape))} elements)"
        )
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"input '{path}': '{spec.name}' has dtype {array.dtype}, not a number type"
        )
    if not np.all(np.isfinite(array)):
        raise InputError(f"input '{path}': '{spec.name}' holds NaN or infinity")
    with np.errstate(over="ignore", invalid="ignore"):
        fitted = array.reshape(shape).astype(spec.dtype)
    lossy = spec.dtype.kind != "f" and not np.array_equal(fitted, array.reshape(shape))
    if lossy or not np.all(np.isfinite(fitted)):
        raise InputError(f"input '{path}': '{spec.name}' holds values that are no {spec.dtype}")
    return fitted
