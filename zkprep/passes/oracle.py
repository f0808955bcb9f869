"""Does a rewritten model compute what the original computes? Seeded inputs, then output by output.

The measure is max|y - ref| / max(1e-6, max|ref|) per output, with names, order, types, shapes and
the positions of NaN and infinity equal; values that are not floating point are equal exactly. A
relative error per element would trip over zeros, an absolute one over gains. The limit is that of a
whole net in the coarsest floating-point type the model holds; wrong fusions are off by a large part
of max|ref|.

ONNX Runtime runs both models with every optimisation off (`zkprep.model.Runner`), in pieces and on
fewer inputs where the weights are large (`zkprep.passes.pieces`). Where it has no kernel (Conv in
double or bfloat16), ONNX's own reference evaluator runs both.
"""

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.model import Feeds, Runner, seeded_inputs
from zkprep.outline import weight_bytes
from zkprep.passes.opset import standard_opset
from zkprep.passes.pieces import BUDGET, Pieces

# Widest first: a model is held to the limit of the coarsest type in it.
LIMITS: dict[ir.DataType, float] = {
    ir.DataType.DOUBLE: 1e-9,
    ir.DataType.FLOAT: 1e-4,
    ir.DataType.FLOAT16: 2e-2,
    ir.DataType.BFLOAT16: 1e-1,
}

_SEEDS = (0, 1, 2)
_SMALLEST_SCALE = 1e-6
# Sizes tried for symbolic dimensions; a model may need some least size to run at all.
_SIZES = (2, 3, 5, 8, 16, 32, 64, 224)

Run = Callable[[Mapping[str, NDArray[Any]]], Feeds]


class Oracle:
    """The outputs of one model on seeded inputs, computed on first use and once."""

    def __init__(self, reference: ir.Model, *, feeds_of: ir.Model | None = None) -> None:
        """Take `reference` as the truth, on inputs that fit `feeds_of` (default: `reference`)."""
        self._reference = reference
        self._feeds_of = reference if feeds_of is None else feeds_of

    def difference(self, model: ir.Model) -> str:
        """What `model` computes otherwise than the reference, or "" when it is the same.

        Raises:
            InputError: nothing here can run the reference, so nothing can be compared with it.
        """
        load, runs = self._runs
        try:
            run = load(model)
            pairs = [(expected, run(feeds)) for feeds, expected in runs]
        except InputError as error:
            return f"the result does not run: {error}"
        limit = coarsest_limit(self._reference)
        return next(filter(None, (compare(ref, got, limit) for ref, got in pairs)), "")

    @functools.cached_property
    def _runs(self) -> tuple[Callable[[ir.Model], Run], list[tuple[Feeds, Feeds]]]:
        """The evaluator that can run the reference, and (inputs, outputs) of its runs."""
        loaders = (_reference_evaluator,) if _crashes(self._reference) else _LOADERS
        failures: list[str] = []
        for load in loaders:
            try:
                return load, _run_seeds(load(self._reference), self._feeds_of)
            except InputError as error:
                failures.append(str(error))
        raise InputError(
            f"the model cannot be run here, so no rewrite of it can be checked: {failures[0]}",
            hint="run the model in ONNX Runtime to see what it needs",
        )


def compare(reference: Feeds, outputs: Feeds, limit: float) -> str:
    """The first output that differs from `reference` by more than `limit`, in words; or ""."""
    if list(reference) != list(outputs):
        return f"the outputs are {list(outputs)} instead of {list(reference)}"
    for name, expected in reference.items():
        actual = outputs[name]
        if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
            return (
                f"output '{name}' is {actual.dtype}{list(actual.shape)} "
                f"instead of {expected.dtype}{list(expected.shape)}"
            )
        error = worst_error(expected, actual)
        if not error <= limit:
            return (
                f"output '{name}' differs by {error:.3g} of its largest magnitude, "
                f"more than the limit {limit:g}"
            )
    return ""


