"""Scales of a slice's tensors that are not the circuit's, by Muls at its ends and inside.

    an input of scale s is the integer x * 2**s;  to EZKL, at scale t = s - k, that is x * 2**k
    entry: Mul by 2**-k, and all behind it reads x

EZKL has one scale t for all inputs of a slice, and divides no scale back that is at most
multiplier * max(t, param_scale): a slice that took a fine input for what it is could only pass its
scale on or grow it. With the Mul, which EZKL takes for a change of scale at one cell per element,
every tensor has its own scale and what exceeds the limit is divided back behind the first operator,
by EZKL's own range-checked division. A link is the same integers at both ends as ever.

    exit: Mul by 2**-(k + 1), then Mul by 2;  EZKL says scale t of y * 2**-k: of y, scale t - k

An output may be brought down below the limit t likewise: EZKL takes the first Mul for a scale
beyond the limit, and divides behind the second, which is an operator like any other.

    landing: the two Muls of an exit, then BitShift to the left by k: of y again, scale t - k

Inside a circuit a table has to read what EZKL believes it reads. The shift multiplies by 2**k, and
EZKL takes that for a change of scale, too: what is behind it is y at scale t - k, and said to be.
ONNX shifts integers only; EZKL's loader shifts what it is given, and no other prover loads that.

Source: EZKL 23.0.5 `src/graph/utilities.rs` new_op_from_onnx (Mul by a power of two below 1,
ShiftLeft), `src/graph/node.rs` RebaseScale. Measured: tests/tune/test_descent.py,
tests/tune/test_exit.py, tests/tune/test_landing.py.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from zkprep.circuit import CircuitSpec
from zkprep.errors import StatementError
from zkprep.models.model import Feeds, tensors
from zkprep.passes.names import Names

_Ends = tuple[str, str, str]
_ENTRY: _Ends = ("descent", "entered", "entry")
_LOWERED: _Ends = ("lowering", "lowered", "lower")
_EXIT: _Ends = ("doubling", "left", "exit")
_SHIFT: _Ends = ("shifting", "landed", "land")
"""How the names of the constant, of the result and of the node of a step end. Those of an entry and
of an exit are in the digests of statements that have been made."""


def entered(model: ir.Model, spec: CircuitSpec) -> ir.Model:
    """The slice's model as its circuit has it: Muls wherever a scale is not the circuit's.

    Args:
        model: the slice's; left as it is.
        spec: its circuit's, of well-formed descents, exits and landings; on a verifier's side
            untrusted.

    Raises:
        StatementError: a tensor is not of floats: as an integer 2**-k is 0; or there is none.
    """
    if not spec.descents and not spec.exits and not spec.landings:
        return model
    result = exited(landed(model, spec.landings or (), spec.limit), spec.exits or ())
    if spec.descents:
        result = result.clone() if result is model else result
        names = Names(result)
        for value, bits in zip(list(result.graph.inputs), spec.descents, strict=True):
            if bits:
                _descend(result.graph, value, bits, names)
    return result


def exited(model: ir.Model, exits: Sequence[int]) -> ir.Model:
    """The model with Muls behind every output that is brought down; `exits`: () for none.

    What was an output keeps its name, and what the Muls put out has another.
    """
    if not exits:
        return model
    result = model.clone()
    graph, names = result.graph, Names(result)
    for place, (value, bits) in enumerate(zip(list(graph.outputs), exits, strict=True)):
        if bits:
            lowered = _times(graph, value, 2.0 ** -(bits + 1), names, _LOWERED)
            graph.outputs[place] = _times(graph, lowered, 2.0, names, _EXIT)
    return result


def landed(model: ir.Model, landings: Sequence[tuple[int, int]], limit: int) -> ir.Model:
    """The model with a division in front of every node that reads a tensor that lands.

    Args:
        model: the slice's; left as it is where nothing lands.
        landings: places among `tensors(model)`, and the scales to divide to, below `limit`.
        limit: the scale to which the circuit divides.

    Raises:
        StatementError: there is no such tensor, or it is not of floats.
    """
    if not landings:
        return model
    result = model.clone()
    every, names = tensors(result), Names(result)
    for place, scale in landings:
        if place >= len(every):
            raise StatementError(f"tensor {place} lands, the slice has {len(every)}")
        _land(result.graph, every[place], limit - scale, names)
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
    readers = list(value.uses())
    lowered = _times(graph, value, 2.0**-bits, names, _ENTRY)
    for reader, position in readers:
        reader.replace_input_with(position, lowered)


def _land(graph: ir.Graph, value: ir.Value, bits: int, names: Names) -> None:
    """Let what reads `value` read it divided; what leaves the slice is not."""
    readers = list(value.uses())
    lowered = _times(graph, value, 2.0 ** -(bits + 1), names, _LOWERED)
    divided = _times(graph, lowered, 2.0, names, _EXIT)
    shifted = _times(graph, divided, float(bits), names, _SHIFT, "BitShift")
    for reader, position in readers:
        reader.replace_input_with(position, shifted)


def _times(
    graph: ir.Graph, value: ir.Value, factor: float, names: Names, ends: _Ends, kind: str = "Mul"
) -> ir.Value:
    """`value` times `factor`, by a Mul right behind what makes it; or shifted by so many bits."""
    constant, product, name = (names.fresh(f"{value.name}_{end}") for end in ends)
    of = value.dtype or ir.DataType.FLOAT
    if of != ir.DataType.FLOAT:
        raise StatementError(f"'{value.name}' is of {of.name}, only floats can descend")
    by = ir.Value(
        name=constant,
        const_value=ir.tensor(np.array(factor, dtype=of.numpy())),
        shape=ir.Shape([]),
        type=ir.TensorType(of),
    )
    graph.register_initializer(by)
    made = ir.Value(name=product, shape=value.shape, type=value.type)
    direction = {"direction": "LEFT"} if kind == "BitShift" else {}
    node = ir.node(kind, [value, by], direction, outputs=[made], name=name)
    maker = value.producer()
    if maker is None:
        graph.insert_before(graph[0], node)
    else:
        graph.insert_after(maker, node)
    return made
