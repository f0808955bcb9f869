"""Sparse constants become dense ones before a graph is read: onnx-ir drops them (onnx/ir-py#440).

A sparse tensor lists the values that are not 0, each with its place: one number that counts through
the tensor, or one number per axis. Source: ONNX's SparseTensorProto.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from zkprep.errors import InputError
from zkprep.models.limits import LARGEST


def densify(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """`model` with every sparse initializer and Constant dense; itself, where it has none.

    Args:
        model: untouched.
        folder: where its external weights are.

    Raises:
        InputError: made dense, they hold more than LARGEST elements.
        onnx.checker.ValidationError: a sparse tensor is none.
    """
    found = [*_sparse(model)]
    if not found:
        return model
    room = LARGEST - sum(math.prod(one.dims) for one in found)
    if room < 0:
        largest = max(found, key=lambda one: math.prod(one.dims))
        raise InputError(
            f"the sparse tensor '{largest.values.name}' of shape {list(largest.dims)} is too large "
            f"to be made dense: {LARGEST:,} elements is the most"
        )
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for graph in _graphs(made):
        graph.initializer.extend(_dense(sparse, folder) for sparse in graph.sparse_initializer)
        del graph.sparse_initializer[:]
    for attribute in _attributes(made):
        if attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
            dense = _dense(attribute.sparse_tensor, folder)
            attribute.CopyFrom(onnx.helper.make_attribute("value", dense))
    return made


def _sparse(model: onnx.ModelProto) -> Iterator[onnx.SparseTensorProto]:
    for graph in _graphs(model):
        yield from graph.sparse_initializer
    for attribute in _attributes(model):
        if attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
            yield attribute.sparse_tensor


def _dense(sparse: onnx.SparseTensorProto, folder: Path) -> onnx.TensorProto:
    onnx.checker.check_sparse_tensor(sparse)
    values = numpy_helper.to_array(sparse.values, str(folder))
    places = numpy_helper.to_array(sparse.indices, str(folder))
    array = np.zeros(tuple(sparse.dims), values.dtype)
    if places.ndim == 1:
        array.reshape(-1)[places] = values
    else:
        array[tuple(places.T)] = values
    return numpy_helper.from_array(array, sparse.values.name)


def _attributes(model: onnx.ModelProto) -> Iterator[onnx.AttributeProto]:
    """Of every node, in graphs within graphs and in functions too."""
    bodies = [graph.node for graph in _graphs(model)] + [one.node for one in model.functions]
    for nodes in bodies:
        for node in nodes:
            yield from node.attribute


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    yield model.graph
    yield from _inside(model.graph.node)
    for function in model.functions:
        yield from _inside(function.node)


def _inside(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    for node in nodes:
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.HasField("g") else []
            for graph in (*inner, *attribute.graphs):
                yield graph
                yield from _inside(graph.node)
