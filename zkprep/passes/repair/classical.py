"""What scikit-learn's exporter writes, in ONNX's own operators: scalers and linear models.

    Scaler                  (x - offset) * scale
    LinearRegressor         x C^T + b
    LinearClassifier        s = x C^T + b; scores Softmax(s), Sigmoid(s) or s; label argmax s, which
                            the scores' monotony does not change
    Normalizer              x / |x| per row. Scores of a Softmax add up to 1, and so do those of two
                            Sigmoids of s and -s: these are left as they are
    ArrayFeatureExtractor   columns of x, or rows of a vector: a Gather
Trees are in `zkprep.passes.repair.trees`. Source: ONNX, operators of the domain ai.onnx.ml.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.repair.draft import Answer, Array, Draft, Rule, is_read, known, operand, repair
from zkprep.passes.repair.trees import classifier_of_trees, regressor_of_trees

DOMAIN = "ai.onnx.ml"
_FLOAT = ir.DataType.FLOAT


@dataclass(frozen=True, slots=True)
class PlainClassicalModels:
    """Of the operators of classical machine learning those are left that have a reason."""

    name: ClassVar[str] = "plain-classical-models"
    narrows: ClassVar[str] = "symbolic dimensions of the outputs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write them in ONNX's own operators, what knows its producer first."""
        sites: list[Site] = []
        for rule in (_normalise, _compute, _extract):
            result = repair(model, "classical model in ONNX's own operators", rule, DOMAIN)
            model = result.model
            sites += result.sites
        return PassResult(model, tuple(sites))


def _compute(node: ir.Node, draft: Draft) -> Answer:
    rule = _RULES.get(node.op_type)
    return None if rule is None else rule(node, draft)


def _scale(node: ir.Node, draft: Draft) -> Answer:
    offset = np.asarray(node.attributes.get_floats("offset", (0.0,)))
    factor = np.asarray(node.attributes.get_floats("scale", (1.0,)))
    centred = draft.op("Sub", _features(node, draft), draft.constant("offset", offset, _FLOAT))
    return draft.op("Mul", centred, draft.constant("scale", factor, _FLOAT))


def _regress(node: ir.Node, draft: Draft) -> Answer:
    if reason := _transformed(node, ("NONE",)):
        return reason
    return _scores(node, draft, node.attributes.get_int("targets", 1))


def _classify(node: ir.Node, draft: Draft) -> Answer:
    if reason := _transformed(node, ("NONE", "SOFTMAX", "LOGISTIC")):
        return reason
    labels = node.attributes.get_ints("classlabels_ints", ())
    count = len(labels) or len(node.attributes.get_strings("classlabels_strings", ()))
    if count < 2 or len(node.attributes.get_floats("coefficients", ())) % count:
        return "it has not one row of coefficients per class"
    if len(node.attributes.get_floats("intercepts", ())) not in (0, count):
        return "it has not one intercept per class"
    scores = _scores(node, draft, count)
    return _classes(node, draft, scores, tuple(labels))


