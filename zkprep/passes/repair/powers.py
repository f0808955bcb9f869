"""EZKL takes powers of one exponent, and gets those that are 0 or negative integers wrong.

    x^0 = 1          x^-n = 1 / x^n, n = 1, 2...          b^x = exp(x ln b), b > 0
A constant tensor of several exponents becomes a choice between the powers of each:
    x^e = Where(e = e1, x^e1, Where(e = e2, x^e2, ...)),
so that every element is the power it was. Source: ONNX operator Pow; EZKL reads the exponent as an
unsigned number (`src/graph/utilities.rs`).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair, sizes

_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


@dataclass(frozen=True, slots=True)
class PlainPowers:
    """Every power has one constant exponent, positive or fractional."""

    name: ClassVar[str] = "plain-powers"

    def __call__(self, model: ir.Model) -> PassResult:
        """Rewrite the powers that EZKL rejects or gets wrong."""
        return repair(model, "power rewritten", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "Pow":
        return None
    base, exponent = operand(node, 0), operand(node, 1)
    powers, bases = known(exponent), known(base)
    if base is None or exponent is None or base.dtype not in _FLOATS:
        return "it computes in integers"
    if bases is not None:
        return _exponential(draft, bases, exponent, base.dtype)
    if powers is None:
        return f"its exponent '{exponent.name}' is not constant"
    distinct = [float(one) for one in np.unique(powers)]
    if len(distinct) == 1 and not _misread(distinct[0]):
        return None
    shape = sizes(node.outputs[0])
    result = _power(draft, base, distinct[0], shape)
    for one in distinct[1:]:
        chosen = draft.constant("chosen", np.broadcast_to(powers == one, shape), ir.DataType.BOOL)
        result = draft.op("Where", chosen, _power(draft, base, one, shape), result)
    return result


def _misread(exponent: float) -> bool:
    return exponent <= 0 and exponent == round(exponent)


def _power(draft: Draft, base: ir.Value, exponent: float, shape: tuple[int, ...]) -> ir.Value:
    assert base.dtype is not None
    if exponent == 0:
        return draft.op("Identity", draft.constant("ones", np.ones(shape), base.dtype))
    if not _misread(exponent):
        return draft.op("Pow", base, draft.constant("exponent", exponent, base.dtype))
    if exponent == -1:
        return draft.op("Reciprocal", base)
    return draft.op("Reciprocal", _power(draft, base, -exponent, shape))


def _exponential(
    draft: Draft, bases: np.ndarray, exponent: ir.Value, dtype: ir.DataType
) -> ir.Value | str | None:
    if bases.size == 1:
        return None
    if exponent.dtype != dtype:
        return f"its exponent '{exponent.name}' has another type than its base"
    if not np.all(bases > 0):
        return "a negative base has no real power in general"
    logarithms = draft.constant("logarithms", np.log(bases.astype(np.float64)), dtype)
    return draft.op("Exp", draft.op("Mul", exponent, logarithms))
