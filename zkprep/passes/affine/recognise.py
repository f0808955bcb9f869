"""Which nodes are affine maps, and which only look like it.

    node                          scale                     shift
    BatchNormalization            gamma / sqrt(var + e)     beta - mean * scale    axis 1
    Mul by k, Div by k            k, 1 / k                  0
    Add k, Sub k                  1                         k, -k
    Sub from k, Neg               -1                        k, 0
    Sum with constants            1                         k1 + k2 + ...
    Identity, inference Dropout   1                         0

Source: ONNX operators; BatchNormalization's default epsilon is the float32 nearest to 1e-5.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.constants import Constants, not_finite, type_name
from zkprep.passes.affine.normal_form import Affine, Array, Refusal, scaled_and_shifted, then
from zkprep.passes.normalise.identity import why_no_copy

_DEFAULT_EPSILON = float(np.float32(1e-5))

_UNCHANGED = Affine(np.ones(1), np.zeros(1))


@dataclass(frozen=True, slots=True)
class AffineNode:
    """A node that computes `affine` of `data`, its input number `index`."""

    node: ir.Node
    index: int
    affine: Affine

    @property
    def data(self) -> ir.Value:
        """The tensor it scales and shifts."""
        value = self.node.inputs[self.index]
        assert value is not None
        return value


def recognise(node: ir.Node, constants: Constants, opset: int) -> AffineNode | Refusal | None:
    """The affine map `node` computes; why it is none though it looks like one; None otherwise."""
    if node.op_type not in _RECOGNISERS or not node.inputs or node.inputs[0] is None:
        return None
    if node.op_type == "BatchNormalization":
        return _batch_normalization(node, constants, opset)
    return _RECOGNISERS[node.op_type](node, constants, opset) if node.domain == "" else None


def _batch_normalization(node: ir.Node, constants: Constants, opset: int) -> AffineNode | Refusal:
    refusal = _not_inference(node, opset)
    if refusal is not None:
        return refusal
    named: dict[str, Array] = {}
    for name, value in zip(("scale", "shift", "mean", "variance"), node.inputs[1:5], strict=True):
        assert value is not None
        values = constants.read(value, name)
        if isinstance(values, Refusal):
            return values
        named[name] = values
    if any(v.ndim != 1 or v.size != named["scale"].size for v in named.values()):
        shapes = ", ".join(f"{name} {list(v.shape)}" for name, v in named.items())
        return Refusal(f"its parameters have shapes {shapes}; expected one value per channel")
    return not_finite(named) or _of_statistics(node, named)


def statistics(norm: ir.Node, constants: Constants) -> tuple[Array, Array]:
    """Mean and variance + epsilon of a BatchNormalization that was recognised, (C,) each."""
    mean, variance = (constants.read(value, "") for value in norm.inputs[3:5] if value is not None)
    assert not isinstance(mean, Refusal) and not isinstance(variance, Refusal)
    return mean, variance + _epsilon(norm)


def _epsilon(norm: ir.Node) -> float:
    return norm.attributes.get_float("epsilon", _DEFAULT_EPSILON)


def _of_statistics(node: ir.Node, named: dict[str, Array]) -> AffineNode | Refusal:
    width = named["variance"] + _epsilon(node)
    bad = np.flatnonzero(width <= 0)
    if bad.size:
        i = int(bad[0])
        return Refusal(
            f"variance + epsilon is {width[i]:g} in channel {i}: the scale is not defined"
        )
    scale = named["scale"] / np.sqrt(width)
    shift = named["shift"] - named["mean"] * scale
    refusal = not_finite({"scale": scale, "shift": shift})
    return refusal or AffineNode(node, 0, Affine(scale, shift, axis=1))


def _not_inference(node: ir.Node, opset: int) -> Refusal | None:
    """Why a BatchNormalization is no fixed scale and shift per channel."""
    if node.domain != "":
        return Refusal(f"{node.domain}::{node.op_type} is not a standard operator")
    mode = node.attributes.get("training_mode")
    if mode is not None and (mode.is_ref() or mode.as_int() != 0):
        return Refusal(
            "it is in training mode and normalises with the statistics of each batch, so it is no "
            "fixed scale and shift; export the model in eval mode"
        )
    extra = node.outputs[1:]
    if extra and (opset < 14 or any(o.uses() or o.is_graph_output() for o in extra)):
        return Refusal("it also produces running statistics, so it runs in training mode")
    if opset < 7 and node.attributes.get_int("is_test", 0) != 1:
        return Refusal(f"is_test is not set, so in opset {opset} it runs in training mode")
    if opset < 9 and node.attributes.get_int("spatial", 1) == 0:
        return Refusal("spatial=0: it has one mean and variance per activation, not per channel")
    return None


def _binary(node: ir.Node, constants: Constants, opset: int) -> AffineNode | Refusal | None:
    """Mul, Div, Add, Sub with one operand that is, or could have been, a constant."""
    operands = [value for value in node.inputs if value is not None]
    index = next((i for i in (1, 0) if _is_parameter(operands[i])), None)
    if index is None or _is_parameter(operands[1 - index]):
        return None
    data, constant = operands[1 - index], operands[index]
    refusal = _not_per_channel(node, index, data, opset)
    if refusal is not None:
        return refusal
    k = constants.read(constant, "factor" if node.op_type in ("Mul", "Div") else "summand")
    if isinstance(k, Refusal):
        return k
    if node.op_type == "Div" and not np.all(k):
        return Refusal(f"'{constant.name}' divides by 0 in channel {np.argmin(np.abs(k))}")
    scale, shift = _scale_and_shift(node.op_type, k, constant_first=index == 0)
    affine = not_finite({"constant": k}) or scaled_and_shifted(scale, shift, constant, data)
    return affine if isinstance(affine, Refusal) else AffineNode(node, 1 - index, affine)


def _not_per_channel(node: ir.Node, index: int, data: ir.Value, opset: int) -> Refusal | None:
    """Why `node`, with a constant as operand `index`, is no scale or shift of any kind."""
    if opset < 7:
        return Refusal(
            f"operators of opset {opset} broadcast by attribute; convert to opset 7 or later first"
        )
    if data.dtype is not None and not data.dtype.is_floating_point():
        return Refusal(f"{node.op_type} computes in {type_name(data.dtype)}")
    if node.op_type == "Div" and index == 0:
        return Refusal("dividing a constant by a tensor is not a scale and shift")
    return None


def _scale_and_shift(op_type: str, k: Array, *, constant_first: bool) -> tuple[Array, Array]:
    zeros, ones = np.zeros_like(k), np.ones_like(k)
    if op_type == "Mul":
        return k, zeros
    if op_type == "Div":
        return 1 / k, zeros
    if op_type == "Add":
        return ones, k
    return (-ones, k) if constant_first else (ones, -k)


def _sum(node: ir.Node, constants: Constants, opset: int) -> AffineNode | Refusal | None:
    """Sum of one computed tensor and constants."""
    operands = [value for value in node.inputs if value is not None]
    computed = [index for index, value in enumerate(operands) if not _is_parameter(value)]
    if len(computed) != 1 or len(operands) == 1:
        return None
    data, affine = operands[computed[0]], _UNCHANGED
    refusal = _not_per_channel(node, -1, data, opset)
    if refusal is not None:
        return refusal
    for constant in operands:
        if constant is data:
            continue
        k = constants.read(constant, "summand")
        if isinstance(k, Refusal):
            return k
        one = scaled_and_shifted(1.0, k, constant, data)
        if isinstance(one, Refusal):
            return one
        both = then(affine, one)
        if both is None:
            return Refusal(f"'{constant.name}' runs along another axis than the other summands")
        affine = both
    return not_finite({"constant": affine.shift}) or AffineNode(node, computed[0], affine)


def _neg(node: ir.Node, _constants: Constants, _opset: int) -> AffineNode | None:
    return AffineNode(node, 0, Affine(-np.ones(1), np.zeros(1))) if _floating(node) else None


def _copy(node: ir.Node, _constants: Constants, opset: int) -> AffineNode | None:
    if why_no_copy(node, opset) or not _floating(node):
        return None
    return AffineNode(node, 0, _UNCHANGED)


def _floating(node: ir.Node) -> bool:
    dtype = node.inputs[0].dtype if node.inputs[0] is not None else None
    return dtype is not None and dtype.is_floating_point()


def _is_parameter(value: ir.Value) -> bool:
    """Whether `value` is a constant, or would be one were it not an input with a default."""
    producer = value.producer()
    return value.is_initializer() or (producer is not None and producer.op_type == "Constant")


_Recogniser = Callable[[ir.Node, Constants, int], AffineNode | Refusal | None]

_RECOGNISERS: dict[str, _Recogniser] = {
    "BatchNormalization": _batch_normalization,
    "Mul": _binary,
    "Div": _binary,
    "Add": _binary,
    "Sub": _binary,
    "Sum": _sum,
    "Neg": _neg,
    "Identity": _copy,
    "Dropout": _copy,
}
