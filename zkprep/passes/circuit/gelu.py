"""GELU in the variable that Erf reads: one rescale instead of three.

    x * (1 + erf(x / sqrt(2))) / 2  =  z * (1 + erf(z)) * c,    z = x / sqrt(2), c = 1 / sqrt(2)
The factor that makes z is folded into the linear operator that makes x, and c into the one that
reads the result, where there are such operators; two of the three products by constants, each with
a rebase, are then gone. Source: ONNX operator Gelu (20), approximate = "none", as exporters and
zkprep.passes.repair.functions spell it out.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.fuse import FuseAffine
from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.repair.draft import Draft, is_read_once, known

TITLE = "GELU in the variable of its Erf"

_CLOSE = 1e-5


@dataclass(frozen=True, slots=True)
class ScaledGelu:
    """No GELU scales its argument twice where the operators around it can."""

    name: ClassVar[str] = "scaled-gelu"

    def __call__(self, model: ir.Model) -> PassResult:
        """Change the variable where that is cheaper."""
        fold = (FuseAffine(keeps_shifts=True),)
        return where_cheaper(model, TITLE, _rule, lambda node: node.op_type, finish=fold)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    found = _factors(node)
    if found is None:
        return None
    tensors, number, products = found
    if len(tensors) != 2 or _is_scaled(node, tensors):
        return None
    one, other = tensors
    data, gone = (one, _erf_of(other, one)) if _erf_of(other, one) else (other, _erf_of(one, other))
    if gone is None or not all(is_read_once(node.outputs[0]) for node in gone):
        return None
    kind = data.dtype
    scale = float(np.sqrt(0.5))
    z = draft.op("Mul", data, draft.constant("scale", scale, kind))
    raised = draft.op("Add", draft.op("Erf", z), draft.constant("one", 1.0, kind))
    for part in (*products, *gone):
        draft.absorb(part)
    factor = draft.constant("factor", number / scale, kind)
    return draft.op("Mul", draft.op("Mul", z, raised), factor)


def _factors(node: ir.Node) -> tuple[list[ir.Value], float, list[ir.Node]] | None:
    """Tensors and number whose product `node` is, and the other products of it, nearest first."""
    if node.op_type not in ("Mul", "Div"):
        return None
    tensors: list[ir.Value] = []
    number, inner = 1.0, list[ir.Node]()
    for index, value in enumerate(node.inputs):
        assert value is not None
        constant = known(value)
        if constant is not None and constant.size == 1:
            number *= constant.item() if node.op_type == "Mul" or not index else 1 / constant.item()
        elif constant is not None or (node.op_type == "Div" and index):
            return None
        else:
            tensors.append(value)
    for value in tuple(tensors):
        producer = value.producer()
        below = _factors(producer) if producer is not None and is_read_once(value) else None
        if producer is not None and below is not None:
            tensors.remove(value)
            tensors += below[0]
            number *= below[1]
            inner += [producer, *below[2]]
    return tensors, number, inner


def _is_scaled(node: ir.Node, tensors: list[ir.Value]) -> bool:
    """Whether a number is all that the product is multiplied with by its only reader."""
    if not is_read_once(node.outputs[0]):
        return False
    found = _factors(node.outputs[0].consumers()[0])
    return found is not None and len(found[0]) == len(tensors)


def _erf_of(total: ir.Value, data: ir.Value) -> list[ir.Node] | None:
    """The nodes of 1 + erf(data / sqrt(2)), nearest first; None when `total` is something else."""
    add = total.producer()
    if add is None or add.op_type != "Add":
        return None
    one = next((index for index in (0, 1) if known(add.inputs[index]) is not None), None)
    if one is None or not _equals(add.inputs[one], 1.0):
        return None
    curve = add.inputs[1 - one]
    erf = curve.producer() if curve is not None else None
    if erf is None or erf.op_type != "Erf" or erf.inputs[0] is None:
        return None
    argument = erf.inputs[0].producer()
    found = _factors(argument) if argument is not None else None
    if argument is None or found is None or found[2]:
        return None
    tensors, number, _ = found
    if tensors != [data] or not np.isclose(number, np.sqrt(0.5), _CLOSE, 0):
        return None
    return [add, erf, argument]


def _equals(value: ir.Value | None, number: float) -> bool:
    values = known(value)
    return values is not None and values.size == 1 and values.item() == number
