"""Train the digits example, write it as ONNX with its BatchNormalizations unfolded, and record it.

    python circuits/digits/train.py        writes model.onnx, input.json and case.json beside itself

The graph is written node by node from the trained state, not by torch's exporter, which folds
BatchNormalization into Conv: what zkprep is to fold must be in the file. The layers are those of
small mobile networks (a 3x3 convolution, max-pooling, depthwise and pointwise convolutions, a
residual over four of them, global average pooling), ordered so that no convolution with a larger
kernel lies between two unpadded 1x1 convolutions, which EZKL reads wrongly at batch 1.

Data: the 1797 images of 8x8 pixels that scikit-learn bundles (E. Alpaydin, C. Kaynak, "Optical
Recognition of Handwritten Digits", UCI). The layers were chosen by validation within the training
images; the accuracy in case.json is that of the exported file on the held-out ones.

Everything is seeded and runs on one thread: two runs on one machine, with the same versions, write
the same bytes. Another processor or another torch may round otherwise and train another model.
Needs `pip install zkprep[train]`; nothing else in zkprep needs torch.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional

SEED = 0
HELD_OUT = 360
EPOCHS = 150
BATCH = 32
LEARNING_RATE = 0.01
WARP = 0.08  # largest change of an entry of the affine map that distorts a training image
OPSET = 17
IR_VERSION = 8
BRIGHTEST = 16.0
FOLDER = Path(__file__).resolve().parent


class Convolution(NamedTuple):
    """A Conv without bias, its BatchNormalization and its ReLU; all three share `number`."""

    kind: str
    number: int
    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    pad: int = 0
    group: int = 1

    @property
    def name(self) -> str:
        """Name of the Conv node, such as "dw2"."""
        return f"{self.kind}{self.number}"


STEM = Convolution("conv", 1, 1, 6, kernel=3)
BLOCK = (
    Convolution("dw", 2, 6, 6, kernel=3, pad=1, group=6),
    Convolution("pw", 3, 6, 6, kernel=1),
    Convolution("dw", 4, 6, 6, kernel=3, pad=1, group=6),
    Convolution("dw", 5, 6, 6, kernel=3, pad=1, group=6),
)
HEAD = Convolution("conv", 6, 6, 24, kernel=3, stride=2, pad=1)


class Split(NamedTuple):
    """Images (N, 1, 8, 8) in [0, 1], labels (N,), and the indices of the held-out images."""

    images: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    test: np.ndarray


def load_split() -> Split:
    """The bundled images, split by class with a fixed seed."""
    digits = load_digits()
    images = (digits.images / BRIGHTEST).astype(np.float32)[:, None]
    train, test = train_test_split(
        np.arange(len(images)), test_size=HELD_OUT, stratify=digits.target, random_state=SEED
    )
    return Split(images, digits.target, np.sort(train), np.sort(test))


class Network(torch.nn.Module):
    """The classifier: (N, 1, 8, 8) to logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = torch.nn.ModuleDict({c.name: stage(c) for c in (STEM, *BLOCK, HEAD)})
        self.fc = torch.nn.Linear(HEAD.outputs, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of images."""
        pooled = functional.max_pool2d(self.stages[STEM.name](image), 2)
        mixed = pooled
        for convolution in BLOCK:
            mixed = self.stages[convolution.name](mixed)
        features = self.stages[HEAD.name](pooled + mixed)
        return self.fc(features.mean((2, 3)))


def stage(c: Convolution) -> torch.nn.Sequential:
    """Conv, BatchNormalization, ReLU in torch."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(c.inputs, c.outputs, c.kernel, c.stride, c.pad, groups=c.group, bias=False),
        torch.nn.BatchNorm2d(c.outputs),
        torch.nn.ReLU(),
    )


