"""A slice whose inputs have scales of their own: each finer one descends by a Mul at its entry.

    an input of scale s is the integer x * 2**s;  to EZKL, at scale t = s - k, that is x * 2**k
    entry: Mul by 2**-k, and all behind it reads x

EZKL has one scale t for all inputs of a slice, and divides no scale back that is at most
multiplier * max(t, param_scale): a slice that took a fine input for what it is could only pass its
scale on or grow it. With the Mul, which EZKL takes for a change of scale at one cell per element,
every tensor has its own scale and what exceeds the limit is divided back behind the first operator,
by EZKL's own range-checked division. A link is the same integers at both ends as ever.

Source: EZKL 23.0.5 `src/graph/utilities.rs` new_op_from_onnx (Mul by a power of two),
`src/graph/node.rs` RebaseScale. Measured: tests/test_descent.py.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from zkprep.circuit import CircuitSpec
from zkprep.errors import StatementError
from zkprep.model import Feeds
from zkprep.passes.names import Names


def entered(model: ir.Model, spec: CircuitSpec) -> ir.Model:
    """The slice's model as its circuit has it: a Mul behind every input that descends.

    Args:
        model: the slice's; left as it is.
        spec: its circuit's, of well-formed descents; on a verifier's side untrusted.

    Raises:
        StatementError: an input is not of floats: as an integer 2**-k is 0.
    """
    if not spec.descents:
        return model
    result = model.clone()
    names = Names(result)
    for value, bits in zip(list(result.graph.inputs), spec.descents, strict=True):
        if bits:
            _descend(result.graph, value, bits, names)
    return result


def taken(spec: CircuitSpec, names: Sequence[str], feeds: Feeds) -> Feeds:
    """The real numbers of the inputs `names` that the circuit takes those in `feeds` for."""
    if not spec.descents:
        return {name: feeds[name] for name in names if name in feeds}
    bits = zip(names, spec.descents, strict=True)
    return {name: _raised(feeds[name], by) for name, by in bits if name in feeds}


def _raised(array: np.ndarray, bits: int) -> np.ndarray:
    return array.astype(np.float64) * 2.0**bits if bits else array


def _descend(graph: ir.Graph, value: ir.Value, bits: int, names: Names) -> None:
    """Let what reads `value` read it times 2**-bits."""
    kind = value.dtype or ir.DataType.FLOAT
    if kind != ir.DataType.FLOAT:
        raise StatementError(f"'{value.name}' is of {kind.name}, only floats can descend by {bits}")
    factor = ir.Value(
        name=names.fresh(f"{value.name}_descent"),
        const_value=ir.tensor(np.array(2.0**-bits, dtype=np.float32)),
        shape=ir.Shape([]),
        type=ir.TensorType(kind),
    )
    graph.register_initializer(factor)
    lowered = ir.Value(
        name=names.fresh(f"{value.name}_entered"), shape=value.shape, type=value.type
    )
    readers = list(value.uses())
    node = ir.node(
        "Mul", [value, factor], outputs=[lowered], name=names.fresh(f"{value.name}_entry")
    )
    for reader, position in readers:
        reader.replace_input_with(position, lowered)
    graph.insert_before(graph[0], node)
