"""An operator by what it sums over: input channels of a Conv, inner places of a product.

    y = s_n        s_1 = op(x[:, c_1], W[:, c_1]) + bias
                   s_j = s_(j-1) + op(x[:, c_j], W[:, c_j])

where the c_j part the channels. Every partial sum is a tensor of the model, made by one part and
read by the next, so that a link carries it: no addition is left outside the proofs. The order of
summation changes, so the result is exact to rounding. Source: ONNX operators Conv, Gemm, MatMul.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.passes.base import PassResult, Site
from zkprep.passes.split.pieces import Pieces
from zkprep.passes.split.regions import Interval, Region, intervals, shape_of, whole, with_axis
from zkprep.passes.split.targets import REGIONS, Target, find, remove

RULE = "split into sums"


@dataclass(frozen=True, slots=True)
class SplitIntoSums:
    """Every target is a chain of partial sums.

    Attributes:
        targets: in the model's order.
    """

    targets: tuple[Target, ...]
    name: ClassVar[str] = "split-into-sums"

    def __call__(self, model: ir.Model) -> PassResult:
        """Split; a site per part, and one for what takes regions.

        Raises:
            InputError: a target cannot be split so.
        """
        result = model.clone()
        pieces = Pieces(result)
        sites: list[Site] = []
        for target in self.targets:
            sites += _split(result.graph, target, pieces)
        return PassResult(result, tuple(sites))


@dataclass(frozen=True, slots=True)
class Summing:
    """A node that sums: the axes of its two operands that it sums over, and how many terms."""

    node: ir.Node
    axes: tuple[int, int]
    terms: int

    @property
    def reads(self) -> list[tuple[str, int]]:
        """Its operands that are no constants, by name, with the axis that is summed."""
        pairs = zip(self.node.inputs[:2], self.axes, strict=True)
        return [(str(v.name), axis) for v, axis in pairs if v and not v.is_initializer()]

    def read(self, term: Interval) -> list[tuple[ir.Value, Region]]:
        """The regions that a term reads of them."""
        return [
            (value, with_axis(whole(shape_of(value)), axis, term))
            for value, axis in zip(self.node.inputs[:2], self.axes, strict=True)
            if value is not None and not value.is_initializer()
        ]


def summing(nodes: Sequence[ir.Node]) -> Summing | str:
    """The one node among `nodes` that sums and reads nothing that another of them makes."""
    axes = [(node, _axes(node)) for node in nodes]
    found = [Summing(node, own, shape_of(_data(node))[own[0]]) for node, own in axes if own]
    if len(found) != 1:
        return "there is no one Conv in one group, Gemm or MatMul to part"
    producers = {value.producer() for value in found[0].node.inputs if value is not None}
    if producers & set(nodes):
        return f"'{found[0].node.name}' reads what is rewritten together with it"
    return found[0]


def _data(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    assert value is not None
    return value


def _axes(node: ir.Node) -> tuple[int, int] | None:
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Conv" and node.attributes.get_int("group", 1) == 1:
        return 1, 1
    if node.op_type == "Gemm":
        left, right = (node.attributes.get_int(name, 0) for name in ("transA", "transB"))
        return 1 - left, right
    if node.op_type == "MatMul":
        ranks = [len(shape_of(value)) for value in node.inputs if value is not None]
        return (ranks[0] - 1, ranks[1] - 2) if min(ranks) > 1 else None
    return None


def _split(graph: ir.Graph, target: Target, pieces: Pieces) -> list[Site]:
    found = find(graph, target)
    one, places = summing(found.nodes), target.split.summed
    if isinstance(one, str):
        raise InputError(f"cannot split what makes '{target.split.tensor}': {one}")
    if [0, *places, one.terms] != sorted({0, *places, one.terms}):
        raise InputError(f"cannot split '{one.node.name}' at {list(places)} of {one.terms} terms")
    node, tensor = one.node, one.node.outputs[0]
    later = [other for other in found.nodes if other is not node]
    terms = intervals(one.terms, places)
    sites: list[Site] = []
    total: ir.Value | None = None
    for index, term in enumerate(terms):
        operands = _operands(one, term, pieces)
        shared = [str(new.name) for new in pieces.new]
        last = index == len(terms) - 1
        total = _add(one, operands, total, pieces, (str(found.tensor.name), index, last))
        mine = [str(new.name) for new in pieces.new[len(shared) :]]
        pieces.inserted(node)
        rest = [f"{other.name}.part{index}" for other in later] if last else []
        sites.append(Site(RULE, () if index else target.nodes, created=(*mine, *rest)))
        sites += [Site(REGIONS, (), created=(name,)) for name in shared]
    assert total is not None
    name = str(tensor.name)
    tensor.replace_all_uses_with(total, replace_graph_outputs=True)
    remove(graph, [node])
    total.name = name
    for other in later:
        other.name = f"{other.name}.part{len(terms) - 1}"
    return sites


def _operands(one: Summing, term: Interval, pieces: Pieces) -> list[ir.Value]:
    """Both operands at the places of one term."""
    return [
        pieces.take(value, with_axis(whole(shape_of(value)), axis, term))
        for value, axis in zip(one.node.inputs[:2], one.axes, strict=True)
        if value is not None
    ]


def _add(
    one: Summing,
    operands: Sequence[ir.Value],
    total: ir.Value | None,
    pieces: Pieces,
    place: tuple[str, int, bool],
) -> ir.Value:
    """The sum so far and one term more; the last sum gets its name later."""
    node, tensor = one.node, one.node.outputs[0]
    stem, index, last = place
    shape, name = shape_of(tensor), f"{node.name}.part{index}"
    if total is None:
        first = pieces.value(f"{stem}.sum0", shape, tensor)
        every = [*operands, *node.inputs[2:]]
        return pieces.node(node.op_type, every, node.attributes, first, name)
    term = pieces.value(f"{stem}.term{index}", shape, tensor)
    pieces.node(node.op_type, operands, node.attributes, term, name)
    if last:
        added = ir.Value(shape=tensor.shape, type=tensor.type)
    else:
        added = pieces.value(f"{stem}.sum{index}", shape, tensor)
    return pieces.node("Add", [total, term], {}, added, f"{name}.add")
