"""One bias where two Convs meet in a sum.

    (conv(x, V) + a) + (conv(y, W) + b)  =  conv(x, V) + (conv(y, W) + (a + b))
So at the projected shortcut of a residual block. To EZKL a Conv of kernel 1 is an einsum with an
Add behind it, a cell per output; any other Conv takes a row for its bias whatever it is. Source:
EZKL `src/circuit/ops/layouts.rs`, conv; sonos/tract `core/src/ops/cnn/conv/conv.rs`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.cost.loader import is_einsum
from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.repair.draft import Array, Draft, known, maker_for_one, operand, sizes

TITLE = "one bias of two Convs"


@dataclass(frozen=True, slots=True)
class SharedBiases:
    """No two Convs that are added have a bias each where one is cheaper."""

    name: ClassVar[str] = "shared-biases"

    def __call__(self, model: ir.Model) -> PassResult:
        """Leave one bias of two where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    if node.op_type != "Add":
        return None
    first, second = (_biased(value) for value in node.inputs)
    if first is None or second is None or first[0] is second[0]:
        return None
    convs, total = (first[0], second[0]), first[1] + second[1]
    if sizes(convs[0].outputs[0]) != sizes(convs[1].outputs[0]):
        return None
    bias = draft.constant("bias", total, node.outputs[0].dtype)
    # The one that takes a row for its bias anyway keeps it.
    keeper = convs[1] if is_einsum(convs[0]) else convs[0]
    made = [_again(draft, conv, [bias] if conv is keeper else []) for conv in convs]
    for conv in convs:
        draft.absorb(conv)
    return draft.op("Add", *made)


def _biased(value: ir.Value | None) -> tuple[ir.Node, Array] | None:
    """The Conv that makes `value` for one reader, and its bias, if it has one that is constant."""
    node = maker_for_one(value, "Conv")
    bias = None if node is None else known(operand(node, 2))
    return None if node is None or bias is None else (node, bias.astype(np.float64))


def _again(draft: Draft, conv: ir.Node, bias: list[ir.Value]) -> ir.Value:
    """The same Conv with another bias or none."""
    inputs, attributes = [*conv.inputs[:2], *bias], conv.attributes.values()
    return draft.append(ir.Node("", "Conv", inputs, attributes, num_outputs=1)).outputs[0]
