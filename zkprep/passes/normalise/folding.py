"""Nodes whose inputs are all constant become their value; so does the Shape of a static tensor, and
a constant that is cast to the type of another tensor.

A node is evaluated alone by ONNX's reference evaluator, in its own opset and types. Folding stops
at `largest` elements, because the value is stored in the model. Shapes are inferred again after
each round that folded something: a folded Reshape target makes further shapes static.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.models.limits import SIZED_BY_INPUTS, refuse_long_range
from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import contradiction, record_shapes

# Random operators give another value each time; a Constant that is left is an output.
_NEVER = frozenset(
    (
        "Bernoulli",
        "Constant",
        "Dropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    )
)

Array = NDArray[Any]
# Constants of more elements than this say nothing about shapes.
_LARGEST_SHAPE = 4096


@dataclass(frozen=True, slots=True)
class FoldConstants:
    """No node is left whose outputs can be computed without the inputs of the model.

    Attributes:
        largest: most elements a folded tensor may have.
    """

    largest: int = 2**22
    name: ClassVar[str] = "fold-constants"

    def __call__(self, model: ir.Model) -> PassResult:
        """Fold until nothing folds any more.

        Raises:
            InputError: the constants make a tensor that is too large or not what is declared.
        """
        folded = model.clone()
        if _asks_for_unknown_shapes(folded):
            record_shapes(folded)
        applied: list[Site] = []
        while True:
            sites = [site for graph in folded.graphs() for site in self._sweep(folded, graph)]
            new = [site for site in sites if site.applied]
            if not new:
                break
            applied += new
            record_shapes(folded)
        if not applied:
            return PassResult(model.clone(), tuple(sites))
        if (reason := contradiction(folded)) and not contradiction(model):
            raise InputError(reason, hint="the constants of the model do not fit its interface")
        return PassResult(folded, (*applied, *sites))

    def _sweep(self, model: ir.Model, graph: ir.Graph) -> list[Site]:
        sites = []
        for node in graph:
            inputs = _constant_inputs(node)
            if inputs is None:
                continue
            reason = self._try_fold(model, graph, node, inputs)
            sites.append(Site(f"{node.op_type} of constants", (str(node.name),), reason))
        return sites

    def _why_too_large(
        self, node: ir.Node, alone: onnx.ModelProto, inputs: Sequence[Array | None]
    ) -> str:
        """Why `node` is not evaluated: it would hold too much, or nobody can tell before."""
        for name, size in _sizes(alone, inputs).items():
            if size is not None and size > self.largest:
                return f"'{name}' would hold {size} elements, more than {self.largest}"
            if size is None and node.op_type in SIZED_BY_INPUTS:
                return f"how many elements '{name}' would hold is not known"
        return ""

    def _try_fold(
        self, model: ir.Model, graph: ir.Graph, node: ir.Node, inputs: Sequence[Array | None]
    ) -> str:
        """Replace `node` by initializers, or say why not."""
        refuse_long_range(node)
        for output in node.outputs:
            if output.is_graph_output():
                return f"'{output.name}' is an output of its graph"
        alone = _alone(node, model.opset_imports, inputs)
        reason = self._why_too_large(node, alone, inputs)
        if reason:
            return reason
        try:
            values = _evaluate(alone, inputs)
        except Exception as error:  # noqa: BLE001 - any operator may raise anything
            return f"it could not be evaluated: {first_line(error)}"
        if not all(isinstance(value, np.ndarray | np.generic) for value in values):
            return "its value is no tensor"
        size = max(int(np.size(value)) for value in values)
        if size > self.largest:
            return f"it would hold {size} elements, more than {self.largest}"
        for output, value in zip(node.outputs, values, strict=True):
            if output.name:
                _replace(graph, output, np.asarray(value))
        graph.remove(node, safe=True)
        return ""


def _asks_for_unknown_shapes(model: ir.Model) -> bool:
    """Whether a node asks for a shape or type that the exporter did not record."""
    return any(
        node.op_type in ("Shape", "Size", "CastLike")
        and any(value is not None and None in (value.shape, value.dtype) for value in node.inputs)
        for graph in model.graphs()
        for node in graph
    )


def _constant_inputs(node: ir.Node) -> list[Array | None] | None:
    """The values of the node's inputs, or None when some are not known before the model runs."""
    if node.domain != "" or node.op_type in _NEVER or not node.inputs:
        return None
    if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in _attributes(node)):
        return None
    values: list[Array | None] = []
    for value in node.inputs:
        if value is None:
            values.append(None)
        elif (
            value.is_initializer() and not value.is_graph_input() and value.const_value is not None
        ):
            values.append(value.const_value.numpy())
        elif node.op_type == "CastLike" and values and value.dtype is not None:
            # Only the type is looked at.
            values.append(np.zeros((), value.dtype.numpy()))
        elif node.op_type in ("Shape", "Size") and value.shape is not None:
            if not value.shape.is_static() or value.dtype is None:
                return None
            # Only the shape is looked at: a view of one element takes no memory.
            values.append(np.broadcast_to(np.zeros((), value.dtype.numpy()), value.shape.numpy()))
        else:
            return None
    return values


