"""No bias of a Conv equals another constant: EZKL would give both the scale of that Conv.

Its importer holds constants of equal shape and values as one. EZKL brings a bias to the scale of
its Conv's products, and what read the same constant at another scale before computes something
else. So b' = b, moved at its least element by as little as float32 can, is another constant: an
element that is 0 becomes the least normal number, which is 0 at any scale; where there is none, one
unit in the last place is less than the Conv itself is rounded by. A bias of zeros is 0 at every
scale and stays. Source: `src/graph/utilities.rs` (replace_const), tract's declutter. Measured on
EZKL 23.0.5: tests/passes/circuit/test_biases.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import Names
from zkprep.passes.repair.draft import Array, known, operand

RULE = "bias of its own"
BIAS = 2

_BIASED = ("Conv", "ConvTranspose")


@dataclass(frozen=True, slots=True)
class SeparateBiases:
    """Every bias of a Conv or ConvTranspose is unlike all other constants."""

    name: ClassVar[str] = "separate-biases"

    def __call__(self, model: ir.Model) -> PassResult:
        """Move those that are not."""
        result = model.clone()
        names = Names(result)
        biases = list(_biases(result.graph))
        taken = {_key(values) for values in _others(result.graph, {b.size for _, b in biases})}
        sites = []
        for node, values in biases:
            own = _unlike(values, taken)
            taken.add(_key(own))
            if own is not values:
                _replace(node, own, names, result.graph)
                sites.append(Site(RULE, (str(node.name),)))
        return PassResult(result, tuple(sites))


def _biases(graph: ir.Graph) -> Iterator[tuple[ir.Node, Array]]:
    """Convs with a constant bias that is not 0 everywhere, in order."""
    for node in graph:
        values = known(operand(node, BIAS)) if _is_biased(node) else None
        if values is not None and np.any(values):
            yield node, values


def _others(graph: ir.Graph, wanted: set[int]) -> Iterator[Array]:
    """Constants of `wanted` sizes that are read as something else than a bias."""
    for value in graph.initializers.values():
        readers = value.uses()
        if all(_is_biased(use.node) and use.idx == BIAS for use in readers):
            continue
        if value.const_value is not None and value.const_value.size in wanted:
            yield value.const_value.numpy()


def _is_biased(node: ir.Node) -> bool:
    return node.domain == "" and node.op_type in _BIASED


def _unlike(values: Array, taken: set[bytes]) -> Array:
    """`values`, moved as little as may be until none of `taken` is the same."""
    least = int(np.argmin(np.abs(values)))
    kind = np.finfo(values.dtype)
    while _key(values) in taken:
        values = values.copy()
        one = values[least]
        values[least] = np.nextafter(one, np.copysign(kind.max, one)) if one else kind.tiny
    return values


def _key(values: Array) -> bytes:
    """Equal for equal numbers in equal order, whatever the sign of a zero."""
    return bytes((values.ravel() + values.dtype.type(0)).tobytes())


def _replace(node: ir.Node, values: Array, names: Names, graph: ir.Graph) -> None:
    old = node.inputs[BIAS]
    assert old is not None
    own = ir.Value(
        name=names.fresh(f"{old.name}_of_{node.name}"),
        const_value=ir.tensor(values),
        shape=old.shape,
        type=old.type,
    )
    graph.register_initializer(own)
    node.replace_input_with(BIAS, own)
    if not old.uses():
        del graph.initializers[str(old.name)]
