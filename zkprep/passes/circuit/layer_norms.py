"""LayerNormalization with one rescale per element.

    c = x - mean,  v = sum(c * c) * f / 2**k,  y = c * (1 / sqrt(v + epsilon)) * scale + shift
with f / 2**k = 1 / D for rows of D elements, 2**k >= D. The sum of squares is a product of the row
with itself, and the product of three factors is one Einsum: each is brought back to its scale once,
where EZKL brings back c, c / sqrt(v) and the product with the scale, every element of them. Factors
2**-k move the binary point, so that neither the mean nor the variance of a long row is lost in the
bits of a constant: 1 / 768 is 0 at 8 bits. Exporters' own spelling is taken for what it is
(zkprep.passes.circuit.spelled_norms). Source: ONNX operator LayerNormalization (17); EZKL
`src/circuit/ops/layouts.rs`, einsum_with_base_ops.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.circuit.spelled_norms import spelled
from zkprep.passes.repair.draft import Draft, known, operand, sizes

TITLE = "LayerNormalization with one rescale"

_EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class LayerNormsByEinsum:
    """No LayerNormalization rescales an element more than once."""

    name: ClassVar[str] = "layer-norms-by-einsum"

    def __call__(self, model: ir.Model) -> PassResult:
        """Spell LayerNormalization out where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, lambda node: node.op_type)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    found = spelled(node)
    if found is not None:
        for one in found.nodes:
            draft.absorb(one)
        return _written(draft, found.data, found.axis, found.epsilon, (found.scale, None))
    data = operand(node, 0)
    if node.op_type != "LayerNormalization" or data is None:
        return None
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return "its mean or deviation is read"
    axis = node.attributes.get_int("axis", -1) % len(sizes(data))
    epsilon = node.attributes.get_float("epsilon", _EPSILON)
    return _written(draft, data, axis, epsilon, (operand(node, 1), operand(node, 2)))


def _written(
    draft: Draft,
    data: ir.Value,
    axis: int,
    epsilon: float,
    parameters: tuple[ir.Value | None, ir.Value | None],
) -> ir.Value:
    shape = sizes(data)
    length = prod(shape[axis:])
    rows = draft.op("Reshape", data, draft.constant("rows", [prod(shape[:axis]), length]))
    centred = draft.op("Sub", rows, _mean(draft, rows, length))
    spread = draft.op("Einsum", centred, centred, equation="ij,ij->i")
    variance = _divided(draft, spread, length, exact=True)
    shifted = draft.op("Add", variance, draft.constant("epsilon", epsilon, data.dtype))
    inverse = draft.op("Reciprocal", draft.op("Sqrt", shifted))
    result = _scaled(draft, centred, inverse, parameters)
    return draft.op("Reshape", result, draft.constant("shape", shape))


def _scaled(
    draft: Draft,
    centred: ir.Value,
    inverse: ir.Value,
    parameters: tuple[ir.Value | None, ir.Value | None],
) -> ir.Value:
    """Every row times its number, times the scale of the column, and shifted."""
    scale, shift = parameters
    values = known(scale)
    if scale is None or (values is not None and np.all(values == 1)):
        result = draft.op("Einsum", centred, inverse, equation="ij,i->ij")
    else:
        flat = _flat(draft, "scale", scale)
        result = draft.op("Einsum", centred, inverse, flat, equation="ij,i,j->ij")
    return result if shift is None else draft.op("Add", result, _flat(draft, "offset", shift))


def _flat(draft: Draft, role: str, parameter: ir.Value) -> ir.Value:
    values = known(parameter)
    if values is not None:
        return draft.constant(role, values.ravel(), parameter.dtype)
    return draft.op("Reshape", parameter, draft.constant(f"{role}_shape", [-1]))


def _mean(draft: Draft, rows: ir.Value, length: int) -> ir.Value:
    total = draft.op("ReduceSum", rows, draft.constant("axes", [1]), keepdims=1)
    return _divided(draft, total, length, exact=False)


def _divided(draft: Draft, total: ir.Value, length: int, *, exact: bool) -> ir.Value:
    """`total` / `length`, at a scale of its own where it is to be `exact`, else at `total`'s.

    A number at a larger scale than the row's would have every element brought back from it; so a
    factor 2 brings one back that needs no other.
    """
    bits = (length - 1).bit_length()
    if not exact and length == 1 << bits:
        bits += 1
    factor, kind = (1 << bits) / length, draft.node.outputs[0].dtype
    shift = draft.constant("shift", 2.0**-bits, kind)
    by = draft.constant("factor", factor, kind)
    if exact:
        scaled = total if factor == 1 else draft.op("Mul", total, by)
        return draft.op("Mul", scaled, shift) if bits else scaled
    return draft.op("Mul", draft.op("Mul", total, shift), by)
