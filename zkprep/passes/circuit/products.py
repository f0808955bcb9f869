"""Three factors multiplied at once: one rescale instead of two.

    (a * b) * c,  (a / b) * c = (a * (1 / b)) * c  as one Einsum over the axes of the result
EZKL brings every product of two tensors back to its scale, an Einsum of three factors once, for 4
cells instead of 2 and a rescale. So x * sigmoid(x) * gate of gated networks, and what is divided by
its deviation and then scaled, as exporters spell normalisations out. Source: EZKL
`src/circuit/ops/layouts.rs`, einsum_with_base_ops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.repair.draft import Draft, known, maker_for_one, operand, sizes

TITLE = "three factors at once"


@dataclass(frozen=True, slots=True)
class ProductsOfThree:
    """No product of two tensors is rescaled before it is multiplied again."""

    name: ClassVar[str] = "products-of-three"

    def __call__(self, model: ir.Model) -> PassResult:
        """Join two products where that is cheaper."""
        return where_cheaper(model, TITLE, _rule, of_one_size)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    kind = node.outputs[0].dtype
    if node.op_type != "Mul" or kind is None or not kind.is_floating_point():
        return None
    first = next((index for index in (0, 1) if _inner(node.inputs[index]) is not None), None)
    inner = None if first is None else _inner(node.inputs[first])
    shape = sizes(node.outputs[0])
    if first is None or inner is None or len(shape) > len(ascii_lowercase):
        return None
    a, b, c = *inner.inputs, node.inputs[1 - first]
    if a is None or b is None or c is None or _is_number(c):
        return None
    if any(max(sizes(one), default=1) == 1 for one in (a, b, c)):
        return None
    if inner.op_type == "Div":
        b = draft.op("Reciprocal", b)
    result = _product(draft, (a, b, c), (sizes(a), sizes(operand(inner, 1)), sizes(c)), shape)
    draft.absorb(inner)
    return result


def _inner(value: ir.Value | None) -> ir.Node | None:
    """The product or quotient of two tensors that makes `value` for one reader."""
    node = maker_for_one(value, "Mul", "Div")
    tensors = node is not None and all(known(one) is None for one in node.inputs)
    return node if tensors else None


def _is_number(value: ir.Value) -> bool:
    """Whether it is one constant, which an operator around may take in."""
    values = known(value)
    return values is not None and values.size == 1


def _product(
    draft: Draft,
    factors: Sequence[ir.Value],
    shapes: Sequence[Sequence[int]],
    shape: Sequence[int],
) -> ir.Value:
    """Their product of `shape`; a factor is read along the axes that it has."""
    letters = ascii_lowercase[: len(shape)]
    result = "".join(one for one, size in zip(letters, shape, strict=True) if size > 1)
    operands, names = [], []
    for position, (factor, given) in enumerate(zip(factors, shapes, strict=True)):
        own = letters[len(shape) - len(given) :]
        names.append("".join(one for one, size in zip(own, given, strict=True) if size > 1))
        lengths = [size for size in given if size > 1]
        operands.append(draft.reshaped(factor, f"factor_{position}", lengths))
    made = draft.op("Einsum", *operands, equation=f"{','.join(names)}->{result}")
    return draft.op("Reshape", made, draft.constant("shape", shape))
