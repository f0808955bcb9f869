"""The user's input for a model: EZKL's JSON, .npz by input name, .npy for a model of one input.

Every tensor is checked against its graph input before any work is spent on it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.model import Feeds, TensorSpec, input_specs


def read_input(path: Path, model: ir.Model) -> Feeds:
    """The user's input for `model` from EZKL's JSON (`{"input_data": [[...], ...]}`), .npz or .npy.

    Each tensor must have the element count of its graph input, whose shape and dtype it takes.

    Raises:
        InputError: unreadable, wrong names, count, shape or dtype, or not finite.
    """
    if not path.is_file():
        raise InputError(f"input '{path}' is not a file", hint="give a .json, .npz or .npy file")
    specs = input_specs(model)
    try:
        arrays = _read_arrays(path, specs)
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise InputError(f"input '{path}' cannot be read: {first_line(error)}") from None
    return {spec.name: _fit(path, spec, arrays[spec.name]) for spec in specs}


def read_samples(path: Path, model: ir.Model) -> tuple[Feeds, ...]:
    """Several inputs for `model`: a JSON list of EZKL inputs, or an .npz or .npy file.

    The tensors of an archive have one more, leading axis, which counts the inputs.

    Raises:
        InputError: as `read_input`, or no input at all.
    """
    if not path.is_file():
        raise InputError(f"samples '{path}' are not a file", hint="give a .json, .npz or .npy file")
    specs = input_specs(model)
    try:
        several = list(_read_several(path, specs))
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise InputError(f"samples '{path}' cannot be read: {first_line(error)}") from None
    if not several:
        raise InputError(f"samples '{path}' hold no input")
    return tuple(
        {spec.name: _fit(path, spec, arrays[spec.name]) for spec in specs} for arrays in several
    )


def inputs_like(feeds: Feeds, seed: int) -> Feeds:
    """A random input of the same shapes and types, each tensor within the range of `feeds`'s."""
    random = np.random.default_rng(seed)
    made: Feeds = {}
    for name, array in feeds.items():
        low, high = array.min(), array.max()
        if array.dtype.kind == "f":
            made[name] = random.uniform(low, high, array.shape).astype(array.dtype)
        else:
            made[name] = random.integers(int(low), int(high) + 1, array.shape).astype(array.dtype)
    return made


def _read_arrays(path: Path, specs: tuple[TensorSpec, ...]) -> dict[str, NDArray[Any]]:
    if path.suffix in (".npz", ".npy"):
        return _read_archive(path, specs)
    return _read_document(path, json.loads(path.read_bytes()), specs)


def _read_several(path: Path, specs: tuple[TensorSpec, ...]) -> Iterator[dict[str, NDArray[Any]]]:
    if path.suffix in (".npz", ".npy"):
        arrays = _read_archive(path, specs)
        counts = {array.shape[:1] for array in arrays.values()}
        if len(counts) != 1 or () in counts:
            raise InputError(f"samples '{path}': the tensors differ in their leading axis")
        for index in range(*counts.pop()):
            yield {name: array[index] for name, array in arrays.items()}
        return
    documents = json.loads(path.read_bytes())
    if not isinstance(documents, list):
        raise InputError(
            f"samples '{path}' are not a list of EZKL inputs: expected "
            '[{"input_data": [[numbers], ...]}, ...]'
        )
    for document in documents:
        yield _read_document(path, document, specs)


def _read_archive(path: Path, specs: tuple[TensorSpec, ...]) -> dict[str, NDArray[Any]]:
    names = [spec.name for spec in specs]
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            if sorted(archive.files) != sorted(names):
                raise InputError(
                    f"input '{path}' holds {sorted(archive.files)}; the model's inputs are {names}"
                )
            return {name: archive[name] for name in names}
    return _named(path, [np.load(path, allow_pickle=False)], names)


def _read_document(
    path: Path, document: object, specs: tuple[TensorSpec, ...]
) -> dict[str, NDArray[Any]]:
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


def _fit(path: Path, spec: TensorSpec, array: NDArray[Any]) -> NDArray[Any]:
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
