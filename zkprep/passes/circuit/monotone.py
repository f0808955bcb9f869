"""An activation that never falls goes below the MaxPool that reads it: fewer elements to activate.

    MaxPool(f(x)) = f(MaxPool(x))    for f that never falls, element by element
The largest element of a window is the same before and after f. The pool alone reads f(x), and the
model does not put it out. A slope per channel is one slope in every window, because pools are
spatial. Source: ONNX operators.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.repair.draft import Draft, known, operand, sizes

TITLE = "activation below MaxPool"

_NEVER_FALL = frozenset(("Clip", "Erf", "Exp", "Relu", "Sigmoid", "Softplus", "Softsign", "Tanh"))
_SLOPES = {"Elu": 1.0, "HardSigmoid": 0.2, "LeakyRelu": 0.01}
"""Never fall either unless their alpha, by default this, is negative."""

_POOLS = frozenset(("MaxPool", "GlobalMaxPool"))


@dataclass(frozen=True, slots=True)
class ActivateAfterMaxPool:
    """No MaxPool reads an activation that would cost less behind it."""

    name: ClassVar[str] = "activate-after-max-pool"

    def __call__(self, model: ir.Model) -> PassResult:
        """Change the order where that is cheaper, again and again for pools in a row."""
        applied: list[Site] = []
        while (result := where_cheaper(model, TITLE, _rule)).applied:
            model, applied = result.model, [*applied, *result.applied]
        return PassResult(result.model, (*applied, *result.sites))


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    value = operand(node, 0)
    activation = value.producer() if value is not None else None
    if node.op_type not in _POOLS or value is None or activation is None:
        return None
    if not _never_falls(activation) or len(node.outputs) > 1:
        return None
    if value.is_graph_output():
        return f"'{value.name}' is an output of the model"
    if len(value.uses()) > 1:
        return f"'{value.name}' is read by others too"
    pooled = draft.op(node.op_type, activation.inputs[0], **node.attributes)
    draft.absorb(activation)
    return draft.op(activation.op_type, pooled, *activation.inputs[1:], **activation.attributes)


def _never_falls(node: ir.Node) -> bool:
    if node.domain != "":
        return False
    if node.op_type == "PRelu":
        slope = known(node.inputs[1])
        spatial = len(sizes(node.inputs[0])) - 2
        return (
            slope is not None
            and bool(np.all(slope >= 0))
            and all(size == 1 for size in slope.shape[-spatial:])
        )
    if node.op_type in _SLOPES:
        return node.attributes.get_float("alpha", _SLOPES[node.op_type]) >= 0
    return node.op_type in _NEVER_FALL