def warp(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The images (N, 1, 8, 8), each under its own small random affine map."""
    change = torch.rand(len(images), 2, 3, generator=generator) * 2 - 1
    maps = torch.eye(2, 3) + WARP * change
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def train(images: torch.Tensor, labels: torch.Tensor) -> Network:
    """A network trained on `images` (N, 1, 8, 8) and `labels` (N,), in evaluation mode."""
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    batches = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=EPOCHS * batches, pct_start=0.2
    )
    for _ in range(EPOCHS):
        order = torch.randperm(len(images), generator=generator)
        for chosen in order[: batches * BATCH].split(BATCH):
            logits = network(warp(images[chosen], generator))
            loss = functional.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def export(network: Network) -> onnx.ModelProto:
    """The trained network as ONNX, batch 1, one BatchNormalization per Conv, no Softmax."""
    nodes = stage_nodes(STEM, "image")
    pool = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4, "dilations": [1, 1]}
    nodes.append(node("MaxPool", "pool1", [nodes[-1].output[0]], **pool))
    for convolution in BLOCK:
        nodes += stage_nodes(convolution, nodes[-1].output[0])
    nodes.append(node("Add", "add5", ["pool1", nodes[-1].output[0]]))
    nodes += stage_nodes(HEAD, "add5")
    nodes.append(node("GlobalAveragePool", "gap", [nodes[-1].output[0]]))
    nodes.append(node("Flatten", "flatten", ["gap"], axis=1))
    fc = ["flatten", "fc.weight", "fc.bias"]
    nodes.append(helper.make_node("Gemm", fc, ["logits"], name="fc", transB=1))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in parameters(network).items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def stage_nodes(c: Convolution, source: str) -> list[onnx.NodeProto]:
    """Conv, BatchNormalization, Relu on the tensor `source`; all attributes are written out."""
    bn, relu = f"bn{c.number}", f"relu{c.number}"
    window = {
        "kernel_shape": [c.kernel, c.kernel],
        "strides": [c.stride, c.stride],
        "pads": [c.pad] * 4,
        "dilations": [1, 1],
        "group": c.group,
    }
    statistics = [f"{bn}.gamma", f"{bn}.beta", f"{bn}.mean", f"{bn}.variance"]
    return [
        node("Conv", c.name, [source, f"{c.name}.weight"], **window),
        node("BatchNormalization", bn, [c.name, *statistics], epsilon=1e-5),
        node("Relu", relu, [bn]),
    ]


def node(operator: str, name: str, inputs: list[str], **attributes: Any) -> onnx.NodeProto:
    """A node whose single output has the node's name."""
    return helper.make_node(operator, inputs, [name], name=name, **attributes)


def parameters(network: Network) -> dict[str, np.ndarray]:
    """Every weight and statistic by its name in the ONNX file."""
    values = {}
    for c in (STEM, *BLOCK, HEAD):
        conv, norm, _ = network.stages[c.name]
        values[f"{c.name}.weight"] = conv.weight
        values[f"bn{c.number}.gamma"] = norm.weight
        values[f"bn{c.number}.beta"] = norm.bias
        values[f"bn{c.number}.mean"] = norm.running_mean
        values[f"bn{c.number}.variance"] = norm.running_var
    values["fc.weight"], values["fc.bias"] = network.fc.weight, network.fc.bias
    return {name: value.detach().numpy() for name, value in values.items()}


def run_onnx(model: bytes, images: np.ndarray) -> np.ndarray:
    """Logits (N, 10) of `images` (N, 1, 8, 8), one by one, without graph optimisation."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"image": x[None]})[0] for x in images])


def margins(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """True label's logit minus the largest other one (N,); positive means classified rightly."""
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    return logits[rows, labels] - others.max(axis=1)


def describe(split: Split, margin: np.ndarray, sample: int) -> dict[str, Any]:
    """case.json: what the case is, how its data was split, and what was measured."""
    return {
        "name": "digits",
        "description": "classifier of handwritten digits: 8x8 grey image to 10 logits",
        "data": {
            "set": "sklearn.datasets.load_digits",
            "images": len(split.images),
            "scaling": "pixel / 16",
            "split": "sklearn.model_selection.train_test_split(range(images), test_size=test, "
            "stratify=target, random_state=random_state)",
            "train": len(split.train),
            "test": len(split.test),
            "random_state": SEED,
        },
        "accuracy": {
            "runtime": "ONNX Runtime, graph optimisation disabled",
            "correct": int((margin > 0).sum()),
            "test": float((margin > 0).mean()),
        },
        "input": {
            "index": int(split.test[sample]),
            "label": int(split.labels[split.test[sample]]),
            "margin": round(float(margin[sample]), 3),
        },
        "opset": OPSET,
        "layers": "Conv 3x3, MaxPool, [depthwise 3x3, pointwise 1x1, depthwise 3x3, depthwise 3x3] "
        "+ skip, Conv 3x3 stride 2, GlobalAveragePool, Gemm; BatchNormalization and Relu after "
        "every Conv",
        "seed": SEED,
    }


def main() -> None:
    """Train, export, measure the exported file on the held-out images, write the three files."""
    split = load_split()
    network = train(
        torch.from_numpy(split.images[split.train]), torch.from_numpy(split.labels[split.train])
    )
    model = export(network).SerializeToString(deterministic=True)
    held_out, labels = split.images[split.test], split.labels[split.test]
    logits = run_onnx(model, held_out)
    with torch.no_grad():
        trained = network(torch.from_numpy(held_out)).numpy()
    if not np.allclose(logits, trained, rtol=1e-4, atol=1e-4):
        raise SystemExit(f"export differs from torch by {np.abs(logits - trained).max():.2g}")
    margin = margins(logits, labels)
    sample = int(np.flatnonzero(margin >= np.median(margin))[0])
    case = describe(split, margin, sample)
    (FOLDER / "model.onnx").write_bytes(model)
    write_json("input.json", {"input_data": [held_out[sample].ravel().tolist()]}, indent=None)
    write_json("case.json", case, indent=2)
    print(json.dumps(case["accuracy"]), json.dumps(case["input"]))


def write_json(name: str, document: dict[str, Any], indent: int | None) -> None:
    """Write one JSON document beside this script, with a final newline."""
    (FOLDER / name).write_text(json.dumps(document, indent=indent) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
