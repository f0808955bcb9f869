"""Models of operator sets 7 to 12 are brought to 13, the one that repairs are written in.

What changed on the way, for operators that are not merely given more types:
    attributes became inputs   Clip, Dropout, Pad, ReduceSum, Slice, Split, Squeeze, TopK, Unsqueeze
    operators were renamed     Upsample is a Resize at asymmetric coordinates, rounded down, as
                               Resize of 10 was too; Scatter is ScatterElements
    Softmax took axes as one   `zkprep.passes.repair.softmaxes`
Source: the changelog of ONNX's operators. ONNX's own converter is not used: it takes an Upsample
and a Hardmax for something else than ONNX Runtime does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import infer_shapes
from zkprep.passes.names import Names
from zkprep.passes.opset import standard_opset
from zkprep.passes.repair.draft import OLDEST_OPSET
from zkprep.passes.repair.softmaxes import flatten_softmaxes

_OLDEST_WITHOUT_BROADCAST_ATTRIBUTES = 7

# Operator -> the operator set in which these attributes became its inputs, in order.
_INPUTS_SINCE: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "Clip": (11, ("min", "max")),
    "Dropout": (12, ("ratio",)),
    "Pad": (11, ("pads", "value")),
    "ReduceSum": (13, ("axes",)),
    "Slice": (10, ("starts", "ends", "axes")),
    "Split": (13, ("split",)),
    "Squeeze": (13, ("axes",)),
    "TopK": (10, ("k",)),
    "Unsqueeze": (13, ("axes",)),
    "Upsample": (9, ("scales",)),
}


@dataclass(frozen=True, slots=True)
class RaiseOpset:
    """The model is written in an operator set that repairs can be drafted in."""

    name: ClassVar[str] = "raise-opset"
    narrows: ClassVar[str] = "symbolic dimensions of the outputs"

    def __call__(self, model: ir.Model) -> PassResult:
        """Rewrite every operator that an older set means otherwise."""
        result = model.clone()
        opset = standard_opset(result)
        if opset >= OLDEST_OPSET:
            return PassResult(result, ())
        title = f"operator set raised from {opset} to {OLDEST_OPSET}"
        reason = _why_not(result, opset)
        if reason:
            return PassResult(result, (Site(title, (), reason),))
        names, sites = Names(result), [Site(title, ())]
        infer_shapes(result)
        for node in [node for graph in result.graphs() for node in graph if node.domain == ""]:
            if _raise(node, opset, names):
                sites.append(Site(f"{node.op_type} of operator set {opset}", (str(node.name),)))
        result.opset_imports.pop("ai.onnx", None)
        result.opset_imports[""] = OLDEST_OPSET
        flattened = flatten_softmaxes(result)
        return PassResult(flattened.model, (*sites, *flattened.sites))


def _why_not(model: ir.Model, opset: int) -> str:
    if opset < _OLDEST_WITHOUT_BROADCAST_ATTRIBUTES:
        return f"operators of opset {opset} broadcast by attribute"
    for node in (node for graph in model.graphs() for node in graph):
        if node.op_type == "BatchNormalization" and node.attributes.get_int("spatial", 1) == 0:
            return f"'{node.name}' has one mean and variance per activation, not per channel"
    return ""


def _raise(node: ir.Node, opset: int, names: Names) -> bool:
    """Rewrite `node` in place where `opset` wrote it otherwise; whether it was."""
    since, moved = _INPUTS_SINCE.get(node.op_type, (0, ()))
    changed = opset < since
    if changed:
        _attributes_to_inputs(node, moved, names)
    if node.op_type == "Upsample" or (node.op_type == "Resize" and opset == 10):
        scales = node.inputs[1]
        node.op_type = "Resize"
        node.resize_inputs(3)
        node.replace_input_with(1, None)
        node.replace_input_with(2, scales)
        node.attributes["coordinate_transformation_mode"] = ir.AttrString(
            "coordinate_transformation_mode", "asymmetric"
        )
        node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "floor")
        return True
    if node.op_type == "MeanVarianceNormalization" and "axes" not in node.attributes:
        # Inference of the newer operator asks for what is a default.
        node.attributes["axes"] = ir.AttrInt64s("axes", [0, 2, 3])
        return True
    if node.op_type == "Scatter":
        node.op_type = "ScatterElements"
        return True
    return changed


def _attributes_to_inputs(node: ir.Node, moved: tuple[str, ...], names: Names) -> None:
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    for position, name in enumerate(moved, start=1):
        attribute = node.attributes.pop(name, None)
        if attribute is None:
            continue
        value = _constant(node, attribute, names)
        graph.register_initializer(value)
        if len(node.inputs) <= position:
            node.resize_inputs(position + 1)
        node.replace_input_with(position, value)


def _constant(node: ir.Node, attribute: ir.Attr, names: Names) -> ir.Value:
    array: np.ndarray[Any, Any] = np.asarray(attribute.value)
    if array.dtype.kind == "f":
        scales = node.op_type in ("Upsample", "Dropout")
        kind = ir.DataType.FLOAT if scales else (node.inputs[0] or node.outputs[0]).dtype
        kind = kind or ir.DataType.FLOAT
    else:
        kind = ir.DataType.INT64
        array = array.reshape(-1) if node.op_type == "TopK" else array
    name = names.fresh(f"{node.outputs[0].name}_{attribute.name}")
    tensor = ir.Tensor(array.astype(kind.numpy()), dtype=kind, name=name)
    shape, kind_type = ir.Shape(array.shape), ir.TensorType(kind)
    return ir.Value(name=name, shape=shape, type=kind_type, const_value=tensor)
