"""The largest number among the constants of a model's circuit.

EZKL's table tells a constant's scale and shape, not its values. They are the model's own, or made
of them by the loader: it multiplies into a Conv what acts on its channels, a Gemm's alpha and beta
into its operands, turns a quotient by a constant into a product, and unfolds BatchNormalization.

Source: zkprep.cost.loader; sonos/tract `core/src/ops/cnn/conv/conv.rs` declutter_*.
"""

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from zkprep.bounds.table import Unread
from zkprep.cost.call import constant_of
from zkprep.cost.loader import absorbed, affine

_OWN = 16.0
"""What constants the loader makes of its own stay below: halves, roots of pi, counts it inverts."""

_ORDINARY = frozenset({"", "ai.onnx"})
_NO_LARGER = frozenset(
    (
        *("Abs", "Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "Neg", "Relu"),
        *("Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
    )
)
"""What makes of constants none that is larger."""


def largest_constant(model: ir.Model) -> float:
    """At least as large as |c| of every constant c, before it is quantised.

    Raises:
        Unread: an operator makes larger constants of constants, or is of another domain.
    """
    graph = model.graph
    _refuse_folded(graph)
    largest = {node: _of(node) for node in graph}
    for conv, chain in absorbed(graph).items():
        gain = float(np.prod([max(1.0, largest[node]) for node in chain]))
        largest[conv] = gain * (largest[conv] + sum(largest[node] for node in chain))
    return max([_OWN, *largest.values()])


def _refuse_folded(graph: ir.Graph) -> None:
    folded: set[ir.Value] = set()
    for node in graph:
        read = [value for value in node.inputs if value is not None]
        if node.domain not in _ORDINARY:
            raise Unread(f"an operator of '{node.domain}'")
        if read and all(value in folded or constant_of(value) is not None for value in read):
            if node.op_type not in _NO_LARGER:
                raise Unread(f"{node.op_type} of constants")
            folded.update(node.outputs)


def _of(node: ir.Node) -> float:
    constants = [found for value in node.inputs if (found := constant_of(value)) is not None]
    read = sum(value is not None for value in node.inputs)
    arrays = [np.abs(found.numpy().astype(np.float64)) for found in constants]
    largest = _largest(arrays)
    if node.op_type == "Div" and arrays:
        with np.errstate(divide="ignore"):
            largest = max(largest, _largest([1 / array for array in arrays]))
    if node.op_type == "BatchNormalization" and len(arrays) == read - 1:
        parameters = [found.numpy().astype(np.float64) for found in constants]
        epsilon = float(node.attributes.get_float("epsilon", 1e-5))
        with np.errstate(divide="ignore", invalid="ignore"):
            largest = max(largest, _largest(np.abs(part) for part in affine(parameters, epsilon)))
    for name in ("alpha", "beta"):
        largest *= max(1.0, abs(float(node.attributes.get_float(name, 1.0))))
    return largest


def _largest(arrays: Iterable[np.ndarray]) -> float:
    """EZKL quantises NaN to 0."""
    found = [np.max(np.nan_to_num(one, posinf=np.inf)) for one in arrays if one.size]
    return float(max(found, default=0.0))
