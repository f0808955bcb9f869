"""What became of a model: fused to the ideal, partly, not at all, or broken.

The outputs are compared with those of the original on ONNX Runtime with every optimisation off, or
on ONNX's reference evaluator where it has no kernel. Per output, max|y - ref| over
max(1e-6, max|ref|) is held to the limit of one fusion in the coarsest type of the model; in double
precision to that of a net, for tools that read BatchNormalization's default epsilon as 1e-5 instead
of the float32 nearest to it. Weights that a caller may override are overridden too.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from benchmarks.fusion.patterns import Pattern, count_nodes, every_node

Feeds = dict[str, NDArray[Any]]
Evaluator = Callable[[onnx.ModelProto, Feeds], Feeds]

LIMITS = {
    TensorProto.DOUBLE: 1e-9,
    TensorProto.FLOAT: 1e-5,
    TensorProto.FLOAT16: 2e-3,
    TensorProto.BFLOAT16: 2e-2,
}
SYMBOLS = {"N": 3, "H": 8, "W": 6}
SEEDS = (0, 1)
_IR_WITH_OVERRIDES = 4


class Outcome(StrEnum):
    """From best to worst."""

    FULL = "full"
    PARTLY = "partly"
    MORE_NODES = "BN gone, no fewer nodes"
    KEPT = "kept"
    WRONG = "wrong"
    INVALID = "invalid"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Column:
    """One tool: its version, why it could not be had, and what it made of each pattern."""

    tool: str
    version: str
    unavailable: str
    outcomes: tuple[tuple[Outcome, str], ...]


def judge(
    pattern: Pattern, before: Path, after: Path, limits: Mapping[int, float] = LIMITS
) -> tuple[Outcome, str]:
    """The outcome for the model at `after`, made from the pattern at `before`, and why."""
    try:
        onnx.checker.check_model(str(after))
        old, new = onnx.load(before), onnx.load(after)
    except Exception as error:  # noqa: BLE001 - onnx documents no closed set of errors
        return Outcome.INVALID, f"the checker: {error}"
    changed = interface_difference(old, new)
    if changed:
        return Outcome.WRONG, changed
    for seed in SEEDS:
        given = feeds(old, seed)
        wanted, evaluator = reference(old, given)
        try:
            outputs = evaluator(new, given)
        except Exception as error:  # noqa: BLE001 - as above
            return Outcome.INVALID, f"it does not run: {error}"
        difference = _difference(wanted, outputs, _limit(old, limits))
        if difference:
            return Outcome.WRONG, difference
    return _progress(pattern, old, new)


def _progress(pattern: Pattern, old: onnx.ModelProto, new: onnx.ModelProto) -> tuple[Outcome, str]:
    """How far a model that is right was fused."""
    before, after = count_nodes(old), count_nodes(new)
    counts = f"{before} to {after} nodes"
    if pattern.ideal is None:
        return Outcome.FULL, counts
    if after <= pattern.ideal:
        return Outcome.FULL, counts
    if after < before:
        return Outcome.PARTLY, counts
    norms = [sum(n.op_type == "BatchNormalization" for n in every_node(m)) for m in (old, new)]
    return (Outcome.MORE_NODES if norms[1] < norms[0] else Outcome.KEPT), counts


def interface_difference(old: onnx.ModelProto, new: onnx.ModelProto) -> str:
    """What a caller sees change in names, order, types or fixed dimensions; or ""."""
    for what in ("input", "output"):
        one, other = ([_signature(v) for v in getattr(m.graph, what)] for m in (old, new))
        if one != other:
            return f"the {what}s were {one} and are {other}"
    return ""


def _signature(value: onnx.ValueInfoProto) -> tuple[str, int, tuple[int | str, ...]]:
    """Name, type and static dimensions; a symbol is not held against anyone."""
    tensor = value.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else "?" for dim in tensor.shape.dim]
    return value.name, tensor.elem_type, tuple(dims)


def feeds(model: onnx.ModelProto, seed: int) -> Feeds:
    """Inputs of both signs; all seeds but the first override what a caller may override."""
    random = np.random.default_rng(seed)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    drawn: Feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value or SYMBOLS[dim.dim_param] for dim in tensor.shape.dim]
        values = random.standard_normal(shape)
        if value.name in stored:
            overridable = model.ir_version >= _IR_WITH_OVERRIDES and seed != SEEDS[0]
            if not overridable:
                continue
        is_bool = tensor.elem_type == TensorProto.BOOL
        kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        drawn[value.name] = np.asarray(seed % 2 == 0 if is_bool else values).astype(kind)
    return drawn


def reference(model: onnx.ModelProto, given: Feeds) -> tuple[Feeds, Evaluator]:
    """The outputs of `model`, and the evaluator that could make them."""
    # ONNX Runtime dies of a training-mode BatchNormalization whose other outputs are ''.
    deadly = any("" in n.output for n in every_node(model) if n.op_type == "BatchNormalization")
    if not deadly:
        with contextlib.suppress(Exception):
            return _onnxruntime(model, given), _onnxruntime
    return _evaluator(model, given), _evaluator


def _onnxruntime(model: onnx.ModelProto, given: Mapping[str, NDArray[Any]]) -> Feeds:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    source = model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(given)), strict=True))


def _evaluator(model: onnx.ModelProto, given: Mapping[str, NDArray[Any]]) -> Feeds:
    names = [output.name for output in model.graph.output]
    with np.errstate(all="ignore"):
        return dict(zip(names, ReferenceEvaluator(model).run(None, dict(given)), strict=True))


def _limit(model: onnx.ModelProto, limits: Mapping[int, float]) -> float:
    kinds = [tensor.data_type for tensor in model.graph.initializer]
    kinds += [value.type.tensor_type.elem_type for value in model.graph.input]
    return max(limits.get(kind, 0.0) for kind in kinds)


def _difference(wanted: Feeds, outputs: Feeds, limit: float) -> str:
    for name, value in wanted.items():
        found = outputs[name]
        if (value.dtype, value.shape) != (found.dtype, found.shape):
            return f"'{name}' is {found.dtype}{found.shape}, not {value.dtype}{value.shape}"
        one, other = value.astype(np.float64), found.astype(np.float64)
        error = float(np.max(np.abs(other - one), initial=0.0))
        error /= max(1e-6, float(np.max(np.abs(one), initial=0.0)))
        if not error <= limit:
            return f"'{name}' is off by {error:.2g} of its largest magnitude"
    return ""
