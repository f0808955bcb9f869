"""Shapes and types of every tensor, by ONNX's own shape inference.

Recorded shapes of inner tensors are dropped first: one that went stale in an exporter contradicts
the truth, and makes tract fail. Names stay.
"""

import onnx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.outline import outline

_STANDARD = ("", "ai.onnx", "ai.onnx.ml")


def infer_shapes(model: ir.Model, *, outputs: bool = True) -> None:
    """Write inferred shapes and types on the values of `model`, in place.

    Args:
        model: its values are written on.
        outputs: whether those of graph outputs are, too, as far as they were symbols.

    Raises:
        InputError: the operators contradict each other or the declared interface.
    """
    proto, _ = outline(model)
    _drop_inner_shapes(proto.graph)
    try:
        found = onnx.shape_inference.infer_shapes(
            proto, check_type=True, strict_mode=True, data_prop=True
        )
    except Exception as error:  # noqa: BLE001 - onnx documents no closed set of errors
        raise InputError(
            f"the shapes of the model do not fit its operators: {first_line(error)}",
            hint="check the input shapes, and the dimensions given with --dim",
        ) from None
    _write(model, found, outputs=outputs)


def record_shapes(model: ir.Model) -> None:
    """Write what can be inferred on the inner values of `model`, in place; the interface stays."""
    proto, _ = outline(model)
    foreign = {o for node in proto.graph.node if node.domain not in _STANDARD for o in node.output}
    told = [value for value in proto.graph.value_info if value.name in foreign]
    _drop_inner_shapes(proto.graph)
    proto.graph.value_info.extend(told)
    try:
        found = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except Exception:  # noqa: BLE001 - as above; then what is recorded is all there is
        return
    _write(model, found, outputs=False)


def _write(model: ir.Model, found: onnx.ModelProto, *, outputs: bool) -> None:
    for graph, other in zip(model.graphs(), ir.from_proto(found).graphs(), strict=True):
        values = {output.name: output for node in other for output in node.outputs}
        for node in graph:
            for output in node.outputs:
                inferred = values.get(output.name) if output.name else None
                if inferred is not None and (outputs or not output.is_graph_output()):
                    output.shape = _merged(output, inferred.shape)
                    output.type = inferred.type or output.type


def _merged(value: ir.Value, inferred: ir.Shape | None) -> ir.Shape | None:
    """The inferred shape; an output of a graph keeps the symbols it was declared with."""
    declared = value.shape
    # The shape of a scalar is false, too.
    if inferred is None or declared is None:
        return declared if inferred is None else inferred
    if not value.is_graph_output() or len(declared) != len(inferred):
        return inferred
    pairs = zip(declared, inferred, strict=True)
    return ir.Shape([new if isinstance(new, int) else old for old, new in pairs])


def _drop_inner_shapes(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _drop_inner_shapes(inner)
