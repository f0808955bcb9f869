"""A construct that EZKL rejects or gets wrong: a small model, its repair and what is left of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from zkprep.passes.base import Pass
from zkprep.passes.inference import infer_shapes
from zkprep.passes.normalise.windows import ExplicitWindows

IMAGE = "(float[1,2,5,5] x) => (float y)"
ROW = "(float[1,6] x) => (float y)"
PAIR = "(float[1,6] x, float[1,6] z) => (float y)"

_RANDOM = np.random.default_rng(3)


@dataclass(frozen=True)
class Construct:
    """A model in ONNX text, the pass that repairs it and the operators that it leaves."""

    repair: Pass
    interface: str
    body: str
    after: str
    opset: int
    constants: Mapping[str, Any]

    def model(self) -> ir.Model:
        return parsed(self.interface, self.body, self.opset, **self.constants)


def broken(
    repair: Pass, interface: str, body: str, after: str, opset: int = 17, **constants: Any
) -> Construct:
    return Construct(repair, interface, body, after, opset, constants)


def parsed(interface: str, body: str, opset: int = 17, **constants: Any) -> ir.Model:
    """The model, its nodes named after what they make, its windows explicit, its shapes known."""
    header = f'<ir_version: 8, opset_import: ["" : {opset}, "ai.onnx.ml" : 1]>'
    proto = onnx.parser.parse_model(f"{header} g {interface} {{ {body} }}")
    for name, values in constants.items():
        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    for node in proto.graph.node:
        node.name = f"n_{node.output[0]}"
    for value in proto.graph.output:
        if not value.type.tensor_type.shape.dim:
            value.type.tensor_type.ClearField("shape")
    proto = onnx.shape_inference.infer_shapes(proto)
    onnx.checker.check_model(proto)
    model = ir.from_proto(proto)
    infer_shapes(model)
    return ExplicitWindows()(model).model


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return _RANDOM.standard_normal(shape)


def whole(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)