def _classes(node: ir.Node, draft: Draft, scores: ir.Value, labels: tuple[int, ...]) -> Answer:
    """The label of the largest of `scores`, and the scores as `node` transforms them."""
    operator = {"SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}.get(_transform(node))
    attributes = {"axis": 1} if operator == "Softmax" else {}
    made = draft.op(operator, scores, **attributes) if operator else scores
    if not is_read(node.outputs[0]):
        return None, made
    if not labels:
        return "its labels are strings, and a circuit has none"
    best = draft.op("ArgMax", scores, axis=1, keepdims=0)
    return _row_of(draft, np.asarray(labels), best), made


def _scores(node: ir.Node, draft: Draft, rows: int) -> ir.Value:
    weights = np.asarray(node.attributes.get_floats("coefficients", ()))
    shift = np.asarray(node.attributes.get_floats("intercepts", ()) or np.zeros(rows))
    kernel = draft.constant("coefficients", weights.reshape(rows, -1).T, _FLOAT)
    addend = draft.constant("intercepts", shift, _FLOAT)
    return draft.op("Gemm", _features(node, draft), kernel, addend)


def _normalise(node: ir.Node, draft: Draft) -> Answer:
    if node.op_type != "Normalizer":
        return None
    norm = node.attributes.get_string("norm", "MAX")
    if norm not in ("L1", "L2"):
        return f"its norm is {norm}"
    source = node.inputs[0]
    if norm == "L1" and source is not None and _adds_up_to_one(source.producer()):
        return draft.op("Identity", source)
    return draft.op("LpNormalization", _features(node, draft), axis=1, p=1 if norm == "L1" else 2)


def _adds_up_to_one(maker: ir.Node | None) -> bool:
    if maker is None or maker.op_type != "LinearClassifier":
        return False
    rows = np.asarray(maker.attributes.get_floats("coefficients", ()))
    shift = np.asarray(maker.attributes.get_floats("intercepts", ()))
    opposite = shift.size == 2 and not np.any(np.sum(rows.reshape(2, -1), 0)) and not shift.sum()
    return _transform(maker) == "SOFTMAX" or (_transform(maker) == "LOGISTIC" and bool(opposite))


def _extract(node: ir.Node, draft: Draft) -> Answer:
    if node.op_type != "ArrayFeatureExtractor":
        return None
    data, places = operand(node, 0), operand(node, 1)
    if data is None or places is None or data.shape is None:
        return "the rank of its input is not known"
    fixed = known(places)
    flat = (
        draft.op("Reshape", places, draft.constant("row", [-1]))
        if fixed is None
        else draft.constant("places", fixed.ravel())
    )
    if len(data.shape) > 1:
        return draft.op("Gather", data, flat, axis=len(data.shape) - 1)
    values = known(data)
    picked = (
        draft.op("Gather", data, flat, axis=0)
        if values is None or fixed is not None
        else _row_of(draft, values, flat)
    )
    return draft.op("Unsqueeze", picked, draft.constant("axes", [0]))


def _row_of(draft: Draft, values: Array, places: ir.Value) -> ir.Value:
    """`values` at `places`; places themselves where the values count from 0."""
    if values.dtype.kind == "i" and np.array_equal(values, np.arange(values.size)):
        return draft.op("Identity", places)
    kind = ir.DataType.from_numpy(values.dtype)
    return draft.op("Gather", draft.constant("labels", values, kind), places, axis=0)


def _features(node: ir.Node, draft: Draft) -> ir.Value:
    """The first input of `node` as floats, which is what these operators compute in."""
    value = node.inputs[0]
    assert value is not None
    return value if value.dtype in (None, _FLOAT) else draft.op("Cast", value, to=int(_FLOAT))


def _transform(node: ir.Node) -> str:
    return str(node.attributes.get_string("post_transform", "NONE"))


def _transformed(node: ir.Node, may: tuple[str, ...]) -> str:
    """Why the node's transformation is none that can be written out, or ""."""
    found = _transform(node)
    return "" if found in may else f"its scores are transformed by {found}"


def _trees_classified(node: ir.Node, draft: Draft) -> Answer:
    if reason := _transformed(node, ("NONE", "SOFTMAX", "LOGISTIC")):
        return reason
    labels = node.attributes.get_ints("classlabels_int64s", ())
    scores = classifier_of_trees(node, _features(node, draft), draft)
    return scores if isinstance(scores, str) else _classes(node, draft, scores, tuple(labels))


def _trees_regressed(node: ir.Node, draft: Draft) -> Answer:
    if reason := _transformed(node, ("NONE",)):
        return reason
    return regressor_of_trees(node, _features(node, draft), draft)


_RULES: Mapping[str, Rule] = {
    "LinearClassifier": _classify,
    "LinearRegressor": _regress,
    "Scaler": _scale,
    "TreeEnsembleClassifier": _trees_classified,
    "TreeEnsembleRegressor": _trees_regressed,
}

WRITTEN = frozenset(("ArrayFeatureExtractor", "Normalizer", *_RULES))
"""Operators of the domain that are rewritten in some form."""
