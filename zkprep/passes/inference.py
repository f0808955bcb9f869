"""Shapes and types of every tensor, by ONNX's own shape inference.

Recorded shapes of inner tensors are dropped first: one that went stale in an exporter contradicts
the truth, and makes tract fail. Names stay.
"""

import onnx
import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.files import first_line
from zkprep.models.limits import refuse_large, refuse_long_range
from zkprep.models.outline import outline

_STANDARD = ("", "ai.onnx", "ai.onnx.ml")


def infer_shapes(model: ir.Model) -> None:
    """Write inferred shapes and types on the values of `model`, in place.

    Raises:
        InputError: the operators contradict each other or the declared interface, or make a tensor
            that is too large.
    """
    found, reason = _strictly(model)
    if found is None:
        raise InputError(reason, hint="check the input shapes, and the dimensions given with --dim")
    refuse_large(found)
    _write(model, found, outputs=True)


def contradiction(model: ir.Model) -> str:
    """Where the operators contradict each other or the declared interface, as the checker sees it.

    Raises:
        InputError: a Range is too long to be looked at.
    """
    return _strictly(model, through_values=False)[1]


def _strictly(
    model: ir.Model, *, through_values: bool = True
) -> tuple[onnx.ModelProto | None, str]:
    """The outline of `model` with inferred shapes, or what contradicts what."""
    proto = _bounded(model)
    _drop_inner_shapes(proto.graph)
    try:
        inferred = onnx.shape_inference.infer_shapes(
            proto, check_type=True, strict_mode=True, data_prop=through_values
        )
    except Exception as error:  # noqa: BLE001 - onnx documents no closed set of errors
        return None, f"the shapes of the model do not fit its operators: {first_line(error)}"
    return inferred, ""


def record_shapes(model: ir.Model) -> None:
    """Write what can be inferred on the inner values of `model`, in place; the interface stays.

    Raises:
        InputError: a tensor is too large.
    """
    proto = _bounded(model)
    foreign = {o for node in proto.graph.node if node.domain not in _STANDARD for o in node.output}
    told = [value for value in proto.graph.value_info if value.name in foreign]
    _drop_inner_shapes(proto.graph)
    proto.graph.value_info.extend(told)
    try:
        found = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except Exception:  # noqa: BLE001 - as above; then what is recorded is all there is
        return
    refuse_large(found)
    _write(model, found, outputs=False)


def _bounded(model: ir.Model) -> onnx.ModelProto:
    """The outline of `model`, in which no Range is too long to be written out."""
    for node in model.graph.all_nodes():
        refuse_long_range(node)
    return outline(model)[0]


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
