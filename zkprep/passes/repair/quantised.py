"""Quantised weights become the numbers they stand for.

    w = (q - zero_point) * scale, per tensor or per slice of one axis
Only constants: a QuantizeLinear or DequantizeLinear of activations rounds and clips, which is part
of the function, and stays. Source: ONNX operator DequantizeLinear.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair


@dataclass(frozen=True, slots=True)
class DequantiseWeights:
    """No DequantizeLinear of a constant is left."""

    name: ClassVar[str] = "dequantise-weights"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the weights as the numbers they stand for."""
        return repair(model, "weights dequantised", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "DequantizeLinear":
        return None
    scale, offset = operand(node, 1), operand(node, 2)
    values, steps, zero = known(operand(node, 0)), known(scale), known(offset)
    if values is None or scale is None:
        return "it dequantises what the model computes"
    if steps is None or (offset is not None and zero is None):
        return "its scale or zero point is not constant"
    if node.attributes.get_int("block_size", 0):
        return "its scales are per block"
    axis = node.attributes.get_int("axis", 1)
    shifted = values.astype(np.float64) - (0.0 if zero is None else _along(zero, values, axis))
    weights = shifted * _along(steps, values, axis)
    return draft.op("Identity", draft.constant("weights", weights, node.outputs[0].dtype))


def _along(parameter: Array, values: Array, axis: int) -> Array:
    """`parameter` in float64, shaped to broadcast along `axis` of `values`."""
    parameter = parameter.astype(np.float64)
    if parameter.size == 1:
        return parameter.reshape(())
    shape = [1] * values.ndim
    shape[axis] = parameter.size
    return parameter.reshape(shape)
