"""A spatial Conv between pointwise Convs keeps its batch axis.

    Conv(x) = Conv(Gather(x, [0, 1, ..., C - 1], axis=1))

EZKL's loader turns an unpadded Conv of kernel 1 and group 1 into an einsum and, between two of them
at batch 1, drops the batch axis of everything in between; EZKL's Conv then takes spatial axes for
channels and computes something else, or panics. Gathering every channel in order is the identity
and takes no cell, and the loader does not move the batch axis across it. Measured on EZKL 23.0.5:
tests/passes/circuit/test_batch_axis.py. Seen in the loader's table as `data_format=CHW`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import Names

RULE = "batch axis kept"


@dataclass(frozen=True, slots=True)
class KeepBatchAxis:
    """Every larger Conv between two pointwise Convs reads its input through a Gather."""

    name: ClassVar[str] = "keep-batch-axis"

    def __call__(self, model: ir.Model) -> PassResult:
        """Insert one Gather per tensor that such a Conv reads."""
        result = model.clone()
        names = Names(result)
        gathered: dict[ir.Value, ir.Value] = {}
        sites = []
        for node in between_pointwise(result.graph):
            source = node.inputs[0]
            if source is None or source.shape is None or not isinstance(source.shape[1], int):
                reason = "kept without a Gather: the number of its channels is not known"
                sites.append(Site(RULE, (str(node.name),), reason))
                continue
            if source in gathered or _is_gathered(source):
                node.replace_input_with(0, gathered.get(source, source))
                continue
            gather = _gather(source, source.shape[1], str(node.name), names, result.graph)
            result.graph.insert_before(node, gather)
            node.replace_input_with(0, gather.outputs[0])
            gathered[source] = gather.outputs[0]
            sites.append(Site(RULE, (str(node.name),), created=(str(gather.name),)))
        return PassResult(result, tuple(sites))


def between_pointwise(graph: ir.Graph) -> list[ir.Node]:
    """Convs of a larger kernel with a pointwise Conv both upstream and downstream, in order."""
    nodes = list(graph)
    before: set[ir.Node] = set()
    for node in nodes:
        made_by = (value.producer() for value in node.inputs if value is not None)
        if any(one is not None and (one in before or _is_pointwise(one)) for one in made_by):
            before.add(node)
    after: set[ir.Node] = set()
    for node in reversed(nodes):
        readers = (one for value in node.outputs for one in value.consumers())
        if any(one in after or _is_pointwise(one) for one in readers):
            after.add(node)
    return [node for node in nodes if _is_spatial(node) and node in before and node in after]


def _is_conv(node: ir.Node) -> bool:
    return node.domain == "" and node.op_type == "Conv"


def _is_spatial(node: ir.Node) -> bool:
    return _is_conv(node) and any(size > 1 for size in node.attributes.get_ints("kernel_shape", ()))


def _is_pointwise(node: ir.Node) -> bool:
    """Whether EZKL's loader makes an einsum of `node`; strides do not matter."""
    return (
        _is_conv(node)
        and all(size == 1 for size in node.attributes.get_ints("kernel_shape", (0,)))
        and not any(node.attributes.get_ints("pads", ()))
        and node.attributes.get_int("group", 1) == 1
    )


def _is_gathered(value: ir.Value) -> bool:
    node = value.producer()
    return node is not None and node.op_type == "Gather" and node.attributes.get_int("axis", 0) == 1


def _gather(source: ir.Value, channels: int, reader: str, names: Names, graph: ir.Graph) -> ir.Node:
    indices = ir.Value(
        name=names.fresh(f"{reader}_every_channel"),
        const_value=ir.tensor(np.arange(channels, dtype=np.int64)),
        shape=ir.Shape([channels]),
        type=ir.TensorType(ir.DataType.INT64),
    )
    graph.register_initializer(indices)
    output = ir.Value(name=names.fresh(f"{reader}_input"), shape=source.shape, type=source.type)
    return ir.node(
        "Gather",
        [source, indices],
        {"axis": 1},
        outputs=[output],
        name=names.fresh(f"{reader}_batch_axis"),
    )