def _attributes(node: ir.Node) -> list[ir.Attr]:
    return list(node.attributes.values())


def _alone(
    node: ir.Node, opset_imports: dict[str, int], inputs: Sequence[Array | None]
) -> onnx.ModelProto:
    """A model of `node` alone, whose inputs are those of the node that are there."""
    proto = ir.to_proto(node)
    given = {name: value for name, value in zip(proto.input, inputs, strict=True) if name}
    graph = onnx.helper.make_graph(
        [proto],
        "folded",
        [
            onnx.helper.make_tensor_value_info(
                name, ir.DataType.from_numpy(value.dtype).value, value.shape
            )
            for name, value in given.items()
            if value is not None
        ],
        [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in proto.output if name],
    )
    opsets = [onnx.helper.make_opsetid(d, v) for d, v in opset_imports.items()]
    return onnx.helper.make_model(graph, opset_imports=opsets)


def _sizes(alone: onnx.ModelProto, inputs: Sequence[Array | None]) -> dict[str, int | None]:
    """Elements of each output, as ONNX infers them from the inputs; None where it cannot tell."""
    probe = onnx.ModelProto()
    probe.CopyFrom(alone)
    for name, value in zip(alone.graph.node[0].input, inputs, strict=True):
        if name and value is not None and value.size <= _LARGEST_SHAPE:
            probe.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    try:
        found = onnx.shape_inference.infer_shapes(probe, data_prop=True)
    except Exception:  # noqa: BLE001 - onnx documents no closed set of errors
        return {output.name: None for output in alone.graph.output}
    sizes: dict[str, int | None] = {}
    for output in found.graph.output:
        kind = output.type.tensor_type
        known = kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim)
        dims = [dim.dim_value for dim in kind.shape.dim]
        sizes[output.name] = math.prod(dims) if known else None
    return sizes


def _evaluate(alone: onnx.ModelProto, inputs: Sequence[Array | None]) -> Sequence[Any]:
    """Outputs of the one node of `alone` on its `inputs`; None for those without a name."""
    node = alone.graph.node[0]
    feeds = {name: value for name, value in zip(node.input, inputs, strict=True) if name}
    with np.errstate(all="ignore"):
        values = ReferenceEvaluator(alone).run(None, feeds)
    found = dict(zip((output.name for output in alone.graph.output), values, strict=True))
    return [found.get(name) for name in node.output]


def _replace(graph: ir.Graph, output: ir.Value, value: Array) -> None:
    """Give the readers of `output` an initializer of its name instead."""
    dtype = output.dtype or ir.DataType.from_numpy(value.dtype)
    tensor = ir.tensor(value.astype(dtype.numpy()), dtype=dtype, name=output.name)
    initializer = ir.Value(
        name=output.name,
        shape=ir.Shape(value.shape),
        type=ir.TensorType(dtype),
        const_value=tensor,
        metadata_props=dict(output.metadata_props),
    )
    output.replace_all_uses_with(initializer)
    graph.register_initializer(initializer)
