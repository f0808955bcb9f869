"""Who can run a model: ONNX Runtime with every optimisation off, or else ONNX's own evaluator.

The evaluator is slow, and covers the types that ONNX Runtime has no kernels for: Conv in double or
bfloat16. A model is given floating-point values in its own types, whatever type they come in.
"""

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
from zkprep.models.model import Feeds, Runner
from zkprep.models.outline import weight_bytes
from zkprep.passes.opset import standard_opset
from zkprep.passes.pieces import BUDGET, Pieces

Run = Callable[[Mapping[str, NDArray[Any]]], Feeds]
Loader = Callable[[ir.Model], Run]


def loaders(model: ir.Model) -> tuple[Loader, ...]:
    """Who may run `model`, the best first."""
    return (_reference_evaluator,) if _crashes(model) else (_onnxruntime, _reference_evaluator)


def truth(model: ir.Model) -> Run:
    """What `model`, as it was given, computes, on feeds of any floating-point type.

    Raises:
        InputError: nothing here can load it.
    """
    failures: list[InputError] = []
    for load in loaders(model):
        try:
            run = load(model)
        except InputError as error:
            failures.append(error)
        else:
            return lambda feeds: run(fitted(feeds, model))
    raise failures[0]


def fitted(feeds: Mapping[str, NDArray[Any]], model: ir.Model) -> Feeds:
    """`feeds` with floating-point tensors in the types that `model` has for them."""
    types = {value.name: value.dtype.numpy() for value in model.graph.inputs if value.dtype}
    return {
        name: array.astype(types[name]) if name in types and is_floating(types[name]) else array
        for name, array in feeds.items()
    }


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether `dtype` is a floating-point type, NumPy's own or an extension (bfloat16, float8)."""
    return dtype.kind == "f" or "float" in dtype.name


def runs_in_pieces(model: ir.Model) -> bool:
    """Whether its weights are too many to be in memory twice."""
    return weight_bytes(model) > BUDGET


def _onnxruntime(model: ir.Model) -> Run:
    return Pieces(model) if runs_in_pieces(model) else Runner(model)


def _reference_evaluator(model: ir.Model) -> Run:
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
