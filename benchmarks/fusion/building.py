"""Small ONNX models written as nested calls; every tensor is named, every weight seeded.

BatchNormalization parameters are far from those of an untrained network: gamma of both signs and
zero, variances over four decades, means that are not 0. Sizes come in two kinds: all different,
which shows errors of shape, and all equal, which alone shows one axis taken for another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Dtype = int

DEFAULT_OPSET = 17
_LARGEST_OPSET_OF_IR_8 = 18


@dataclass(frozen=True, slots=True)
class Size:
    """Batch n, channels in c and out o, height h, width w; c and o are even."""

    n: int
    c: int
    o: int
    h: int
    w: int


DIFFERENT = Size(n=2, c=4, o=6, h=7, w=5)
EQUAL = Size(n=4, c=4, o=4, h=4, w=4)


class Net:
    """A model under construction; nodes return the name of their (first) output."""

    def __init__(self, opset: int = DEFAULT_OPSET, dtype: Dtype = TensorProto.FLOAT) -> None:
        self.opset = opset
        self.dtype = dtype
        self.ir_version = 8 if opset <= _LARGEST_OPSET_OF_IR_8 else 10
        self.random = np.random.default_rng(20)
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.functions: list[onnx.FunctionProto] = []
        self.declared: dict[str, tuple[int, ...]] = {}
        self.prefix = ""

    def x(self, *shape: int | str, name: str = "x", dtype: Dtype | None = None) -> str:
        """A graph input."""
        kind = self.dtype if dtype is None else dtype
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def k(self, values: Any, name: str = "", dtype: Dtype | None = None) -> str:
        """An initializer; floating-point values take the type of the model, or `dtype`."""
        array = np.asarray(values)
        if array.dtype.kind == "f":
            kind = self.dtype if dtype is None else dtype
            array = array.astype(helper.tensor_dtype_to_np_dtype(kind))
        name = name or f"{self.prefix}k{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int, name: str = "") -> str:
        """A normal random initializer, both signs."""
        return self.k(self.random.standard_normal(shape), name)

    def positive(self, *shape: int) -> str:
        """An initializer between 0.5 and 2."""
        return self.k(self.random.uniform(0.5, 2, shape))

    def __call__(self, op: str, *inputs: str, name: str | None = None, **attrs: Any) -> str:
        """A node with one output; `name` None names it after that."""
        out = f"{self.prefix}t{len(self.nodes)}"
        name = f"{op}_{out}" if name is None else name
        self.nodes.append(helper.make_node(op, inputs, [out], name=name, **attrs))
        return out

    def conv(self, x: str, inputs: int, outputs: int, *kernel: int, **options: Any) -> str:
        """Conv with a random weight; options: bias (True), op ("Conv"), attributes."""
        bias, op = options.pop("bias", True), options.pop("op", "Conv")
        group = options.get("group", 1)
        leading = (outputs, inputs // group) if op == "Conv" else (inputs, outputs // group)
        extra = [self.normal(outputs)] if bias else []
        return self(op, x, self.normal(*leading, *kernel), *extra, **options)

    def gemm(self, x: str, inputs: int, outputs: int, *bias: str, **attrs: Any) -> str:
        """Gemm with a random weight and, optionally, C."""
        shape = (outputs, inputs) if attrs.get("transB") else (inputs, outputs)
        return self("Gemm", x, self.normal(*shape), *bias, **attrs)

    def statistics(self, channels: int, *, positive: bool = False) -> list[Array]:
        """Scale, shift, mean and variance of a BatchNormalization."""
        gamma = self.random.standard_normal(channels)
        gamma[0], gamma[-1] = -1.3, 0.0
        if positive:
            gamma = np.abs(gamma) + 0.1
        beta, mean = self.random.standard_normal((2, channels))
        return [gamma, beta, mean + 0.5, np.geomspace(1e-3, 10, channels)]

    def bn(self, x: str, channels: int, *parameters: str, positive: bool = False, **a: Any) -> str:
        """BatchNormalization with random parameters, or the given ones."""
        chosen = parameters or [self.k(v) for v in self.statistics(channels, positive=positive)]
        return self("BatchNormalization", x, *chosen, **a)

    def graph(self, outputs: Sequence[str]) -> onnx.GraphProto:
        """The graph with these outputs, whose types are left to shape inference."""
        infos = [helper.make_empty_tensor_value_info(name) for name in outputs]
        return helper.make_graph(self.nodes, "pattern", self.inputs, infos, self.weights)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The checked model with these outputs."""
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid("local", 1)] if self.functions else []
        graph, functions = self.graph(outputs), self.functions
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=self.ir_version, functions=functions
        )
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        stored = {weight.name: weight for weight in model.graph.initializer}
        for value in model.graph.output:
            weight = stored.get(value.name)
            if weight is not None:
                kind = helper.make_tensor_type_proto(weight.data_type, weight.dims)
                value.type.CopyFrom(kind)
            elif value.name in self.declared:
                shape = self.declared[value.name]
                value.type.CopyFrom(helper.make_tensor_type_proto(self.dtype, shape))
            elif not value.type.tensor_type.elem_type:
                value.type.tensor_type.elem_type = self.dtype
        onnx.checker.check_model(model)
        return model
