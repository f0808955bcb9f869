"""Does a rewritten model compute what the original computes? Seeded inputs, then output by output.

The measure is max|y - ref| / max(1e-6, max|ref|) per output, with names, order, types, shapes and
the positions of NaN and infinity equal; values that are not floating point are equal exactly. A
relative error per element would trip over zeros, an absolute one over gains. The limit is that of a
whole net in the coarsest floating-point type the model holds; wrong fusions are off by a large part
of max|ref|. Where single precision alone puts a deep net beyond its limit, up to ROUNDED, both
models are evaluated in double, where the limit holds for the algebra and rounding is not blamed.
So they are where an output all but cancels out and is off by that little of the inputs.

The first of `zkprep.passes.evaluators` that can run the reference runs both, in pieces and on fewer
inputs where the weights are large. A pass that coarsens the number format is held to the coarser
format's limit, on inputs that both formats hold exactly.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.errors import InputError
from zkprep.models.model import Feeds, seeded_inputs
from zkprep.passes.evaluators import Loader, Run, fitted, is_floating, loaders, runs_in_pieces
from zkprep.passes.retyping import Retyping

# Widest first: a model is held to the limit of the coarsest type in it.
LIMITS: dict[ir.DataType, float] = {
    ir.DataType.DOUBLE: 1e-9,
    ir.DataType.FLOAT: 1e-5,
    ir.DataType.FLOAT16: 2e-2,
    ir.DataType.BFLOAT16: 1e-1,
}

ROUNDED = 1e-4
"""What another order of evaluation may come to in a deep net of single precision."""

_SEEDS = (0, 1, 2)
_DOUBLE = Retyping((ir.DataType.FLOAT,), ir.DataType.DOUBLE)
_SMALLEST_SCALE = 1e-6
# Sizes tried for symbolic dimensions; a model may need some least size to run at all.
_SIZES = (2, 3, 5, 8, 16, 32, 64, 224)


class Oracle:
    """The outputs of one model on seeded inputs, computed on first use and once."""

    def __init__(self, reference: ir.Model, *, feeds_of: ir.Model | None = None) -> None:
        """Take `reference` as the truth, on inputs that fit `feeds_of` (default: `reference`).

        Where the two have floating-point types of their own for an input, they are given the same
        numbers, and outputs are compared in the types of what is compared.
        """
        self._reference = reference
        self._feeds_of = reference if feeds_of is None else feeds_of

    def difference(self, model: ir.Model) -> str:
        """What `model` computes otherwise than the reference, or "" when it is the same.

        Raises:
            InputError: nothing here can run the reference, or it computes no function, so nothing
                can be compared with it.
        """
        found = self._difference(model)
        if found:
            self._refuse_random()
        return found

    def _refuse_random(self) -> None:
        """Raise where the reference itself gives other outputs for the same inputs."""
        load, [(given, _), *_] = self._runs
        feeds = fitted(given, self._reference)
        run = load(self._reference)  # a session draws anew each time, a new one may begin again
        if compare(run(feeds), run(feeds), ROUNDED):
            raise InputError(
                "the model gives other outputs each time it is run on the same input",
                hint="export it in evaluation mode (model.eval()) and without random operators",
            )

    def _difference(self, model: ir.Model) -> str:
        load, runs = self._runs
        try:
            run = load(model)
            pairs = [(expected, run(feeds)) for feeds, expected in runs]
        except InputError as error:
            return f"the result does not run: {error}"
        limit = max(coarsest_limit(self._reference), coarsest_limit(self._feeds_of))
        found = _first_difference(pairs, limit)
        floors = [_largest(feeds) for feeds, _ in runs]
        if (
            not found
            or limit != LIMITS[ir.DataType.FLOAT]
            or _first_difference(pairs, ROUNDED, floors)
        ):
            return found
        try:
            return compare(self._in_double, _run_in_double(model, runs[0][0]), limit)
        except InputError:  # nothing here computes it in double
            return _first_difference(pairs, ROUNDED)

    @functools.cached_property
    def _in_double(self) -> Feeds:
        """The reference's outputs in double on the first inputs."""
        return _run_in_double(self._reference, self._runs[1][0][0])

    @functools.cached_property
    def _runs(self) -> tuple[Loader, list[tuple[Feeds, Feeds]]]:
        """The evaluator that can run the reference, and (inputs, outputs) of its runs."""
        failures: list[str] = []
        for load in loaders(self._reference):
            try:
                return load, _run_seeds(load(self._reference), self._reference, self._feeds_of)
            except InputError as error:
                failures.append(str(error))
        raise InputError(
            f"the model cannot be run here, so no rewrite of it can be checked: {failures[0]}",
            hint="run the model in ONNX Runtime to see what it needs",
        )


def _run_in_double(model: ir.Model, feeds: Feeds) -> Feeds:
    """The outputs of `model`, computed in double.

    Raises:
        InputError: nothing here has its operators in double.
    """
    double = _DOUBLE.applied(model)
    failures: list[InputError] = []
    for load in loaders(double):
        try:
            return load(double)(fitted(feeds, double))
        except InputError as error:
            failures.append(error)
    raise failures[0]


