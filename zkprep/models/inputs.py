"""The user's input for a model: EZKL's JSON, .npz by input name, .npy for a model of one input.

Every tensor is checked against its graph input before any work is spent on it.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.models.choices import rows_chosen_among
from zkprep.models.input_file import UNREADABLE, fit, read_archive, read_document, read_tensors
from zkprep.models.model import Feeds, TensorSpec, input_specs

_HEAD_BYTES = 64


def read_input(path: Path, model: ir.Model) -> Feeds:
    """The user's input for `model` from EZKL's JSON (`{"input_data": [[...], ...]}`), .npz or .npy.

    Each tensor must have the element count of its graph input, whose shape and dtype it takes.

    Raises:
        InputError: unreadable, wrong names, count, shape or dtype, or not finite.
    """
    return read_tensors(path, input_specs(model))


def read_inputs(paths: Sequence[Path], model: ir.Model) -> tuple[Feeds, ...]:
    """All inputs of several files: each file one (`read_input`), or a batch (`read_samples`).

    A batch is a JSON list, or an archive whose tensors have one axis more than the model's inputs.

    Raises:
        InputError: as these two.
    """
    inputs: list[Feeds] = []
    for path in paths:
        if _is_batch(path, model):
            inputs += read_samples(path, model)
        else:
            inputs.append(read_input(path, model))
    return tuple(inputs)


def _is_batch(path: Path, model: ir.Model) -> bool:
    """Whether a file holds several inputs; False where it cannot be read, which is told later."""
    specs = input_specs(model)
    try:
        if path.suffix in (".npz", ".npy"):
            arrays = read_archive(path, specs)
            return all(arrays[spec.name].ndim == len(spec.static_shape) + 1 for spec in specs)
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES).lstrip()[:1] == b"["
    except (OSError, ValueError, KeyError, TypeError, EOFError, InputError):
        return False


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
    except UNREADABLE as error:
        raise InputError(f"samples '{path}' cannot be read: {first_line(error)}") from None
    if not several:
        raise InputError(f"samples '{path}' hold no input")
    return tuple(
        {spec.name: fit(path, spec, arrays[spec.name]) for spec in specs} for arrays in several
    )


def inputs_like(feeds: Feeds, seed: int, model: ir.Model) -> Feeds:
    """A random input of the same shapes and types, each tensor within the range of `feeds`'s.

    Where `model` picks rows of several tables by one tensor, every element is a row of each.
    """
    random = np.random.default_rng(seed)
    inputs = {str(value.name): value for value in model.graph.inputs}
    made: Feeds = {}
    for name, array in feeds.items():
        low, high = array.min(), array.max()
        if array.dtype.kind == "f":
            made[name] = random.uniform(low, high, array.shape).astype(array.dtype)
        else:
            rows = rows_chosen_among(inputs[name]) if name in inputs else None
            end = int(high) + 1 if rows is None else max(int(low) + 1, min(int(high) + 1, rows))
            made[name] = random.integers(int(low), end, array.shape).astype(array.dtype)
    return made


def _read_several(path: Path, specs: tuple[TensorSpec, ...]) -> Iterator[dict[str, NDArray[Any]]]:
    if path.suffix in (".npz", ".npy"):
        arrays = read_archive(path, specs)
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
        yield read_document(path, document, specs)
