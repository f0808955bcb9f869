"""A spatial Conv between pointwise Convs keeps its batch axis.

    Conv(x) = Conv(Gather(x, [0, 1, ..., C - 1], axis=1))

EZKL's loader turns an unpadded Conv of kernel 1 and group 1 into an einsum and, between two of them
at batch 1, drops the batch axis of everything in between; EZKL's Conv then takes spatial axes for
channels and computes something else, or panics. So it does between a product of matrices and a
Reshape that leaves the batch axis out. Gathering every channel in order is the identity
and takes no cell, and the loader does not move the batch axis across it. Measured on EZKL 23.0.5:
tests/passes/circuit/test_batch_axis.py. Seen in the loader's table as `data_format=CHW`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import Names

RULE = "batch axis kept"


@dataclass(frozen=True, slots=True)
class KeepBatchAxis:
    """Every larger Conv whose batch axis may be dropped reads its input through a Gather."""

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
    """Convs of a larger kernel in whose place the loader may drop the batch axis, in order."""
    nodes = list(graph)
    between = _behind(nodes, _is_pointwise) & _ahead(nodes, _is_pointwise)
    between |= _behind(nodes, _is_einsum) & _ahead(nodes, _drops_batch)
    return [node for node in nodes if _is_spatial(node) and node in between]


def _behind(nodes: list[ir.Node], kind: Callable[[ir.Node], bool]) -> set[ir.Node]:
    """The nodes with one of that kind upstream."""
    found: set[ir.Node] = set()
    for node in nodes:
        made_by = (value.producer() for value in node.inputs if value is not None)
        if any(one is not None and (one in found or kind(one)) for one in made_by):
            found.add(node)
    return found


def _ahead(nodes: list[ir.Node], kind: Callable[[ir.Node], bool]) -> set[ir.Node]:
    """The nodes with one of that kind downstream."""
    found: set[ir.Node] = set()
    for node in reversed(nodes):
        readers = (one for value in node.outputs for one in value.consumers())
        if any(one in found or kind(one) for one in readers):
            found.add(node)
    return found


def _is_einsum(node: ir.Node) -> bool:
    return _is_pointwise(node) or (node.domain == "" and node.op_type in ("Einsum", "MatMul"))


def _drops_batch(node: ir.Node) -> bool:
    """Whether `node` leaves out axes of size 1, the first among them, and nothing else."""
    if node.op_type not in ("Reshape", "Squeeze") or node.inputs[0] is None:
        return False
    shapes = node.inputs[0].shape, node.outputs[0].shape
    if not all(shape is not None and shape.is_static() for shape in shapes):
        return False
    old, new = (shape.numpy() for shape in shapes if shape is not None)
    same = [size for size in old if size != 1] == [size for size in new if size != 1]
    return same and len(new) < len(old) and old[0] == 1 and new[:1] != (1,)


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
