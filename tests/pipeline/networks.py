"""Small networks with what slicing has to get right: skips, several inputs and outputs, fusion."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SKIP = """
<ir_version: 8, opset_import: ["" : 17]>
skip (float[1, 2, 4, 4] image) => (float[1, 3] logits)
{
    conv1 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]> (image, W1, B1)
    bn1 = BatchNormalization (conv1, G1, S1, M1, V1)
    relu1 = Relu (bn1)
    conv2 = Conv <kernel_shape = [1, 1], strides = [1, 1]> (relu1, W2, B2)
    bn2 = BatchNormalization (conv2, G2, S2, M2, V2)
    relu2 = Relu (bn2)
    sum = Add (relu2, relu1)
    relu3 = Relu (sum)
    flat = Flatten (relu3)
    logits = Gemm <transB = 1> (flat, W3, B3)
}
"""
SKIP_WEIGHTS = {
    "W1": (2, 2, 3, 3),
    "W2": (2, 2, 1, 1),
    "W3": (3, 32),
    **{f"{name}{n}": (2,) for name in "BGSM" for n in (1, 2)},
    "B3": (3,),
}

TWO_ENDS = """
<ir_version: 8, opset_import: ["" : 17]>
two_ends (float[1, 4] left, float[1, 4] right) => (float[1, 3] low, float[1, 4] high)
{
    a = MatMul (left, W1)
    b = Relu (a)
    c = Add (b, right)
    high = Relu (c)
    d = MatMul (high, W2)
    low = Add (d, B2)
}
"""
TWO_ENDS_WEIGHTS = {"W1": (4, 4), "W2": (4, 3), "B2": (3,)}


def build(path: Path, text: str, weights: dict[str, Sequence[int]], seed: int = 0) -> Path:
    """Write a model given as ONNX text, with random weights; every V is a variance."""
    random = np.random.default_rng(seed)
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.output[0]
    for name, shape in weights.items():
        values = random.normal(size=tuple(shape)).astype(np.float32) / 2
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    for name in sorted({n for node in model.graph.node for n in node.input if n[0] == "V"}):
        variance = random.uniform(0.5, 2, size=2).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(variance, name))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def write_input(path: Path, sizes: Sequence[int], seed: int = 0) -> Path:
    """Write a random input in EZKL's form."""
    random = np.random.default_rng(seed)
    data = [random.normal(size=size).round(3).tolist() for size in sizes]
    path.write_text(json.dumps({"input_data": data}))
    return path


def relu_model(path: Path, shape: Sequence[int | str]) -> Path:
    """Write a model that is one ReLU."""
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"], name="relu")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def pixels(folder: Path, weight: float) -> tuple[Path, Path]:
    """Write a layer on pixels that nobody divided by 255, with weights of about that size."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    pixels (float[1, 16] x) => (float[1, 4] y) {
        a = MatMul (x, W)
        y = Relu (a)
    }
    """
    random = np.random.default_rng(5)
    model = onnx.parser.parse_model(text)
    weights = (np.abs(random.normal(size=(16, 4))) * weight).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "W"))
    path, data = folder / "pixels.onnx", folder / "pixels.json"
    onnx.save(model, path)
    given = random.integers(0, 256, size=16).astype(float).tolist()
    data.write_text(json.dumps({"input_data": [given]}))
    return path, data
