"""HardSigmoid and HardSwish by arithmetic or by table, whichever is cheaper.

    HardSigmoid(x) = Clip(a * x + b, 0, 1) = a * Clip(x + b / a, 0, 1 / a)
    HardSwish(x) = x * HardSigmoid(x), a = 1 / 6, b = 1 / 2
As a node, HardSigmoid is two comparisons and a product with a rebase, HardSwish one cell and a
static table, which keeps the circuit from having few rows and from deferring rebases. As arithmetic
both are two Relus and a product; a goes into the linear operator that makes the input, where that
makes nothing else, or to the binary point and into the operator that reads the result. A product of
x with its HardSigmoid becomes the node HardSwish where a table is cheaper. Source: ONNX operators
HardSigmoid (6), HardSwish (14).
"""

from dataclasses import dataclass
from functools import partial
from math import frexp
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.fuse import FuseAffine
from zkprep.passes.affine.normal_form import Affine
from zkprep.passes.affine.plan import Plan, Scope, plan_backward
from zkprep.passes.base import PassResult
from zkprep.passes.circuit.bounds import smallest
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.opset import standard_opset
from zkprep.passes.repair.draft import Draft, maker_for_one, operand

ARITHMETIC, TABLE = "hard sigmoid by Relu", "HardSwish by table"

_HARD_SWISH = (1 / 6, 0.5)
_HARD_SWISH_SINCE = 14
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class HardSigmoids:
    """HardSigmoid and HardSwish are what is cheapest to prove."""

    name: ClassVar[str] = "hard-sigmoids"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write products as HardSwish, then either as arithmetic, where that is cheaper."""
        tables = where_cheaper(model, TABLE, _as_table)
        scope = Scope(Constants(tables.model), standard_opset(model), keeps_shifts=True)
        fold = (FuseAffine(keeps_shifts=True),)
        made = where_cheaper(tables.model, ARITHMETIC, partial(_as_relus, scope), finish=fold)
        return PassResult(made.model, (*tables.sites, *made.sites))


def _as_table(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "Mul" or draft.opset < _HARD_SWISH_SINCE:
        return None
    for index in (0, 1):
        data, factor = node.inputs[index], node.inputs[1 - index]
        gate = maker_for_one(factor, "HardSigmoid")
        if data is None or gate is None or gate.inputs[0] is not data:
            continue
        if np.allclose(_line(gate), _HARD_SWISH, _CLOSE, 0):
            draft.absorb(gate)
            return draft.op("HardSwish", data)
    return None


def _as_relus(scope: Scope, node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data, kind = operand(node, 0), node.outputs[0].dtype
    if node.op_type not in ("HardSigmoid", "HardSwish") or data is None or kind is None:
        return None
    slope, shift = _line(node)
    if slope <= 0:
        return "it does not rise"
    swish = node.op_type == "HardSwish"
    line = Affine(np.array([slope]), np.array([shift]))
    before = not swish and isinstance(plan_backward(data, node, line, scope), Plan)
    factor, top = (slope, 1.0) if before else (1.0, 1 / slope)
    raised = draft.op("Mul", data, draft.constant("slope", factor, kind)) if before else data
    raised = draft.op("Add", raised, draft.constant("offset", shift * factor / slope, kind))
    result = smallest(draft, draft.op("Relu", raised), np.array(top))
    if swish:
        result = draft.op("Mul", data, result)
    if before:
        return result
    # A power of two moves the binary point; the rest, in [1/2, 1), is folded where it can be.
    rest, bits = frexp(slope) if slope < 1 else (slope, 0)
    for role, value in (("shift", 2.0**bits), ("factor", rest)):
        if value != 1:
            result = draft.op("Mul", result, draft.constant(role, value, kind))
    return result


def _line(node: ir.Node) -> tuple[float, float]:
    """Slope and shift between the bounds."""
    if node.op_type == "HardSwish":
        return _HARD_SWISH
    return node.attributes.get_float("alpha", 0.2), node.attributes.get_float("beta", 0.5)
