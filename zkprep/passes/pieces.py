"""A model run piece by piece on ONNX Runtime: the weights of one piece are in memory at a time.

The nodes are cut, in their order, where the weights they read reach a budget. A piece is a model of
its own: what it reads from before are inputs, and so are its large weights; what is read later,
outputs.
Optimisation is off, as in `zkprep.models.model.Runner`, so the operators and their order are the
same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import helper

from zkprep.errors import InputError
from zkprep.models.model import Feeds, Runner
from zkprep.models.outline import Weights, outline

BUDGET = 2**24
"""Bytes of weights of a piece; a single node may read more."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Nodes of a model in a row.

    Attributes:
        nodes: in their order.
        reads: tensors they read and do not make.
        makes: tensors they make that something else reads.
    """

    nodes: Sequence[onnx.NodeProto]
    reads: tuple[str, ...]
    makes: tuple[str, ...]


class Pieces:
    """A model cut into pieces, to be run many times."""

    def __init__(self, model: ir.Model, budget: int = BUDGET) -> None:
        """Cut `model`; weights are loaded when it runs."""
        self._proto, self._weights = outline(model)
        self._small = {weight.name: weight for weight in self._proto.graph.initializer}
        self._outputs = [value.name for value in self._proto.graph.output]
        self._pieces = list(_pieces(self._proto.graph, self._weights, budget))
        self._runners: dict[int, Runner] = {}

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> Feeds:
        """Outputs by name.

        Raises:
            InputError: ONNX Runtime cannot load or run a piece.
        """
        last_read = {name: i for i, piece in enumerate(self._pieces) for name in piece.reads}
        values: Feeds = dict(feeds)
        for position, piece in enumerate(self._pieces):
            weights = {
                name: _array(self._weights[name])
                for name in piece.reads
                if name in self._weights and name not in feeds
            }
            given = {name: values[name] for name in piece.reads if name in values} | weights
            values |= self._runner(position, given)(given)
            for name in piece.reads:
                if last_read[name] == position and name not in self._outputs:
                    values.pop(name, None)
        return {name: self._value(name, values) for name in self._outputs}

    def _value(self, name: str, values: Feeds) -> NDArray[Any]:
        """An output; it may be a weight or an input, which no node makes."""
        if name in values:
            return values[name]
        if name in self._weights:
            return _array(self._weights[name])
        return onnx.numpy_helper.to_array(self._small[name])

    def _runner(self, position: int, given: Feeds) -> Runner:
        """The piece as a model that takes what is `given`, loaded on first use."""
        if position not in self._runners:
            self._runners[position] = Runner(self._model(self._pieces[position], given))
        return self._runners[position]

    def _model(self, piece: _Piece, given: Feeds) -> bytes:
        for name, value in given.items():
            if not isinstance(value, np.ndarray):
                raise InputError(f"'{name}' is no tensor, and cannot pass from piece to piece")
        fixed = self._weights.keys() & given.keys()
        small = self._small.keys() - given.keys()
        graph = helper.make_graph(
            piece.nodes,
            "piece",
            [
                helper.make_tensor_value_info(
                    name,
                    helper.np_dtype_to_tensor_dtype(value.dtype),
                    value.shape if name in fixed else None,
                )
                for name, value in given.items()
            ],
            [onnx.ValueInfoProto(name=name) for name in piece.makes],
            [self._small[name] for name in piece.reads if name in small],
        )
        model = helper.make_model(
            graph,
            ir_version=max(self._proto.ir_version, 4),
            opset_imports=self._proto.opset_import,
            functions=self._proto.functions,
        )
        return bytes(model.SerializeToString())


def _pieces(graph: onnx.GraphProto, weights: Weights, budget: int) -> Iterator[_Piece]:
    reads = [list(dict.fromkeys(_reads(node))) for node in graph.node]
    needed = {value.name for value in graph.output}
    groups = list(_groups(reads, weights, budget))
    pieces: list[_Piece] = []
    for group in reversed(groups):
        made = {name for i in group for name in graph.node[i].output if name}
        read = dict.fromkeys(name for i in group for name in reads[i] if name not in made)
        makes = tuple(sorted(made & needed))
        pieces.append(_Piece([graph.node[i] for i in group], tuple(read), makes))
        needed |= read.keys()
    return reversed(pieces)


def _groups(reads: Sequence[list[str]], weights: Weights, budget: int) -> Iterator[range]:
    """Ranges of nodes whose weights stay within `budget`."""
    start, held = 0, dict[str, int]()
    for index, names in enumerate(reads):
        new = {name: weights[name].nbytes for name in names if name in weights}
        if index > start and sum((held | new).values()) > budget:
            yield range(start, index)
            start, held = index, {}
        held |= new
    yield range(start, len(reads))


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names of tensors outside `node` that it or a graph inside it reads."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            own = {value.name for value in inner.input}
            own |= {weight.name for weight in inner.initializer}
            own |= {name for one in inner.node for name in one.output}
            wanted = [name for one in inner.node for name in _reads(one)]
            wanted += [value.name for value in inner.output]
            yield from (name for name in wanted if name not in own)


def _array(tensor: ir.TensorProtocol) -> NDArray[Any]:
    """The values of `tensor` in memory, aligned: as they lie in a file they need not be."""
    return np.require(tensor.numpy(), requirements=["A", "C"])
