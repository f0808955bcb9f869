"""Nodes whose inputs are all constant become their value; so does the Shape of a static tensor.

A node is evaluated alone by ONNX's reference evaluator, in its own opset and types. Folding stops
at `largest` elements, because the value is stored in the model. Shapes are inferred again after
each round that folded something: a folded Reshape target makes further shapes static.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from zkprep.files import first_line
from zkprep.passes.base import PassResult, Site
from zkprep.passes.inference import infer_shapes

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


@dataclass(frozen=True, slots=True)
class FoldConstants:
    """No node is left whose outputs can be computed without the inputs of the model.

    Attributes:
        largest: most elements a folded tensor may have.
    """

    largest: int = 2**22
    name: ClassVar[str] = "fold-constants"

    def __call__(self, model: ir.Model) -> PassResult:
        """Fold until nothing folds any more."""
        folded = model.clone()
        applied: list[Site] = []
        while True:
            sites = [site for graph in folded.graphs() for site in self._sweep(folded, graph)]
            new = [site for site in sites if site.applied]
            if not new:
                return PassResult(folded, (*applied, *sites))
            applied += new
            infer_shapes(folded, outputs=False)

    def _sweep(self, model: ir.Model, graph: ir.Graph) -> list[Site]:
        sites = []
        for node in graph:
            inputs = _constant_inputs(node)
            if inputs is None:
                continue
            reason = self._try_fold(model, graph, node, inputs)
            sites.append(Site(f"{node.op_type} of constants", (str(node.name),), reason))
        return sites

    def _try_fold(
        self, model: ir.Model, graph: ir.Graph, node: ir.Node, inputs: Sequence[Array | None]
    ) -> str:
        """Replace `node` by initializers, or say why not."""
        for output in node.outputs:
            if output.is_graph_output():
                return f"'{output.name}' is an output of its graph"
            if output.shape is not None and output.shape.is_static():
                size = int(np.prod(output.shape.numpy(), dtype=object))
                if size > self.largest:
                    return f"'{output.name}' would hold {size} elements, more than {self.largest}"
        try:
            values = _evaluate(node, model.opset_imports, inputs)
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


def _evaluate(
    node: ir.Node, opset_imports: dict[str, int], inputs: Sequence[Array | None]
) -> Sequence[Any]:
    """Outputs of `node` alone on `inputs`."""
    proto = ir.to_proto(node)
    feeds = {name: value for name, value in zip(proto.input, inputs, strict=True) if name}
    graph = onnx.helper.make_graph(
        [proto],
        "folded",
        [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in feeds],
        [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in proto.output if name],
    )
    opsets = [onnx.helper.make_opsetid(d, v) for d, v in opset_imports.items()]
    model = onnx.helper.make_model(graph, opset_imports=opsets)
    with np.errstate(all="ignore"):
        found = dict(
            zip(
                (o.name for o in graph.output),
                ReferenceEvaluator(model).run(None, feeds),
                strict=True,
            )
        )
    return [found.get(name) for name in proto.output]


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
