"""digits is what it says: trained, unfolded, and as accurate as recorded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from zkprep.models.inputs import read_input
from zkprep.models.model import Runner, load, run

DIGITS = Path(__file__).parents[2] / "circuits/digits"


def _case(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "case.json").read_text(encoding="utf-8")))


def _held_out() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices (N,), images (N, 1, 8, 8) and labels (N,) of the split that case.json records."""
    data = _case(DIGITS)["data"]
    digits = load_digits()
    train, test = train_test_split(
        np.arange(data["images"]),
        test_size=data["test"],
        stratify=digits.target,
        random_state=data["random_state"],
    )
    assert (len(train), len(test), len(digits.images)) == (
        data["train"],
        data["test"],
        data["images"],
    )
    images = (digits.images[test] / 16).astype(np.float32)[:, None]
    return test, images, digits.target[test]


def _convolution_kind(node: onnx.NodeProto, weight: np.ndarray) -> str:
    group = next(a.i for a in node.attribute if a.name == "group")
    side = f"{weight.shape[2]}x{weight.shape[3]}"
    return f"depthwise {side}" if group == weight.shape[0] > 1 else side


def test_digits_keeps_a_batch_normalization_after_every_convolution() -> None:
    graph = onnx.load(DIGITS / "model.onnx").graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    kinds = {_convolution_kind(node, weights[node.input[1]]) for node in convolutions}
    assert kinds == {"3x3", "depthwise 3x3", "1x1"}
    for node in convolutions:
        readers = [reader.op_type for reader in graph.node if node.output[0] in reader.input]
        assert readers == ["BatchNormalization"], node.name


def test_digits_has_trained_statistics() -> None:
    graph = onnx.load(DIGITS / "model.onnx").graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            gamma, beta, mean, variance = (weights[name] for name in node.input[1:])
            assert np.ptp(gamma) > 0.1
            assert np.ptp(variance) > 0.1
            assert np.abs(mean).min() > 0
            assert np.abs(beta).min() > 0


def test_digits_adds_a_skip_over_four_convolutions_and_ends_in_logits() -> None:
    graph = onnx.load(DIGITS / "model.onnx").graph
    maker = {output: node for node in graph.node for output in node.output}
    (add,) = (node for node in graph.node if node.op_type == "Add")
    skipped = []
    node = maker[add.input[1]]
    while node.output[0] != add.input[0]:
        skipped.append(node.op_type)
        node = maker[node.input[0]]
    assert node.op_type == "MaxPool"
    assert skipped.count("Conv") == 4
    assert maker["logits"].op_type == "Gemm"
    assert [value.name for value in graph.input] == ["image"]
    assert "Softmax" not in {node.op_type for node in graph.node}


def test_digits_input_is_the_recorded_held_out_image_and_is_classified_rightly() -> None:
    recorded = _case(DIGITS)["input"]
    indices, images, labels = _held_out()
    (position,) = np.flatnonzero(indices == recorded["index"])
    model = load(DIGITS / "model.onnx")
    feeds = read_input(DIGITS / "input.json", model)
    np.testing.assert_array_equal(feeds["image"][0], images[position])
    assert labels[position] == recorded["label"]
    logits = run(model, feeds)["logits"][0]
    runner_up, best = np.sort(logits)[-2:]
    assert int(logits.argmax()) == recorded["label"]
    assert best - runner_up == pytest.approx(recorded["margin"], abs=1e-2)


def test_digits_accuracy_is_the_recorded_one() -> None:
    recorded = _case(DIGITS)["accuracy"]
    _, images, labels = _held_out()
    runner = Runner(DIGITS / "model.onnx")
    answers = [int(runner({"image": image[None]})["logits"].argmax()) for image in images]
    correct = int((np.array(answers) == labels).sum())
    assert correct == recorded["correct"]
    assert correct / len(labels) == recorded["test"] > 0.95
