"""EZKL keeps the state of a recurrence whole, as it starts: LSTM, GRU and RNN are unrolled.

The products of W with the inputs of all steps are one MatMul; every step is a `cells.Cell`. A slice
may then hold some of the steps, and what each costs is known. Source: ONNX operators LSTM, GRU and
RNN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.cells import Cell, State
from zkprep.passes.repair.draft import Array, Draft, Results, is_read, known, operand, repair, sizes

RECURRENCES = ("GRU", "LSTM", "RNN")
_USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
_PLAIN = frozenset(("Relu", "Sigmoid", "Softplus", "Softsign", "Tanh"))
_MOST_STEPS = 512
_BIAS, _LENGTHS, _INITIAL, _PEEPHOLES = 3, 4, (5, 6), 7
_CONSTANT = ((1, "weights"), (2, "weights"), (_BIAS, "biases"), (_PEEPHOLES, "peepholes"))


@dataclass(frozen=True, slots=True)
class UnrollRecurrences:
    """No LSTM, GRU or RNN with constant weights is left."""

    name: ClassVar[str] = "unroll-recurrences"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write every step out."""
        return repair(model, "recurrence unrolled", _rule)


def why_not_unrolled(node: ir.Node) -> str:
    """Why `node`, an LSTM, GRU or RNN, is not unrolled; or ""."""
    for position, what in _CONSTANT:
        if operand(node, position) is not None and known(operand(node, position)) is None:
            return f"its {what} are not all constant"
    data = node.inputs[0]
    if data is None or data.shape is None or not data.shape.is_static():
        return "its size is not fixed"
    steps, _ = _steps_and_batch(node)
    lengths = known(operand(node, _LENGTHS))
    if operand(node, _LENGTHS) is not None and (lengths is None or np.any(lengths != steps)):
        return "its sequence lengths are not all those of its input"
    for name in ("clip", "input_forget"):
        if name in node.attributes and node.attributes[name].value:
            return f"{name} means different things to different runtimes"
    unknown = sorted(set(_activations(node)) - _PLAIN)
    if unknown:
        return f"its activation is {unknown[0]}"
    return f"it has {steps} steps" if steps > _MOST_STEPS else ""


def _rule(node: ir.Node, draft: Draft) -> Results | str | None:
    if node.op_type not in RECURRENCES or not any(map(is_read, node.outputs)):
        return None
    reason = why_not_unrolled(node)
    if reason:
        return reason
    data = node.inputs[0]
    assert data is not None
    if _by_batch(node):
        data = draft.op("Transpose", data, perm=[1, 0, 2])
    steps, batch = _steps_and_batch(node)
    runs = [_run(node, draft, data, index) for index in range(len(_backwards(node)))]
    ends = [0 if backwards else -1 for backwards in _backwards(node)]
    last = [one[end] for one, end in zip(runs, ends, strict=True)]
    states = [[[state[0] for state in one] for one in runs]]
    states += [[[one[part]] for one in last] for part in range(len(last[0]))]
    size = (batch, sizes(node.inputs[2])[2])
    return [
        _output(draft, each, (steps, 1, *size) if position == 0 else (1, *size), _by_batch(node))
        if is_read(output)
        else None
        for position, (output, each) in enumerate(zip(node.outputs, states, strict=False))
    ]


def _output(
    draft: Draft, directions: Sequence[Sequence[ir.Value]], shape: Sequence[int], by_batch: bool
) -> ir.Value:
    """One output, from the states of every direction; `shape` is that of one direction."""
    each = []
    for states in directions:
        whole = draft.op("Concat", *states, axis=0) if len(states) > 1 else states[0]
        each.append(draft.op("Reshape", whole, draft.constant("shape", shape)))
    made = draft.op("Concat", *each, axis=len(shape) - 3) if len(each) > 1 else each[0]
    if not by_batch:
        return made
    return draft.op("Transpose", made, perm=[2, 0, 1, 3] if len(shape) == 4 else [1, 0, 2])


def _run(node: ir.Node, draft: Draft, data: ir.Value, index: int) -> list[tuple[ir.Value, ...]]:
    """The states behind every step of direction `index`, in the order of `data`."""
    weight = known(operand(node, 1))
    assert weight is not None
    cell, input_bias = _cell(node, draft, index)
    share = draft.op("MatMul", data, draft.constant("weight", weight[index].T, cell.dtype))
    if np.any(input_bias):
        share = draft.op("Add", share, draft.constant("bias", input_bias, cell.dtype))
    step = {"RNN": cell.rnn, "GRU": cell.gru, "LSTM": cell.lstm}[node.op_type]
    state: State = tuple(
        _initial(node, draft, position, index)
        for position in (_INITIAL if node.op_type == "LSTM" else _INITIAL[:1])
    )
    steps, _ = _steps_and_batch(node)
    states = []
    for time in range(steps)[:: -1 if _backwards(node)[index] else 1]:
        made = step(draft.gather(share, 0, time), state)
        states.append(made)
        state = made
    return states[:: -1 if _backwards(node)[index] else 1]


def _cell(node: ir.Node, draft: Draft, index: int) -> tuple[Cell, Array]:
    """Direction `index` of `node`, and the bias that goes to its inputs."""
    recurrent, bias = known(operand(node, 2)), known(operand(node, _BIAS))
    peepholes = known(operand(node, _PEEPHOLES))
    assert recurrent is not None
    hidden, gates = recurrent.shape[2], recurrent.shape[1]
    both = np.zeros((2, gates)) if bias is None else bias[index].astype(np.float64).reshape(2, -1)
    resets_product = bool(node.attributes.get_int("linear_before_reset", 0))
    inner = np.zeros(gates)
    if node.op_type == "GRU" and resets_product:
        inner[2 * hidden :] = both[1, 2 * hidden :]
    count = len(_USUAL[node.op_type])
    cell = Cell(
        draft=draft,
        dtype=ir.DataType.from_numpy(recurrent.dtype),
        recurrent=recurrent[index].T,
        bias=inner,
        peepholes=None if peepholes is None else peepholes[index].reshape(3, hidden),
        activations=tuple(_activations(node)[index * count : (index + 1) * count]),
        resets_product=resets_product,
    )
    return cell, both.sum(axis=0) - inner


def _initial(node: ir.Node, draft: Draft, position: int, index: int) -> ir.Value | None:
    """The state that direction `index` starts in; None where it is 0."""
    value = operand(node, position)
    constant = known(value)
    if value is None or (constant is not None and not np.any(constant)):
        return None
    return draft.gather(value, 1 if _by_batch(node) else 0, index)


def _steps_and_batch(node: ir.Node) -> tuple[int, int]:
    first, second = sizes(node.inputs[0])[:2]
    return (second, first) if _by_batch(node) else (first, second)


def _by_batch(node: ir.Node) -> bool:
    return bool(node.attributes.get_int("layout", 0))


def _activations(node: ir.Node) -> list[str]:
    """Of every direction, one after the other."""
    usual = _USUAL[node.op_type] * len(_backwards(node))
    return list(node.attributes.get_strings("activations", usual))


def _backwards(node: ir.Node) -> list[bool]:
    """For each direction, whether it starts at the end."""
    named = str(node.attributes.get_string("direction", "forward"))
    return {"forward": [False], "reverse": [True]}.get(named, [False, True])
