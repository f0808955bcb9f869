"""A network built node by node, and run as it is built, so that its statistics are its own.

Every node is evaluated on a seeded batch as soon as it is added (numpy and onnx's reference
evaluator, nothing else). A BatchNormalization therefore has the mean and the variance of what
really enters it, as training would have left them, and activations stay in range however deep the
network is. Weights are He-normal; scales and shifts vary by channel, as trained ones do.

Everything is seeded. Statistics are rounded to STEP, so that a sum taken in another order on
another processor gives the same file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = NDArray[Any]

OPSET = 17
IR_VERSION = 8
BATCH = 8
SEED = 0
STEP = 2.0**-12
WAVES = 4
"""Highest spatial frequency of a seeded image, in periods over its side."""


class Net:
    """A model under construction; every node has one output, which bears its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.random = np.random.default_rng(SEED)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, Array] = {}
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.values: dict[str, Array] = {}

    def image(self, channels: int, height: int, width: int, name: str = "image") -> str:
        """A graph input (1, C, H, W): smooth images in [0, 1]."""
        shape = (BATCH, channels)
        rows, columns = np.arange(height) / height, np.arange(width) / width
        field = np.zeros((*shape, height, width))
        for frequency in range(WAVES + 1):
            down, across, phase = self.random.uniform(-frequency, frequency, (3, *shape, 1, 1))
            field += np.cos(2 * np.pi * (down * rows[:, None] + across * columns + phase))
        low, high = field.min(axis=(2, 3), keepdims=True), field.max(axis=(2, 3), keepdims=True)
        return self._input(name, (field - low) / (high - low))

    def features(self, *shape: int, name: str = "features") -> str:
        """A graph input (1, *shape) of standardised features: normal, cut at three deviations."""
        return self._input(name, self.random.standard_normal((BATCH, *shape)).clip(-3, 3))

    def __call__(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and run it; its only output has its name."""
        node = helper.make_node(operator, inputs, [name], name=name, **attributes)
        feeds = {read: self.values[read] for read in inputs}
        outputs = list(ReferenceEvaluator(node, opsets={"": OPSET}).run(None, feeds))
        (self.values[name],) = outputs
        self.nodes.append(node)
        return name

    def constant(self, name: str, values: Any) -> str:
        """An initializer; floats are stored as float32."""
        array = np.asarray(values)
        stored = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.weights[name] = self.values[name] = stored
        return name

    def he(self, name: str, shape: Sequence[int], fan_in: int, gain: float = 2.0) -> str:
        """A normal weight of variance gain / fan_in."""
        return self.constant(name, self.random.normal(0, (gain / fan_in) ** 0.5, shape))

    def conv(
        self,
        name: str,
        source: str,
        outputs: int,
        kernel: tuple[int, int],
        *,
        stride: int = 1,
        pads: Sequence[int] = (0, 0, 0, 0),
        group: int = 1,
        bias: bool = True,
    ) -> str:
        """Conv with a He-normal weight; every attribute is written out."""
        inputs = self.values[source].shape[1] // group
        weight = self.he(
            f"{name}.weight", (outputs, inputs, *kernel), inputs * kernel[0] * kernel[1]
        )
        read = [source, weight]
        if bias:
            read.append(self.constant(f"{name}.bias", self.random.normal(0, 0.05, outputs)))
        return self(
            "Conv",
            name,
            *read,
            kernel_shape=list(kernel),
            strides=[stride, stride],
            pads=list(pads),
            dilations=[1, 1],
            group=group,
        )

    def depthwise(self, name: str, source: str, stride: int = 1, *, bias: bool = True) -> str:
        """A padded 3x3 Conv with one filter per channel."""
        channels, height = self.values[source].shape[1:3]
        pads = same(3, stride, height)
        return self.conv(
            name, source, channels, (3, 3), stride=stride, pads=pads, group=channels, bias=bias
        )

    def dense(self, name: str, source: str, outputs: int, *, bias: bool = True) -> str:
        """Gemm with transB, as PyTorch exports a Linear."""
        inputs = self.values[source].shape[1]
        read = [source, self.he(f"{name}.weight", (outputs, inputs), inputs)]
        if bias:
            read.append(self.constant(f"{name}.bias", self.random.normal(0, 0.05, outputs)))
        return self("Gemm", name, *read, transB=1)

    def norm(self, name: str, source: str, epsilon: float = 1e-5) -> str:
        """BatchNormalization with the statistics of `source` on the seeded batch."""
        entering = self.values[source]
        axes = tuple(axis for axis in range(entering.ndim) if axis != 1)
        channels = entering.shape[1]
        parameters = {
            "gamma": self.random.uniform(0.6, 1.4, channels),
            "beta": self.random.normal(0, 0.2, channels),
            "mean": _rounded(entering.mean(axis=axes, dtype=np.float64)),
            "variance": np.maximum(_rounded(entering.var(axis=axes, dtype=np.float64)), STEP),
        }
        read = [self.constant(f"{name}.{key}", value) for key, value in parameters.items()]
        return self("BatchNormalization", name, source, *read, epsilon=epsilon)

    def relu(self, name: str, source: str) -> str:
        """Relu."""
        return self("Relu", name, source)

    def pool(self, operator: str, name: str, source: str, *kernel: int) -> str:
        """MaxPool or AveragePool whose windows do not overlap; no padding."""
        return self(operator, name, source, kernel_shape=kernel, strides=kernel, pads=[0] * 4)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The checked model with these outputs and a batch of one."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in self.inputs.items()
            ],
            [
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT, (1, *self.values[name].shape[1:])
                )
                for name in outputs
            ],
            [numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(made, full_check=True)
        return made

    def sample(self) -> dict[str, Array]:
        """An input of the model: the first of the seeded batch."""
        return {name: self.values[name][:1] for name in self.inputs}

    def _input(self, name: str, batch: Array) -> str:
        self.values[name] = _rounded(batch).astype(np.float32)
        self.inputs[name] = (1, *batch.shape[1:])
        return name


def same(kernel: int, stride: int, extent: int) -> tuple[int, int, int, int]:
    """Pads of Keras's padding='same': the odd one at the bottom and at the right."""
    total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
    begin, end = total // 2, total - total // 2
    return begin, begin, end, end


def _rounded(values: Array) -> Array:
    return np.round(values / STEP) * STEP
