"""What a whole model can be like: interface, functions, control flow, foreign operators, types."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from models import Case, case, floats, indices, network, weights, written
from onnx import TensorProto, helper, numpy_helper

X = floats(2, 3)

_HEAD = '<ir_version: 8, opset_import: ["" : 17, "local" : 1]>\n'
_INTERFACES = {
    "two outputs": "g (float[2, 3] x) => (float[2, 3] y, float[2, 3] z)"
    " { y = Relu (x) z = Neg (x) }",
    "tensor read inside and an output": "g (float[2, 3] x) => (float[2, 3] y, float[2, 3] z)"
    " { y = Relu (x) z = Neg (y) }",
    "one tensor under two names": "g (float[2, 3] x) => (float[2, 3] y, float[2, 3] z)"
    " { y = Relu (x) z = Identity (y) }",
    "the same output twice": "g (float[2, 3] x) => (float[2, 3] y, float[2, 3] y) { y = Relu (x) }",
    "an input as an output": "g (float[2, 3] x) => (float[2, 3] x, float[2, 3] y) { y = Relu (x) }",
    "an input under another name": "g (float[2, 3] x) => (float[2, 3] z, float[2, 3] y)"
    " { y = Relu (x) z = Identity (x) }",
    "a constant as an output": "g (float[2] x) => (float[2] y, float[2] c)"
    " <float[2] c = {1, 2}> { y = Relu (x) }",
    "a computed constant as an output": "g (float[2] x) => (float[2] y, float[2] z)"
    " <float[2] c = {1, 2}> { y = Relu (x) z = Neg (c) }",
    "two inputs": "g (float[2, 3] x, float[3] z) => (float[2, 3] y) { y = Add (x, z) }",
    "float and int64 inputs": "g (float[2, 3] x, int64[3] z) => (float[2, 3] y)"
    " { f = Cast <to = 1> (z) y = Add (x, f) }",
    "unread branch": "g (float[2, 3] x) => (float[2, 3] y)"
    " { dead = Mod <fmod = 1> (x, x) y = Relu (x) }",
    "empty dimension": "g (float[0, 3] x) => (float[0, 3] y) { y = Relu (x) }",
    "no dimensions": "g (float x) => (float y) { y = Relu (x) }",
    "unknown dimension": "g (float[?, 3] x) => (float[?, 3] y) { y = Relu (x) }",
    "no inputs": "g () => (float[2] y) <float[2] c = {1, 2}> { y = Relu (c) }",
    "local function": "g (float[2, 3] x) => (float[2, 3] y) { y = local.twice (x) }\n"
    '<opset_import: ["" : 17], domain: "local"> twice (a) => (b) { b = Add (a, a) }',
}


def interfaces() -> Iterator[Case]:
    for variant, text in _INTERFACES.items():
        yield written("interface", variant, _parsed(text))
    yield network("interface", "unused input", "y = Relu (x)", x=X, unused=floats(4))
    yield network(
        "interface",
        "weights are inputs, IR version 3",
        "y = MatMul (x, w)",
        opset=7,
        ir_version=3,
        x=X,
        w=weights(3, 2),
    )
    yield written("interface", "weight is an input with a default", _overridable)
    yield network(
        "interface",
        "named batch",
        "a = MatMul (x, w) y = Relu (a)",
        x=floats("N", 3),
        w=weights(3, 2),
    )
    yield network("interface", "two named dimensions", "y = Relu (x)", x=floats("N", "length"))


def foreign() -> Iterator[Case]:
    kind = [(TensorProto.FLOAT, (2, 2))]
    yield case(
        "com.microsoft.FusedMatMul",
        "default",
        X,
        weights(3, 2),
        types=kind,
        domain="com.microsoft",
        node="FusedMatMul",
    )
    yield case(
        "ai.onnx.ml.LinearRegressor",
        "default",
        X,
        types=kind,
        domain="ai.onnx.ml",
        node="LinearRegressor",
        coefficients=[0.1] * 6,
        targets=2,
    )
    yield from classical()
    yield case("my.domain.Thing", "unknown domain", X, types=kind, domain="my.domain", node="Thing")


def classical() -> Iterator[Case]:
    """Operators of ai.onnx.ml as scikit-learn's exporter writes them."""
    kinds = [(TensorProto.FLOAT, (2, 3))]
    labelled = [(TensorProto.INT64, (2,)), (TensorProto.FLOAT, (2, 2))]

    def one(operator: str, variant: str, types: Any = kinds, **given: Any) -> Case:
        return case(
            f"ai.onnx.ml.{operator}",
            variant,
            X,
            types=types,
            domain="ai.onnx.ml",
            node=operator,
            outputs=len(types),
            **given,
        )

    yield one("Scaler", "default", offset=[0.1, -0.2, 0.3], scale=[2.0, 0.5, 1.5])
    yield one("Normalizer", "L2", norm="L2")
    yield one("Normalizer", "MAX", norm="MAX")
    linear = {"coefficients": [0.5, -1.0, 2.0, -0.5, 1.0, -2.0], "intercepts": [0.25, -0.25]}
    for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
        yield one(
            "LinearClassifier",
            transform,
            labelled,
            **linear,
            classlabels_ints=[0, 1],
            post_transform=transform,
        )
    tree = {
        "nodes_treeids": [0] * 5,
        "nodes_nodeids": [0, 1, 2, 3, 4],
        "nodes_featureids": [0, 2, 0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
        "nodes_values": [0.1, -0.2, 0.0, 0.0, 0.0],
        "nodes_truenodeids": [1, 2, 0, 0, 0],
        "nodes_falsenodeids": [4, 3, 0, 0, 0],
    }
    held = {"treeids": [0] * 3, "nodeids": [2, 3, 4], "ids": [0] * 3, "weights": [0.5, 0.125, 1.0]}
    yield one(
        "TreeEnsembleRegressor",
        "default",
        [(TensorProto.FLOAT, (2, 1))],
        **tree,
        **{f"target_{name}": value for name, value in held.items()},
        n_targets=1,
    )
    yield one(
        "TreeEnsembleClassifier",
        "two classes",
        labelled,
        **tree,
        **{f"class_{name}": value for name, value in held.items()},
        classlabels_int64s=[0, 1],
    )
    yield case(
        "ai.onnx.ml.ArrayFeatureExtractor",
        "columns",
        X,
        indices([2, 0]),
        types=[(TensorProto.FLOAT, (2, 2))],
        domain="ai.onnx.ml",
        node="ArrayFeatureExtractor",
    )


def control_flow() -> Iterator[Case]:
    yield written("If", "condition is an input", _parsed(_IF_INPUT))
    yield written("If", "constant condition", _parsed(_IF_CONSTANT))
    yield written("Loop", "three iterations", _loop)
    yield written("Scan", "running sum", _scan)
    yield written("SequenceConstruct", "and SequenceAt", _parsed(_SEQUENCE))
    yield written("SplitToSequence", "and ConcatFromSequence", _parsed(_SPLIT))
    yield written("SplitToSequence", "and SequenceAt", _parsed(_SPLIT_AT))
    yield written("SequenceConstruct", "and ConcatFromSequence", _parsed(_STACKED))
    yield written("Optional", "and OptionalGetElement", _parsed(_OPTIONAL))
    yield written("StringNormalizer", "of an input", _parsed(_STRINGS))


_BRANCHES = (
    "then_branch = t () => (float[2] p) { p = Relu (x) },"
    " else_branch = e () => (float[2] n) { n = Neg (x) }"
)
_IF_INPUT = f"g (float[2] x, bool c) => (float[2] y) {{ y = If <{_BRANCHES}> (c) }}"
_IF_CONSTANT = f"g (float[2] x) => (float[2] y) <bool c = {{1}}> {{ y = If <{_BRANCHES}> (c) }}"
_SEQUENCE = (
    "g (float[2] x) => (float[2] y) <int64 i = {0}>"
    " { s = SequenceConstruct (x, x) y = SequenceAt (s, i) }"
)
_SPLIT = (
    "g (float[4] x) => (float[4] y)"
    " { s = SplitToSequence <axis = 0> (x) y = ConcatFromSequence <axis = 0> (s) }"
)
_SPLIT_AT = (
    "g (float[5] x) => (float[2] y) <int64 n = {2}, int64 i = {1}>"
    " { s = SplitToSequence <axis = 0> (x, n) y = SequenceAt (s, i) }"
)
_STACKED = (
    "g (float[2] x, float[2] z) => (float[2, 2] y)"
    " { s = SequenceConstruct (x, z) y = ConcatFromSequence <axis = 0, new_axis = 1> (s) }"
)
_OPTIONAL = "g (float[2] x) => (float[2] y) { o = Optional (x) y = OptionalGetElement (o) }"
_STRINGS = (
    'g (string[2] x) => (string[2] y) { y = StringNormalizer <case_change_action = "LOWER"> (x) }'
)


def _parsed(text: str) -> Callable[[], onnx.ModelProto]:
    return lambda: onnx.parser.parse_model(_HEAD + text)


def _overridable() -> onnx.ModelProto:
    made = onnx.parser.parse_model(
        _HEAD + "g (float[2, 3] x, float[3] w) => (float[2, 3] y) { y = Mul (x, w) }"
    )
    made.graph.initializer.append(numpy_helper.from_array(np.float32([1, 2, 3]), "w"))
    return made


def _info(name: str, kind: int, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _loop() -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["carried", "carried"], ["doubled"]),
            helper.make_node("Identity", ["going"], ["still"]),
        ],
        "body",
        [
            _info("i", TensorProto.INT64),
            _info("going", TensorProto.BOOL),
            _info("carried", TensorProto.FLOAT, 2),
        ],
        [_info("still", TensorProto.BOOL), _info("doubled", TensorProto.FLOAT, 2)],
    )
    node = helper.make_node("Loop", ["times", "", "x"], ["y"], body=body, name="loop")
    return _model(
        node,
        {"times": np.int64(3)},
        _info("y", TensorProto.FLOAT, 2),
        _info("x", TensorProto.FLOAT, 2),
    )


def _scan() -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["total", "row"], ["next"]),
            helper.make_node("Identity", ["next"], ["seen"]),
        ],
        "body",
        [_info("total", TensorProto.FLOAT, 2), _info("row", TensorProto.FLOAT, 2)],
        [_info("next", TensorProto.FLOAT, 2), _info("seen", TensorProto.FLOAT, 2)],
    )
    node = helper.make_node(
        "Scan", ["start", "x"], ["", "y"], body=body, num_scan_inputs=1, name="scan"
    )
    return _model(
        node,
        {"start": np.zeros(2, np.float32)},
        _info("y", TensorProto.FLOAT, 3, 2),
        _info("x", TensorProto.FLOAT, 3, 2),
    )


def _model(
    node: onnx.NodeProto,
    constants: dict[str, np.ndarray],
    output: onnx.ValueInfoProto,
    read: onnx.ValueInfoProto,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node],
        "g",
        [read],
        [output],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def cases() -> Iterator[Case]:
    yield from interfaces()
    yield from foreign()
    yield from control_flow()
