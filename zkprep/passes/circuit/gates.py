"""A factor per channel goes into the weights of the Conv behind it.

    sum over c of W[o, c] (g[c] x[c, n])  =  sum over c of (W[o, c] g[c]) x[c, n]
Squeeze and excitation multiplies every element of a tensor with its channel's gate, and rescales
every product, before a Conv of kernel 1. Its weights are fewer where places outnumber its outputs.
Source: J. Hu, L. Shen and G. Sun, "Squeeze-and-Excitation Networks" (arXiv 1709.01507).
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import onnx_ir as ir

from zkprep.cost.loader import is_einsum
from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.repair.draft import Draft, known, maker_for_one, operand, sizes

TITLE = "gates into weights"


@dataclass(frozen=True, slots=True)
class GatesIntoWeights:
    """No tensor is multiplied by channel where the weights that read it are fewer."""

    name: ClassVar[str] = "gates-into-weights"

    def __call__(self, model: ir.Model) -> PassResult:
        """Multiply weights with gates where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    if node.op_type != "Conv" or not is_einsum(node) or known(node.inputs[1]) is None:
        return None
    gated = _gated(node.inputs[0])
    if gated is None or set(node.attributes.get_ints("strides", [1])) != {1}:
        return None
    product, data, gate = gated
    weights, bias, shape = known(node.inputs[1]), operand(node, 2), sizes(node.outputs[0])
    assert weights is not None
    outputs, channels = weights.shape[:2]
    plain = draft.constant("weights", weights.reshape(outputs, channels), data.dtype)
    scaled = draft.op("Mul", plain, draft.reshaped(gate, "gate", (1, channels)))
    rows = draft.reshaped(data, "stack", (channels, prod(shape[2:])))
    made = draft.op("MatMul", scaled, rows)
    if bias is not None:
        made = draft.op("Add", made, draft.reshaped(bias, "bias", (outputs, 1)))
    draft.absorb(product)
    return draft.reshaped(made, "whole", shape)


def _gated(value: ir.Value | None) -> tuple[ir.Node, ir.Value, ir.Value] | None:
    """The product of one image and a computed factor per channel that one reader has, and both."""
    node = maker_for_one(value, "Mul")
    if node is None or sizes(value)[0] != 1:
        return None
    shape = sizes(value)
    for data, gate in (node.inputs, reversed(node.inputs)):
        if data is None or gate is None or known(gate) is not None or sizes(data) != shape:
            continue
        if sizes(gate) == (1, shape[1], *(1,) * (len(shape) - 2)) != shape:
            return node, data, gate
    return None
