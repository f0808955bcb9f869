"""EZKL lacks GroupNormalization: it is an InstanceNormalization of groups.

With G groups over C channels, x of shape (N, C, ...):
    Reshape to (N, G, -1), InstanceNormalization with scale 1 and bias 0, Reshape to (N, C, -1),
    times scale (C, 1), plus bias (C, 1), Reshape to the shape of x.
ONNX's own definition takes the variance as a difference of large numbers, which a circuit's fixed
point does not forgive. No shape needs to be known: inference cannot see through the operator.
Source: ONNX operator GroupNormalization.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair

# Before, scale and bias had one element per group.
_SCALE_PER_CHANNEL_SINCE = 21


@dataclass(frozen=True, slots=True)
class GroupsAsInstances:
    """No GroupNormalization with constant scale and bias is left."""

    name: ClassVar[str] = "groups-as-instances"
    narrows: ClassVar[str] = "symbolic dimensions of the outputs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the groups as instances."""
        return repair(model, "GroupNormalization of instances", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "GroupNormalization":
        return None
    data, scale, bias = operand(node, 0), operand(node, 1), operand(node, 2)
    factors, shifts = known(scale), known(bias)
    if data is None or scale is None or factors is None or shifts is None:
        return "its scale or bias is not constant"
    groups = node.attributes["num_groups"].as_int()
    grouped = draft.op("Reshape", data, draft.constant("groups", [0, groups, -1]))
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    if draft.opset < _SCALE_PER_CHANNEL_SINCE:
        normal = draft.op("InstanceNormalization", grouped, scale, bias, epsilon=epsilon)
        return draft.op("Reshape", normal, draft.op("Shape", data))
    ones = draft.constant("ones", np.ones(groups), scale.dtype)
    zeros = draft.constant("zeros", np.zeros(groups), scale.dtype)
    normal = draft.op("InstanceNormalization", grouped, ones, zeros, epsilon=epsilon)
    channels = draft.op("Reshape", normal, draft.constant("channels", [0, len(factors), -1]))
    scaled = draft.op("Mul", channels, draft.constant("scale", factors[:, None], scale.dtype))
    shifted = draft.op("Add", scaled, draft.constant("bias", shifts[:, None], scale.dtype))
    return draft.op("Reshape", shifted, draft.op("Shape", data))
