"""EZKL resizes to nearest neighbours by whole factors; any other Resize is a matrix per axis.

Interpolation is separable and linear: along each axis, output = M input. Row i of M says what
output i is made of, and is found by resizing the unit vectors of the axis with ONNX Runtime, in the
node's own mode. Where every row is a unit vector, the axis is gathered, which costs no cells;
otherwise it is a MatMul with the constant M. Source: ONNX operators Resize and Upsample.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
import onnx_ir as ir

from zkprep.models.model import run
from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Array, Draft, known, operand, repair, sizes

_OUT_OF_FRAME = "tf_crop_and_resize"


@dataclass(frozen=True, slots=True)
class PlainResizes:
    """Every Resize with constant sizes is one that repeats each element a whole number of times."""

    name: ClassVar[str] = "plain-resizes"

    def __call__(self, model: ir.Model) -> PassResult:
        """Gather or multiply what EZKL does not interpolate."""
        return repair(model, "Resize as constant interpolation", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "Resize" or draft.opset < 11:
        return None
    data = operand(node, 0)
    scales, wanted = known(operand(node, 2)), known(operand(node, 3))
    if data is None or data.dtype is None or (scales is None and wanted is None):
        return "its sizes are not constant"
    if node.attributes.get_string("coordinate_transformation_mode", "") == _OUT_OF_FRAME:
        return f"{_OUT_OF_FRAME} reads outside its input"
    if node.attributes.get_string("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "keep_aspect_ratio_policy makes its sizes depend on each other"
    resized = _resized_axes(node)
    if any(axis < len(sizes(data)) - 2 and not _nearest(node) for axis in resized):
        return "it interpolates along an axis before the last two"
    if any(sizes(data)[axis] == sizes(node.outputs[0])[axis] for axis in resized):
        return "a scale that changes no size means different things to different runtimes"
    matrices = {axis: _matrix(node, axis, draft.opset) for axis in resized}
    if scales is not None and scales.size and _nearest(node) and _repeats(matrices):
        return None
    result = data
    for axis, matrix in matrices.items():
        result = _along(draft, result, axis - len(sizes(data)), matrix, data.dtype)
    return draft.op("Identity", data) if result is data else result


def _resized_axes(node: ir.Node) -> list[int]:
    """Axes that the scales or sizes name with anything but a factor of 1."""
    before, after = sizes(node.inputs[0]), sizes(node.outputs[0])
    scales = known(operand(node, 2))
    axes = node.attributes.get_ints("axes", range(len(before)))
    factors = dict(zip([axis % len(before) for axis in axes], _listed(scales), strict=False))
    return [
        axis
        for axis in range(len(before))
        if before[axis] != after[axis] or factors.get(axis, 1.0) != 1.0
    ]


def _listed(scales: Array | None) -> list[float]:
    return [] if scales is None else [float(scale) for scale in scales]


def _nearest(node: ir.Node) -> bool:
    return node.attributes.get_string("mode", "nearest") == "nearest"


def _repeats(matrices: dict[int, Array]) -> bool:
    """Whether output i of every axis is input i // factor, which is how EZKL reads nearest."""
    for matrix in matrices.values():
        outputs, inputs = matrix.shape
        places = np.arange(outputs) // max(1, outputs // inputs)
        if outputs % inputs or not np.array_equal(matrix.argmax(axis=1), places):
            return False
    return True


def _along(draft: Draft, data: ir.Value, axis: int, matrix: Array, dtype: ir.DataType) -> ir.Value:
    """`matrix` times `data` along `axis`, which counts from the end."""
    places = matrix.argmax(axis=1)
    if np.array_equal(matrix, np.eye(matrix.shape[1])[places]):
        return draft.gather(data, axis, places)
    if axis == -1:
        return draft.op("MatMul", data, draft.constant("columns", matrix.T, dtype))
    return draft.op("MatMul", draft.constant("rows", matrix, dtype), data)


def _matrix(node: ir.Node, axis: int, opset: int) -> Array:
    """What the node does to the unit vectors of one axis, shape (outputs, inputs)."""
    inputs, outputs = sizes(node.inputs[0])[axis], sizes(node.outputs[0])[axis]
    scales = _listed(known(operand(node, 2)))
    axes = [one % len(sizes(node.inputs[0])) for one in node.attributes.get_ints("axes", ())]
    kept = ("axes", "keep_aspect_ratio_policy")
    attributes = {n: ir.to_proto(a) for n, a in node.attributes.items() if n not in kept}
    names = ["x", "", "scales", ""] if scales else ["x", "", "", "sizes"]
    alone = onnx.helper.make_node("Resize", [*names][: 3 if scales else 4], ["y"])
    alone.attribute.extend(attributes.values())
    factor = scales[axes.index(axis) if axes else axis] if scales else 1.0
    constants = (
        onnx.numpy_helper.from_array(np.array([1, 1, 1, factor], np.float32), "scales")
        if scales
        else onnx.numpy_helper.from_array(np.array([1, 1, inputs, outputs], np.int64), "sizes")
    )
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [alone],
        "axis",
        [onnx.helper.make_tensor_value_info("x", kind, [1, 1, inputs, inputs])],
        [onnx.helper.make_tensor_value_info("y", kind, [1, 1, inputs, outputs])],
        [constants],
    )
    opsets = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    units = np.eye(inputs, dtype=np.float32)[None, None]
    return np.asarray(run(ir.from_proto(model), {"x": units})["y"][0, 0].T)
