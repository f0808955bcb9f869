"""Matrix products: rows from the left side's rows, columns from the right side's columns.

    (A B)[i, j] = A[i, :] B[:, j]        a batch of products likewise, batch by batch

Source: ONNX operators Gemm (A' and B' may be transposed, C is broadcast) and MatMul.
"""

import onnx_ir as ir

from zkprep.passes.split.pointwise import broadcast
from zkprep.passes.split.regions import Region, shape_of
from zkprep.passes.split.restrictions import Restriction, Rule


def _gemm(node: ir.Node, region: Region) -> Restriction:
    a, b = node.inputs[0], node.inputs[1]
    assert a is not None and b is not None
    rows, columns = region
    summed = shape_of(a)[0 if node.attributes.get_int("transA", 0) else 1]
    left: Region = (rows, (0, summed))
    right: Region = ((0, summed), columns)
    inputs = [
        left[::-1] if node.attributes.get_int("transA", 0) else left,
        right[::-1] if node.attributes.get_int("transB", 0) else right,
    ]
    return Restriction((*inputs, *(broadcast(c, region) for c in node.inputs[2:])))


def _matmul(node: ir.Node, region: Region) -> Restriction | str:
    a, b = node.inputs
    assert a is not None and b is not None
    if min(len(shape_of(a)), len(shape_of(b))) < 2:
        return f"'{node.name}' multiplies a vector"
    summed = (0, shape_of(a)[-1])
    left, right = (*region[:-1], summed), (*region[:-2], summed, region[-1])
    return Restriction((_batched(a, left), _batched(b, right)))


def _batched(value: ir.Value, region: Region) -> Region:
    """The region of an operand whose batch axes may be fewer, or of size 1."""
    shape = shape_of(value)
    own = region[len(region) - len(shape) :]
    batch = ((0, 1) if size == 1 else one for size, one in zip(shape[:-2], own[:-2], strict=True))
    return (*batch, *own[-2:])


RULES: dict[str, Rule] = {"Gemm": _gemm, "MatMul": _matmul}
