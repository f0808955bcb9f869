"""A constant factor of a product of two tensors goes to one of them, before it is rescaled.

    c (A @ B)  =  (c A) @ B,    c = r 2**-j,  1/2 < r <= 1
So the 1 / sqrt(d) of attention: 2**-j moves the binary point, for a cell per element, and what has
been rescaled already is rescaled again by every operator that reads it. On the way into the product
it is rescaled with it, once. r goes on into the linear operator that makes the operand, if it lets
r through (zkprep.passes.affine). Source: EZKL 23.0.5 `src/graph/node.rs`, Node::new; A. Vaswani et
al., "Attention Is All You Need" (arXiv 1706.03762).
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
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.opset import standard_opset
from zkprep.passes.repair.draft import Draft, known, maker_for_one, sizes

TITLE = "factor before a product"


@dataclass(frozen=True, slots=True)
class FactorsBeforeProducts:
    """No product of two tensors is scaled where scaling a factor is cheaper."""

    name: ClassVar[str] = "factors-before-products"

    def __call__(self, model: ir.Model) -> PassResult:
        """Scale an operand where that is cheaper, and fold what is left of the factor."""
        scope = Scope(Constants(model), standard_opset(model), keeps_shifts=True)
        fold = (FuseAffine(keeps_shifts=True),)
        return where_cheaper(model, TITLE, partial(_rule, scope), finish=fold)


def _rule(scope: Scope, node: ir.Node, draft: Draft) -> ir.Value | None:
    scaled = _scaled(node)
    if scaled is None:
        return None
    product, factor = scaled
    rest, shift = _parted(factor)
    operands = list(product.inputs)
    places = sorted((0, 1), key=lambda place: np.prod(sizes(operands[place])))
    takes = (place for place in places if _takes(scope, product, operands[place], rest))
    place = next(takes, places[0])
    for role, value in (("factor", rest), ("shift", shift)):
        if value != 1:
            number = draft.constant(role, value, node.outputs[0].dtype)
            operands[place] = draft.op("Mul", operands[place], number)
    draft.absorb(product)
    return draft.op("MatMul", *operands)


def _scaled(node: ir.Node) -> tuple[ir.Node, float] | None:
    """The product of two computed tensors that `node` alone scales, and the factor."""
    kind = node.outputs[0].dtype
    if node.op_type not in ("Mul", "Div") or kind is None or not kind.is_floating_point():
        return None
    for index in (0, 1) if node.op_type == "Mul" else (0,):
        value, number = node.inputs[index], known(node.inputs[1 - index])
        product = maker_for_one(value, "MatMul")
        if product is None or number is None or number.size != 1:
            continue
        computed = all(known(one) is None for one in product.inputs)
        if not computed or sizes(value) != sizes(node.outputs[0]):
            continue
        given = float(number.item())
        if given:
            return product, given if node.op_type == "Mul" else 1 / given
    return None


def _parted(factor: float) -> tuple[float, float]:
    """What is left of a factor and 2**-j, which one above 1 or below 0 does not have."""
    mantissa, exponent = frexp(factor)
    if not 0 < factor < 1:
        return factor, 1.0
    return (1.0, factor) if mantissa == 0.5 else (mantissa, 2.0**exponent)


def _takes(scope: Scope, product: ir.Node, operand: ir.Value | None, rest: float) -> bool:
    """Whether what makes an operand can take the rest of the factor."""
    affine = Affine(np.array([rest]), np.zeros(1))
    return operand is not None and isinstance(plan_backward(operand, product, affine, scope), Plan)
