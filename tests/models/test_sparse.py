"""Sparse constants are dense before the graph is read, and none is dropped."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

from zkprep import fuse_model
from zkprep.errors import InputError
from zkprep.models.model import load, run

_HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
X = np.float32([[1, 10]])


def sparse(places: list[int] | list[list[int]], shape: tuple[int, ...]) -> onnx.SparseTensorProto:
    values = numpy_helper.from_array(np.float32([1, 2]), "w")
    return helper.make_sparse_tensor(
        values, numpy_helper.from_array(np.array(places), "places"), shape
    )


def product(weight: onnx.SparseTensorProto) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        _HEAD + "g (float[1, 2] x) => (float[1, 3] y) { y = MatMul (x, w) }"
    )
    model.graph.sparse_initializer.append(weight)
    return model


@pytest.mark.parametrize("places", [[1, 3], [[0, 1], [1, 0]]])
def test_a_sparse_initializer_is_made_dense(
    tmp_path: Path, places: list[int] | list[list[int]]
) -> None:
    onnx.save(product(sparse(places, (2, 3))), tmp_path / "model.onnx")
    model = load(tmp_path / "model.onnx")
    weight = model.graph.initializers["w"].const_value
    assert weight is not None
    assert weight.numpy().tolist() == [[0, 1, 0], [2, 0, 0]]
    assert run(model, {"x": X})["y"].tolist() == [[20, 1, 0]]


def test_a_sparse_constant_within_a_branch_is_made_dense(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        _HEAD + "g (float[1, 2] x, bool c) => (float[1, 3] y) { y = If <"
        "then_branch = t () => (float[1, 3] p) { v = Identity (x) p = MatMul (v, w) },"
        "else_branch = e () => (float[1, 3] q) { w2 = Constant <value_float = 1.0> ()"
        " u = ReduceSum <keepdims = 1> (x) q = Expand (u, s) }> (c) }"
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 3]), "s"))
    [node] = model.graph.node
    branch = next(one.g for one in node.attribute if one.name == "then_branch")
    constant = helper.make_node("Constant", [], ["w"])
    attribute = constant.attribute.add(name="sparse_value")
    attribute.type = onnx.AttributeProto.SPARSE_TENSOR
    attribute.sparse_tensor.CopyFrom(sparse([1, 3], (2, 3)))
    branch.node.insert(0, constant)
    onnx.save(model, tmp_path / "model.onnx")
    feeds = {"x": X, "c": np.array(True)}
    assert run(load(tmp_path / "model.onnx"), feeds)["y"].tolist() == [[20, 1, 0]]


def test_a_model_in_hand_is_left_as_it_is() -> None:
    model = product(sparse([1, 3], (2, 3)))
    fused = fuse_model(model)
    assert len(model.graph.sparse_initializer) == 1
    assert run(ir.from_proto(fused), {"x": X})["y"].tolist() == [[20, 1, 0]]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (sparse([1, 3], (2**20, 2**20)), "too large to be made dense"),
        (sparse([1, 99], (2, 3)), "model.onnx' is not a valid model"),
    ],
)
def test_what_cannot_be_made_dense_is_refused(
    tmp_path: Path, weight: onnx.SparseTensorProto, message: str
) -> None:
    onnx.save(product(weight), tmp_path / "model.onnx")
    with pytest.raises(InputError, match=message):
        load(tmp_path / "model.onnx")
