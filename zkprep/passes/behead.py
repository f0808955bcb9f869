"""Leave the heads of a model out of its circuit: the verifier evaluates them on public outputs.

    y = f(x) an output of the model, f a Softmax, LogSoftmax, Sigmoid or ArgMax
    (`zkprep.claims.heads`)
    becomes the output x and the note that y = f(x)

This changes the outputs, so it is no `Pass`; what it returns is held to a like contract: the model
without heads, and the heads evaluated on its outputs, give what the model gave. Left in the circuit
is a head whose source is an input of the model (nothing would be left to prove), is no float, or
has no fixed shape.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from zkprep.claims.claim import Head
from zkprep.claims.heads import with_heads
from zkprep.errors import InputError, PassError
from zkprep.models.model import Runner, output_specs, seeded_inputs
from zkprep.passes.opset import standard_opset

_FUNCTIONS = {"Softmax": -1, "LogSoftmax": -1, "Sigmoid": 0, "ArgMax": 0}
"""The axis of each where none is given, from operator set 13 on."""
_RESHAPING = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
_OLDEST_OPSET = 13
_SEEDS = (0, 1, 2)
_LIMIT = 1e-5


@dataclass(frozen=True, slots=True)
class Beheaded:
    """A model without its heads, and the heads in the order of the outputs they stood for."""

    model: ir.Model
    heads: tuple[Head, ...]


def behead(model: ir.Model) -> Beheaded:
    """`model` with every head left out; `model` itself, untouched, where it has none.

    Raises:
        PassError: the heads on the shortened model's outputs are not what the model computes.
    """
    body = model.clone()
    found = [_head(value) for value in body.graph.outputs]
    heads = tuple(head for head in found if head is not None)
    if not heads or standard_opset(model) < _OLDEST_OPSET:
        return Beheaded(model, ())
    values = {str(value.name): value for node in body.graph for value in node.outputs}
    kept = [
        value if head is None else values[head.source]
        for value, head in zip(body.graph.outputs, found, strict=True)
    ]
    body.graph.outputs.clear()
    body.graph.outputs.extend(dict.fromkeys(kept))
    _remove_dead(body.graph)
    beheaded = Beheaded(body, heads)
    if breach := _difference(model, beheaded):
        raise PassError(f"leaving out the heads changed the model: {breach}")
    return beheaded


def _head(output: ir.Value) -> Head | None:
    """The head that computes `output`, if one does; reshaping after it is part of it."""
    node = output.producer()
    while node is not None and node.op_type in _RESHAPING and node.domain == "":
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    if node is None or node.op_type not in _FUNCTIONS or node.domain != "":
        return None
    source = _ranked(node)
    if source is None or source.producer() is None or source.dtype is not ir.DataType.FLOAT:
        return None
    shape, wanted = _fixed(source), _fixed(output)
    if not shape or wanted is None or 0 in (*shape, *wanted):
        return None
    axis = _axis(node, len(shape))
    size = prod(shape) // (shape[axis] if node.op_type == "ArgMax" else 1)
    if prod(wanted) != size:
        return None
    return Head(
        tensor=str(output.name),
        source=str(source.name),
        function=node.op_type,  # type: ignore[arg-type]  # a key of _FUNCTIONS
        axis=axis,
        last=bool(node.attributes.get_int("select_last_index", 0)),
        shape=wanted,
    )


def _ranked(node: ir.Node) -> ir.Value | None:
    """What `node` reads; of an ArgMax what it ranks, for these functions keep the order."""
    source = node.inputs[0]
    while node.op_type == "ArgMax" and source is not None and source.shape is not None:
        before, rank = source.producer(), len(source.shape)
        if before is None or before.op_type not in _FUNCTIONS or before.op_type == "ArgMax":
            break
        if before.op_type != "Sigmoid" and _axis(before, rank) != _axis(node, rank):
            break
        source = before.inputs[0]
    return source


def _axis(node: ir.Node, rank: int) -> int:
    return node.attributes.get_int("axis", _FUNCTIONS[node.op_type]) % rank


def _fixed(value: ir.Value) -> tuple[int, ...] | None:
    """The shape, if every dimension is known."""
    dims = () if value.shape is None else tuple(value.shape)
    if value.shape is None or not all(isinstance(dim, int) for dim in dims):
        return None
    return tuple(int(dim) for dim in dims if isinstance(dim, int))


def _remove_dead(graph: ir.Graph) -> None:
    """Remove nodes that no output needs, last first, and the constants that only they read."""
    for node in reversed(list(graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not (value.uses() or value.is_graph_output() or value.is_graph_input()):
            del graph.initializers[name]


def _difference(model: ir.Model, beheaded: Beheaded) -> str:
    """Where model and heads on the shortened model differ, in words; "" where they do not."""
    whole, body = Runner(model), Runner(beheaded.model)
    names = [spec.name for spec in output_specs(model)]
    for seed in _SEEDS:
        feeds = seeded_inputs(model, seed)
        try:
            expected, outputs = whole(feeds), with_heads(beheaded.heads, body(feeds))
        except InputError as error:
            return str(error)
        for name in names:
            found, wanted = outputs[name], expected[name]
            if not np.allclose(found, wanted, rtol=_LIMIT, atol=_LIMIT, equal_nan=True):
                return f"output '{name}' differs"
    return ""
