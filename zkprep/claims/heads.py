"""Heads: functions of a proved output that whoever verifies evaluates in the clear.

    Softmax     exp(x - max x) / sum exp(x - max x)    along the axis
    LogSoftmax  x - max x - log(sum exp(x - max x))    along the axis
    Sigmoid     1 / (1 + exp(-x))                      of every element
    ArgMax      the first or the last index of the largest element along the axis, on exact integers

Each is a public function of a public tensor, so nothing is lost by leaving it out of the circuit,
where it costs lookup tables, sorting and precision. Sources: ONNX operators of these names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkprep.claims.claim import Head

Array = NDArray[Any]


def evaluate(head: Head, values: Array) -> Array:
    """The head's tensor, float64 or int64.

    Args:
        head: which function, along which axis.
        values: the proved output, in its own shape: real numbers, or for ArgMax exact integers of
            type object.
    """
    if head.function == "ArgMax":
        found = _arg_max(values, head.axis, last=head.last)
    else:
        found = _FUNCTIONS[head.function](np.asarray(values, dtype=np.float64), head.axis)
    return found.reshape(head.shape)


def with_heads(heads: Sequence[Head], outputs: Mapping[str, Array]) -> dict[str, Array]:
    """`outputs` by name, and with them the heads whose source is among them."""
    found = dict(outputs)
    for head in heads:
        if head.tensor not in found and head.source in found:
            found[head.tensor] = evaluate(head, found[head.source])
    return found


def describe(head: Head) -> str:
    """In words, such as "'probabilities' [1, 10] = Softmax of 'logits' along axis 1"."""
    along = "" if head.function == "Sigmoid" else f" along axis {head.axis}"
    return f"'{head.tensor}' {list(head.shape)} = {head.function} of '{head.source}'{along}"


def _softmax(x: Array, axis: int) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _log_softmax(x: Array, axis: int) -> Array:
    below = x - x.max(axis=axis, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=axis, keepdims=True)))


def _sigmoid(x: Array, _axis: int) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def _arg_max(x: Array, axis: int, *, last: bool) -> Array:
    if not last:
        return np.asarray(np.argmax(x, axis=axis), dtype=np.int64)
    return np.asarray(x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis=axis), dtype=np.int64)


_FUNCTIONS: dict[str, Callable[[Array, int], Array]] = {
    "LogSoftmax": _log_softmax,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
}
