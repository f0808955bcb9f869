"""LeakyRelu and PRelu by one Relu.

    f(x) = x for x > 0, a * x below   =   Relu(x) + a * (x - Relu(x))
A Relu, a difference, a product and a sum: D + 10 cells per element, a rebase where none is
deferred, against D + 16 and a rebase for LeakyRelu and D + 22 for PRelu, which EZKL lays out as a
choice between two products. The slope of a PRelu may differ by channel. Source: ONNX operators
LeakyRelu, PRelu; EZKL `src/circuit/ops/layouts.rs`, leaky_relu.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.repair.draft import Array, Draft, known

TITLE = "slopes by one Relu"

_DEFAULT_ALPHA = 0.01


@dataclass(frozen=True, slots=True)
class SlopesByRelu:
    """No two slopes are chosen between where a Relu is cheaper."""

    name: ClassVar[str] = "slopes-by-relu"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write LeakyRelu and PRelu by one Relu where that is cheaper."""
        return where_cheaper(model, TITLE, _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data, kind = node.inputs[0] if node.inputs else None, node.outputs[0].dtype
    if data is None or kind is None or not kind.is_floating_point():
        return None
    if node.op_type == "LeakyRelu":
        slope: Array | None = np.array(node.attributes.get_float("alpha", _DEFAULT_ALPHA))
    elif node.op_type == "PRelu":
        slope = known(node.inputs[1])
    else:
        return None
    if slope is None:
        return "its slope is computed"
    above = draft.op("Relu", data)
    below = draft.op("Sub", data, above)
    return draft.op("Add", above, draft.op("Mul", below, draft.constant("slope", slope, kind)))