def worst_error(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    """max|actual - expected| / max(1e-6, max|expected|), infinite where NaN or infinity moved.

    Arrays that hold no floating-point numbers give 0 when equal and infinity otherwise.
    """
    if not is_floating(expected.dtype):
        return 0.0 if np.array_equal(expected, actual) else np.inf
    wanted, found = expected.astype(np.float64), actual.astype(np.float64)
    finite = np.isfinite(wanted)
    special = np.array_equal(wanted[~finite], found[~finite], equal_nan=True)
    if not special or not np.all(np.isfinite(found[finite])):
        return np.inf
    scale = max(_SMALLEST_SCALE, float(np.max(np.abs(wanted[finite]), initial=0.0)))
    return float(np.max(np.abs(found[finite] - wanted[finite]), initial=0.0)) / scale


def coarsest_limit(model: ir.Model) -> float:
    """The limit for the coarsest floating-point type of any tensor of `model`."""
    limit = min(LIMITS.values())
    for graph in model.graphs():
        values = [*graph.inputs, *graph.initializers.values()]
        values += [output for node in graph for output in node.outputs]
        found = [LIMITS[v.dtype] for v in values if v.dtype in LIMITS]
        # An output without type information is not known to be finer than single precision.
        unknown = LIMITS[ir.DataType.FLOAT] if any(v.dtype is None for v in values) else 0.0
        limit = max([limit, unknown, *found])
    return limit


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether `dtype` is a floating-point type, NumPy's own or an extension (bfloat16, float8)."""
    return dtype.kind == "f" or "float" in dtype.name


def _run_seeds(run: Run, model: ir.Model) -> list[tuple[Feeds, Feeds]]:
    """(inputs, outputs) per seed, in two sizes where dimensions are symbolic."""
    sizes = _working_sizes(run, model)
    # Many weights leave a wrong fold no seed to hide in, and each run reads all of them.
    seeds = _SEEDS[: len(sizes)] if _in_pieces(model) else _SEEDS
    runs = []
    for position, seed in enumerate(seeds):
        feeds = seeded_inputs(model, seed, default_dim=sizes[position % len(sizes)])
        if position == len(seeds) - 1:
            feeds |= _overrides(model, seed)
        runs.append((feeds, run(feeds)))
    return runs


def _working_sizes(run: Run, model: ir.Model) -> list[int]:
    """Up to two sizes of symbolic dimensions that the model accepts."""
    shapes = [value.shape for value in model.graph.inputs]
    if all(shape is not None and shape.is_static() for shape in shapes):
        return [_SIZES[0]]
    sizes: list[int] = []
    failure: InputError | None = None
    for size in _SIZES:
        try:
            run(seeded_inputs(model, _SEEDS[0], default_dim=size))
        except InputError as error:
            failure = error
            continue
        sizes.append(size)
        if len(sizes) == 2:
            break
    if not sizes and failure is not None:
        raise failure
    return sizes


def _overrides(model: ir.Model, seed: int) -> Feeds:
    """Other values for the initializers a caller may override: scaled, so that signs stay."""
    generator = np.random.default_rng(seed)
    feeds: Feeds = {}
    for value in model.graph.inputs:
        weight = model.graph.initializers.get(value.name or "")
        if weight is None or weight.const_value is None or model.ir_version < 4:
            continue
        default = weight.const_value.numpy()
        if is_floating(default.dtype):
            factors = generator.uniform(0.5, 1.5, default.shape)
            feeds[str(value.name)] = (default.astype(np.float64) * factors).astype(default.dtype)
    return feeds


def _onnxruntime(model: ir.Model) -> Run:
    return Pieces(model) if _in_pieces(model) else Runner(model)


def _in_pieces(model: ir.Model) -> bool:
    return weight_bytes(model) > BUDGET


def _reference_evaluator(model: ir.Model) -> Run:
    """ONNX's own evaluator; slow, and it covers the types ONNX Runtime has no kernels for."""
    names = [str(output.name) for output in model.graph.outputs]

    def run(feeds: Mapping[str, NDArray[Any]]) -> Feeds:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return dict(zip(names, evaluator.run(None, dict(feeds)), strict=True))
        except Exception as error:  # noqa: BLE001 - any operator may raise anything
            raise InputError(f"ONNX's evaluator cannot run it: {first_line(error)}") from None

    corrections = _corrections(model)
    try:
        evaluator = ReferenceEvaluator(ir.to_proto(model), new_ops=corrections)
    except Exception as error:  # noqa: BLE001 - as above
        raise InputError(f"ONNX's evaluator cannot load it: {first_line(error)}") from None
    return run


_LOADERS: tuple[Callable[[ir.Model], Run], ...] = (_onnxruntime, _reference_evaluator)


class BatchNormalization(OpRun):
    """Inference mode: the evaluator's own, up to onnx 1.23, trains a little before opset 14.

    Source: `onnx/reference/ops/op_batch_normalization.py`, BatchNormalization_6 and _9.
    """

    op_domain = ""

    def _run(self, x, scale, bias, mean, var, epsilon, **_):  # type: ignore[no-untyped-def]
        shape = (-1,) + (1,) * (x.ndim - 2)
        scale, bias, mean, var = (v.reshape(shape) for v in (scale, bias, mean, var))
        return ((scale * (x - mean) / np.sqrt(var + epsilon) + bias).astype(x.dtype),)


def _corrections(model: ir.Model) -> list[type[OpRun]]:
    """Operators the evaluator gets wrong, as far as `model` means what is right here."""
    opset = standard_opset(model)
    norms = [node for node in _all_nodes(model) if node.op_type == "BatchNormalization"]
    inference = all(
        len(node.outputs) == 1
        and node.attributes.get_int("spatial", 1)
        and (opset >= 7 or node.attributes.get_int("is_test", 0))
        for node in norms
    )
    return [BatchNormalization] if inference and opset < 14 else []


def _crashes(model: ir.Model) -> bool:
    """Whether a training-mode BatchNormalization with outputs named '' would kill ONNX Runtime."""
    return any(
        node.op_type == "BatchNormalization" and any(not out.name for out in node.outputs[1:])
        for node in _all_nodes(model)
    )


def _all_nodes(model: ir.Model) -> Iterator[ir.Node]:
    for graph in (*model.graphs(), *(f.graph for f in model.functions.values())):
        yield from graph