def _first_difference(
    pairs: Sequence[tuple[Feeds, Feeds]], limit: float, floors: Sequence[float] = ()
) -> str:
    """The first difference in any pair; `floors`: of each, the least magnitude."""
    least = floors or [_SMALLEST_SCALE] * len(pairs)
    found = (compare(*pair, limit, floor) for pair, floor in zip(pairs, least, strict=True))
    return next(filter(None, found), "")


def _largest(feeds: Feeds) -> float:
    """The largest magnitude among inputs of floating-point numbers."""
    floats = (array for array in feeds.values() if is_floating(array.dtype))
    sizes = (float(np.max(np.abs(array.astype(np.float64)), initial=0.0)) for array in floats)
    return max(sizes, default=0.0)


def compare(reference: Feeds, outputs: Feeds, limit: float, floor: float = _SMALLEST_SCALE) -> str:
    """The first output that differs from `reference` by more than `limit`, in words; or "".

    `floor`: what counts as an output's largest magnitude at least.
    """
    if list(reference) != list(outputs):
        return f"the outputs are {list(outputs)} instead of {list(reference)}"
    for name, expected in reference.items():
        actual = outputs[name]
        if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
            return (
                f"output '{name}' is {actual.dtype}{list(actual.shape)} "
                f"instead of {expected.dtype}{list(expected.shape)}"
            )
        error = worst_error(expected, actual, floor)
        if not error <= limit:
            return (
                f"output '{name}' differs by {error:.3g} of its largest magnitude, "
                f"more than the limit {limit:g}"
            )
    return ""


def worst_error(
    expected: NDArray[Any], actual: NDArray[Any], floor: float = _SMALLEST_SCALE
) -> float:
    """max|actual - expected| / max(floor, max|expected|), infinite where NaN or infinity moved.

    Arrays that hold no floating-point numbers give 0 when equal and infinity otherwise.
    """
    if not is_floating(expected.dtype):
        return 0.0 if np.array_equal(expected, actual) else np.inf
    wanted, found = expected.astype(np.float64), actual.astype(np.float64)
    finite = np.isfinite(wanted)
    special = np.array_equal(wanted[~finite], found[~finite], equal_nan=True)
    if not special or not np.all(np.isfinite(found[finite])):
        return np.inf
    scale = max(_SMALLEST_SCALE, floor, float(np.max(np.abs(wanted[finite]), initial=0.0)))
    return float(np.max(np.abs(found[finite] - wanted[finite]), initial=0.0)) / scale


def coarsest_limit(model: ir.Model) -> float:
    """The limit for the coarsest floating-point type of any tensor of `model`."""
    limit = min(LIMITS.values())
    for graph in model.graphs():
        values = [*graph.inputs, *graph.initializers.values()]
        values += [output for node in graph for output in node.outputs]
        kinds = [v.dtype for v in values] + [_cast_to(node) for node in graph]
        found = [LIMITS[kind] for kind in kinds if kind in LIMITS]
        # An output without type information is not known to be finer than single precision.
        unknown = LIMITS[ir.DataType.FLOAT] if any(v.dtype is None for v in values) else 0.0
        limit = max([limit, unknown, *found])
    return limit


def _cast_to(node: ir.Node) -> ir.DataType | None:
    """The type that `node` casts to; what it makes need not be recorded."""
    return ir.DataType(node.attributes.get_int("to", 0)) if node.op_type == "Cast" else None


def _run_seeds(run: Run, reference: ir.Model, model: ir.Model) -> list[tuple[Feeds, Feeds]]:
    """(inputs in the types of `model`, outputs) per seed; two sizes where there are symbols."""
    sizes = _working_sizes(run, reference, model)
    # Many weights leave a wrong fold no seed to hide in, and each run reads all of them.
    seeds = _SEEDS[: len(sizes)] if runs_in_pieces(model) else _SEEDS
    runs = []
    for position, seed in enumerate(seeds):
        feeds = seeded_inputs(model, seed, default_dim=sizes[position % len(sizes)])
        if position == len(seeds) - 1:
            feeds |= _overrides(model, seed)
        given = fitted(feeds, reference)
        runs.append((fitted(given, model), _in_types_of(model, reference, run(given))))
    return runs


def _in_types_of(model: ir.Model, reference: ir.Model, outputs: Feeds) -> Feeds:
    """`outputs` of `reference`, in the types of `model` if the two differ in types."""
    olds = {
        value.name: value.dtype for value in (*reference.graph.inputs, *reference.graph.outputs)
    }
    news = {value.name: value.dtype for value in (*model.graph.inputs, *model.graph.outputs)}
    if all(olds[name] == kind for name, kind in news.items()):
        return outputs
    return {
        name: array.astype(kind.numpy()) if is_floating(array.dtype) and kind else array
        for name, array in outputs.items()
        for kind in [news[name]]
    }


def _working_sizes(run: Run, reference: ir.Model, model: ir.Model) -> list[int]:
    """Up to two sizes of symbolic dimensions that the model accepts."""
    shapes = [value.shape for value in model.graph.inputs]
    if all(shape is not None and shape.is_static() for shape in shapes):
        return [_SIZES[0]]
    sizes: list[int] = []
    failure: InputError | None = None
    for size in _SIZES:
        try:
            run(fitted(seeded_inputs(model, _SEEDS[0], default_dim=size), reference))
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
