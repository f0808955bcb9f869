"""Operators that EZKL 23.0.5 proves rightly in some forms and rejects or gets wrong in others.

A condition looks at one node of the prepared model, in the model's opset, and answers "" when EZKL
computes its function, otherwise the reason why not. Source: measured, case by case, in
docs/operators.md; EZKL `src/graph/utilities.rs` and `src/circuit/ops/layouts.rs`.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from zkprep.passes.normalise.identity import why_no_copy
from zkprep.passes.repair.recurrences import why_not_unrolled
from zkprep.support import windows
from zkprep.support.values import holds_integers, known, never_negative, operand, sizes

Condition = Callable[[ir.Node, int], str]

_WHOLE = frozenset(("Ceil", "Floor", "Round", "Sign"))
_LARGEST_PRODUCT = 4


def _arg_extreme(node: ir.Node, _opset: int) -> str:
    last = node.attributes.get_int("select_last_index", 0)
    return "EZKL has no select_last_index" if last else ""


def _batch_normalisation(node: ir.Node, _opset: int) -> str:
    if node.attributes.get_int("spatial", 1) == 0:
        return "it has one mean and variance per activation, not per channel"
    # Before opset 14 it is the running statistics among its outputs that say so.
    statistics = any(output.name for output in node.outputs[1:])
    training = node.attributes.get_int("training_mode", 0)
    if statistics or training:
        return "it is in training mode; export in evaluation mode (model.eval())"
    return ""


def _cast(node: ir.Node, _opset: int) -> str:
    source, target = operand(node, 0), node.outputs[0].dtype
    if source is None or source.dtype is None or target is None:
        return "its types are not known"
    if source.dtype == ir.DataType.BOOL or target == ir.DataType.FLOAT:
        return ""
    if target == ir.DataType.BOOL:
        return "EZKL casts to bool without comparing with 0"
    if source.dtype != ir.DataType.FLOAT or _is_whole(source) or never_negative(source):
        return ""
    return "EZKL rounds negative numbers down, and a cast rounds towards 0"


def _is_whole(value: ir.Value) -> bool:
    node = value.producer()
    return node is not None and node.domain == "" and node.op_type in _WHOLE


def _celu(node: ir.Node, _opset: int) -> str:
    alpha = node.attributes.get_float("alpha", 1.0)
    return "" if alpha == 1.0 else "EZKL leaves alpha out of the exponential"


def _divide(node: ir.Node, _opset: int) -> str:
    if holds_integers(node.outputs[0]):
        return "EZKL does not round the quotient of integers"
    return _constant_first(node, "divides weights and bias apart")


def _subtract(node: ir.Node, _opset: int) -> str:
    return _constant_first(node, "negates the bias alone")


def _constant_first(node: ir.Node, happens: str) -> str:
    """Whether the loader takes `constant - Conv(x)` or `constant / Conv(x)` into the Conv."""
    constant, other = known(operand(node, 0)), operand(node, 1)
    made_by = None if other is None else other.producer()
    if constant is None or constant.size == 1 or made_by is None or made_by.op_type != "Conv":
        return ""
    return f"EZKL takes it into the Conv '{made_by.name}', where it {happens}"


def _dropout(node: ir.Node, opset: int) -> str:
    return why_no_copy(node, opset)


def _einsum(node: ir.Node, _opset: int) -> str:
    equation = str(node.attributes.get_string("equation", "")).replace(" ", "")
    return "EZKL leaves out the sum over every axis" if equation.endswith("->") else ""


def _equal(node: ir.Node, _opset: int) -> str:
    result = node.outputs[0]
    if operand(node, 0) is None or holds_integers(operand(node, 0)):
        return ""
    if result.is_graph_output() or any(
        reader.op_type != "Where" or position != 0 for reader, position in result.uses()
    ):
        return "EZKL takes the result for a fraction, except as the condition of a Where"
    return ""


def _expand(node: ir.Node, _opset: int) -> str:
    before, after = sizes(operand(node, 0)), sizes(node.outputs[0])
    if before is None or after is None:
        return "its shape is not constant"
    return (
        "EZKL repeats the wrong axis where axes are added" if 0 < len(before) < len(after) else ""
    )


def _pick(node: ir.Node, _opset: int) -> str:
    """Gather, GatherElements, GatherND, ScatterElements, ScatterND."""
    indices = known(operand(node, 1))
    lowest = -1 if node.op_type == "Gather" else 0
    if indices is not None and np.any(indices < lowest):
        return "EZKL takes negative indices for 0"
    if node.attributes.get_int("batch_dims", 0):
        return "EZKL has no batch_dims"
    if str(node.attributes.get_string("reduction", "none")) != "none":
        return "EZKL replaces elements and ignores the reduction"
    if known(operand(node, 2)) is not None:
        return "EZKL takes no constant updates"
    return ""


def _identity(node: ir.Node, _opset: int) -> str:
    source = operand(node, 0)
    if source is None or source.producer() is None:
        return ""
    return "EZKL takes no tensor under two names; read one output twice instead"


def _maximum(node: ir.Node, _opset: int) -> str:
    for value in node.inputs:
        constant = known(value)
        if constant is not None and constant.size != 1:
            return "EZKL compares with one constant, not with a tensor of them"
    return ""


def _one_hot(node: ir.Node, _opset: int) -> str:
    values = known(operand(node, 2))
    plain = values is not None and values.tolist() == [0, 1]
    return "" if plain else "EZKL writes 0 and 1 whatever the values are"


def _power(node: ir.Node, _opset: int) -> str:
    base, exponent = known(operand(node, 0)), known(operand(node, 1))
    if base is not None and base.size == 1:
        return ""
    if exponent is None or exponent.size != 1:
        return "EZKL takes one constant exponent"
    value = float(exponent.ravel()[0])
    whole = value == round(value)
    return "EZKL takes whole exponents from 1 on only" if whole and value < 1 else ""


def _product(node: ir.Node, _opset: int) -> str:
    before, after = sizes(operand(node, 0)), sizes(node.outputs[0])
    if before is None or after is None:
        return "its size is not fixed"
    factors = int(np.prod(before)) // max(int(np.prod(after)), 1)
    if factors <= _LARGEST_PRODUCT:
        return ""
    return f"EZKL multiplies {factors} factors before it rescales, which no circuit's range holds"


def _recurrence(node: ir.Node, _opset: int) -> str:
    reason = why_not_unrolled(node) or "it is not unrolled"
    return f"EZKL keeps its state whole, as it starts, and {reason}"


def _running_sum(_node: ir.Node, _opset: int) -> str:
    return "EZKL sums up from a whole number on, and its axis is not constant"


def _mean(node: ir.Node, _opset: int) -> str:
    return "EZKL does not round the mean of integers" if holds_integers(node.outputs[0]) else ""


def _sum(node: ir.Node, _opset: int) -> str:
    kept = node.attributes.get_int("noop_with_empty_axes", 0) and operand(node, 1) is None
    return "EZKL reads no noop_with_empty_axes" if kept else ""


def _reshape(_node: ir.Node, opset: int) -> str:
    return "" if opset >= 5 else "EZKL reads its shape as an input only, as from opset 5 on"


def _softmax(node: ir.Node, opset: int) -> str:
    shape = sizes(operand(node, 0))
    if opset >= 13 or shape is None:
        return ""
    axis = node.attributes.get_int("axis", 1)
    inner = int(np.prod(shape[axis:])) if axis else int(np.prod(shape))
    same = inner == shape[-1]
    return (
        "" if same else f"before opset 13 it takes {inner} elements together, which EZKL does not"
    )


def _top_k(node: ir.Node, opset: int) -> str:
    if opset < 10:
        return "EZKL reads k as an input only, which it is from opset 10 on"
    indices = node.outputs[1]
    read = bool(indices.uses()) or indices.is_graph_output()
    return "EZKL does not compute the indices" if read else ""


def _old_broadcast(node: ir.Node, opset: int) -> str:
    old = opset < 7 and "broadcast" in node.attributes
    return "its broadcast is that of opset 6: convert the model to a later opset" if old else ""


CONDITIONS: dict[str, Condition] = {
    "ArgMax": _arg_extreme,
    "ArgMin": _arg_extreme,
    "AveragePool": windows.average_pool,
    "BatchNormalization": _batch_normalisation,
    "Cast": _cast,
    "CastLike": _cast,
    "Celu": _celu,
    "Conv": windows.convolution,
    "ConvTranspose": windows.transposed_convolution,
    "CumSum": _running_sum,
    "Div": _divide,
    "Dropout": _dropout,
    "Einsum": _einsum,
    "Equal": _equal,
    "Expand": _expand,
    "GRU": _recurrence,
    "Gather": _pick,
    "GatherElements": _pick,
    "GatherND": _pick,
    "Gemm": _old_broadcast,
    "Identity": _identity,
    "LSTM": _recurrence,
    "LogSoftmax": _softmax,
    "Max": _maximum,
    "MaxPool": windows.maximum_pool,
    "OneHot": _one_hot,
    "Pad": windows.pad,
    "Pow": _power,
    "RNN": _recurrence,
    "ReduceMean": _mean,
    "ReduceProd": _product,
    "ReduceSum": _sum,
    "Reshape": _reshape,
    "Resize": windows.resize,
    "ScatterElements": _pick,
    "ScatterND": _pick,
    "Softmax": _softmax,
    "Sub": _subtract,
    "TopK": _top_k,
}
"""Operator -> when EZKL computes its function."""
