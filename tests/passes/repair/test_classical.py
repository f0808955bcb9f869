"""Operators of classical machine learning in ONNX's own: exactly, or left with a reason."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from zkprep.models.model import run
from zkprep.passes.base import run_passes
from zkprep.passes.oracle import compare
from zkprep.passes.repair.classical import PlainClassicalModels

TREE = {
    "nodes_treeids": [0, 0, 0, 0, 0, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
    "nodes_featureids": [0, 2, 0, 0, 0, 1, 0, 0],
    "nodes_modes": [*["BRANCH_LEQ"] * 2, *["LEAF"] * 3, "BRANCH_LEQ", *["LEAF"] * 2],
    "nodes_values": [0.1, -0.2, 0, 0, 0, 0.3, 0, 0],
    "nodes_truenodeids": [1, 2, 0, 0, 0, 1, 0, 0],
    "nodes_falsenodeids": [4, 3, 0, 0, 0, 2, 0, 0],
}
LEAVES = ([0, 0, 0, 0, 1, 1], [2, 3, 4, 4, 1, 2])
VALUES = [0.5, -1.0, 2.0, -0.75, 0.25, 4.0]
REGRESSOR = {
    **TREE,
    "target_treeids": LEAVES[0],
    "target_nodeids": LEAVES[1],
    "target_ids": [0, 0, 0, 1, 1, 1],
    "target_weights": VALUES,
    "n_targets": 2,
    "base_values": [0.5, -0.5],
}
CLASSIFIER = {
    **TREE,
    "class_treeids": [*LEAVES[0][:4], 0, 0, *LEAVES[0][4:]],
    "class_nodeids": [*LEAVES[1][:4], 2, 3, *LEAVES[1][4:]],
    "class_ids": [0, 0, 0, 1, 1, 1, 2, 2],
    "class_weights": [*VALUES[:4], 0.125, 0.75, *VALUES[4:]],
    "classlabels_int64s": [0, 1, 2],
}
OF_TWO = {
    **TREE,
    "class_treeids": [0, 0, 0, 1, 1],
    "class_nodeids": [2, 3, 4, 1, 2],
    "class_ids": [0] * 5,
    "class_weights": [0.5, 0.125, 0.25, 0.375, 0.0625],
    "classlabels_int64s": [4, 7],
}
LINEAR = {
    "coefficients": [0.5, -1, 2, 1, 0, -0.5, 0.25, 2, 1],
    "intercepts": [0.1, 0.2, -0.3],
    "classlabels_ints": [0, 1, 2],
}
OPPOSITE = {
    "coefficients": [0.5, -1, 2, -0.5, 1, -2],
    "intercepts": [0.25, -0.25],
    "classlabels_ints": [3, 8],
    "post_transform": "LOGISTIC",
}
TWO = [(TensorProto.INT64, [4]), (TensorProto.FLOAT, [4, 2])]
LABELS = [(TensorProto.INT64, [4]), (TensorProto.FLOAT, [4, 3])]


def model(
    operator: str, outputs: list[tuple[int, list[int]]], kind: int = TensorProto.FLOAT, **given: Any
) -> ir.Model:
    names = [f"y{i}" for i in range(len(outputs))]
    node = helper.make_node(operator, ["x"], names, name="node", domain="ai.onnx.ml", **given)
    return graph([node], outputs, names, kind)


def graph(
    nodes: list[onnx.NodeProto],
    outputs: list[tuple[int, list[int]]],
    names: list[str],
    kind: int = TensorProto.FLOAT,
) -> ir.Model:
    given = [helper.make_tensor_value_info("x", kind, [4, 3])]
    made = [helper.make_tensor_value_info(n, *one) for n, one in zip(names, outputs, strict=True)]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    whole = helper.make_graph(nodes, "g", given, made)
    return ir.from_proto(helper.make_model(whole, opset_imports=opsets, ir_version=8))


def rewritten(net: ir.Model) -> list[str]:
    """The operators that `net` becomes; it computes the same, ties of labels apart."""
    result = run_passes(net, [PlainClassicalModels()]).model
    kind = net.graph.inputs[0].dtype
    assert kind is not None
    for seed in range(20):
        x = np.random.default_rng(seed).normal(0, 0.5 + seed, (4, 3)).astype(kind.numpy())
        assert compare(run(net, {"x": x}), run(result, {"x": x}), 1e-5) == ""
    return [node.op_type for node in result.graph]


FLOATS = [(TensorProto.FLOAT, [4, 3])]
PAIRS = [(TensorProto.FLOAT, [4, 2])]
LEAF_PRODUCTS = "Gather LessOrEqual Cast Gemm Relu Gemm"
CASES: dict[str, tuple[ir.Model, str]] = {
    "Scaler": (model("Scaler", FLOATS, offset=[1.0, 2.0, 3.0], scale=[0.5, 2.0, -1.0]), "Sub Mul"),
    "Scaler, one for all": (model("Scaler", FLOATS, offset=[1.0], scale=[0.5]), "Sub Mul"),
    "Scaler of integers": (
        model("Scaler", FLOATS, TensorProto.INT64, offset=[1.0], scale=[0.5]),
        "Cast Sub Mul",
    ),
    "LinearRegressor": (
        model("LinearRegressor", PAIRS, coefficients=LINEAR["coefficients"][:6], targets=2),
        "Gemm",
    ),
    "LinearClassifier": (model("LinearClassifier", LABELS, **LINEAR), "Gemm ArgMax Identity"),
    "LinearClassifier, Softmax": (
        model("LinearClassifier", LABELS, **LINEAR, post_transform="SOFTMAX"),
        "Gemm Softmax ArgMax Identity",
    ),
    "LinearClassifier, labels of its own": (
        model("LinearClassifier", [LABELS[0], *PAIRS], **OPPOSITE),
        "Gemm Sigmoid ArgMax Gather",
    ),
    "Normalizer": (model("Normalizer", FLOATS, norm="L2"), "LpNormalization"),
    "TreeEnsembleRegressor": (model("TreeEnsembleRegressor", PAIRS, **REGRESSOR), LEAF_PRODUCTS),
    "TreeEnsembleClassifier": (
        model("TreeEnsembleClassifier", LABELS, **CLASSIFIER),
        f"{LEAF_PRODUCTS} ArgMax Identity",
    ),
    "TreeEnsembleClassifier, shares of two classes": (
        model("TreeEnsembleClassifier", TWO, **OF_TWO),
        f"{LEAF_PRODUCTS} ArgMax Gather",
    ),
    "TreeEnsembleClassifier, votes for one of two": (
        model(
            "TreeEnsembleClassifier",
            TWO,
            **OF_TWO | {"class_weights": VALUES[:5], "post_transform": "LOGISTIC"},
        ),
        f"{LEAF_PRODUCTS} Sigmoid ArgMax Gather",
    ),
}


@pytest.mark.parametrize(("net", "after"), CASES.values(), ids=CASES)
def test_it_is_rewritten_exactly(net: ir.Model, after: str) -> None:
    assert rewritten(net) == after.split()


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({}, "Gemm Sigmoid Identity"),
        ({"intercepts": [0.25, 0.25]}, "Gemm Sigmoid LpNormalization"),
        ({"coefficients": [0.5, -1, 2, 0.5, 1, -2]}, "Gemm Sigmoid LpNormalization"),
        ({"post_transform": "SOFTMAX", "intercepts": [1.0, 2.0]}, "Gemm Softmax Identity"),
    ],
    ids=["opposite", "shifts", "rows", "Softmax"],
)
def test_scores_that_add_up_to_one_are_normal_already(change: dict[str, Any], after: str) -> None:
    classifier = helper.make_node(
        "LinearClassifier", ["x"], ["l", "s"], domain="ai.onnx.ml", **OPPOSITE | change
    )
    normal = helper.make_node("Normalizer", ["s"], ["y"], domain="ai.onnx.ml", norm="L1")
    classifier.name, normal.name = "classifier", "normal"
    assert rewritten(graph([classifier, normal], PAIRS, ["y"])) == after.split()


@pytest.mark.parametrize(
    ("operator", "outputs", "given", "reason"),
    [
        (
            "LinearClassifier",
            LABELS,
            {**LINEAR, "post_transform": "PROBIT"},
            "its scores are transformed by PROBIT",
        ),
        (
            "LinearClassifier",
            [LABELS[0], *PAIRS],
            {"coefficients": [1.0, 2.0, 3.0], "intercepts": [0.0], "classlabels_ints": [0, 1]},
            "it has not one row of coefficients per class",
        ),
        ("Normalizer", FLOATS, {"norm": "MAX"}, "its norm is MAX"),
        (
            "TreeEnsembleRegressor",
            PAIRS,
            {**REGRESSOR, "aggregate_function": "MAX"},
            "it aggregates by MAX",
        ),
        (
            "TreeEnsembleClassifier",
            LABELS,
            {**CLASSIFIER, "class_ids": [0] * 8},
            "its trees do not vote for each class",
        ),
        (
            "TreeEnsembleRegressor",
            PAIRS,
            {**REGRESSOR, "target_ids": [0, 1, 0, 1, 1, 1]},
            "a leaf or the base has no value for some output, and runtimes differ on that",
        ),
        (
            "TreeEnsembleClassifier",
            TWO,
            {**OF_TWO, "class_ids": [0, 0, 0, 1, 1]},
            "its trees vote for both of two classes, which runtimes count differently",
        ),
        (
            "TreeEnsembleClassifier",
            TWO,
            {**OF_TWO, "post_transform": "LOGISTIC"},
            "its votes are shares of one already, and transformed",
        ),
        (
            "TreeEnsembleRegressor",
            PAIRS,
            {
                **REGRESSOR,
                "nodes_modes": ["BRANCH_LEQ", "BRANCH_LT", *REGRESSOR["nodes_modes"][2:]],
            },
            "its nodes compare by BRANCH_LEQ, BRANCH_LT",
        ),
    ],
)
def test_what_is_left_says_why(
    operator: str, outputs: list[tuple[int, list[int]]], given: dict[str, Any], reason: str
) -> None:
    result = PlainClassicalModels()(model(operator, outputs, **given))
    assert [site.reason for site in result.sites] == [reason]


@pytest.mark.parametrize(
    ("data", "after"),
    [
        ([0, 1, 2], "ArgMax Reshape Identity Unsqueeze"),
        ([5, 7, 6], "ArgMax Reshape Gather Unsqueeze"),
    ],
    ids=["counted", "of their own"],
)
def test_labels_are_looked_up(data: list[int], after: str) -> None:
    best = helper.make_node("ArgMax", ["x"], ["i"], name="best", axis=1, keepdims=1)
    pick = helper.make_node(
        "ArrayFeatureExtractor", ["c", "i"], ["y"], name="pick", domain="ai.onnx.ml"
    )
    proto = ir.to_proto(graph([best, pick], [(TensorProto.INT64, [1, 4])], ["y"]))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(data), "c"))
    assert rewritten(ir.from_proto(proto)) == after.split()
