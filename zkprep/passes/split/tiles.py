"""An operator by regions of its output: channels, groups, rows, columns, tiles with their halo.

    y = Concat(y[r_1], ..., y[r_n])        y[r] = op'(x[r'])        by the rule of each operator

The r_i tile y. Every part has the operator's own arithmetic for its elements: nothing is summed in
another order. Several operators that make y together (a Conv and its BatchNormalization before they
are fused) are split together, the region of each following from that of the ones that read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.errors import InputError
from zkprep.passes.base import PassResult, Site
from zkprep.passes.split.pieces import Pieces
from zkprep.passes.split.regions import Region, grid, hull, shape_of, sizes, whole, within
from zkprep.passes.split.restrictions import Restriction
from zkprep.passes.split.rules import restrict
from zkprep.passes.split.targets import REGIONS, Found, Target, existing, find, remove

RULE = "split into tiles"


@dataclass(frozen=True, slots=True)
class SplitIntoTiles:
    """Every target is made part by part.

    Attributes:
        targets: in the model's order.
    """

    targets: tuple[Target, ...]
    name: ClassVar[str] = "split-into-tiles"

    def __call__(self, model: ir.Model) -> PassResult:
        """Split; a site per part, and one for what takes regions and joins parts.

        Raises:
            InputError: a target cannot be split so.
        """
        result = model.clone()
        pieces = Pieces(result)
        sites: list[Site] = []
        for target in self.targets:
            sites += _split(result.graph, target, pieces)
        pieces.drop_unread()
        return PassResult(result, existing(result.graph, sites))


def tiles(shape: Sequence[int], target: Target) -> list[Region]:
    """The regions a target's tensor is split into.

    Raises:
        InputError: they are none.
    """
    cuts = dict(target.split.cuts)
    for axis, places in cuts.items():
        ordered = sorted({0, *places, shape[axis]}) if axis < len(shape) else []
        if ordered != [0, *places, shape[axis] if axis < len(shape) else 0] or not places:
            raise InputError(
                f"cannot split '{target.split.tensor}' of shape {list(shape)} at {list(places)} "
                f"of axis {axis}"
            )
    return grid(shape, cuts)


def part(
    found: Found, region: Region, pieces: Pieces, suffix: str, output: ir.Value
) -> ir.Value | str:
    """The nodes that make `region` of the found tensor, or why there are none.

    Args:
        found: the nodes and their tensor.
        region: of the tensor.
        pieces: regions at hand; the new nodes go there.
        suffix: of the names of nodes and tensors.
        output: what the region becomes.
    """
    wanted = demands(found, region)
    if isinstance(wanted, str):
        return wanted
    made: dict[ir.Value, ir.Value] = {}
    for node in found.nodes:
        value = node.outputs[0]
        if value not in wanted:
            continue
        held, restriction = wanted[value]
        inputs = [
            None if one is None else _input(one, need, wanted, made, pieces)
            for one, need in zip(node.inputs, restriction.inputs, strict=True)
        ]
        made[value] = pieces.node(
            node.op_type,
            inputs,
            {**node.attributes, **restriction.attributes},
            output
            if value is found.tensor
            else pieces.value(f"{value.name}{suffix}", sizes(held), value),
            f"{node.name}{suffix}",
        )
    return made[found.tensor]


Demands = dict[ir.Value, tuple[Region, Restriction]]


def demands(found: Found, region: Region) -> Demands | str:
    """For every tensor inside that the region depends on: which region of it, and what that takes.

    From the last node back: a tensor that several read has to hold what each of them needs.
    """
    wanted: dict[ir.Value, Region] = {found.tensor: region}
    made: Demands = {}
    inside = {node.outputs[0] for node in found.nodes}
    for node in reversed(found.nodes):
        value = node.outputs[0]
        if value not in wanted:
            continue
        restriction = restrict(node, wanted[value])
        if isinstance(restriction, str):
            return restriction
        made[value] = (wanted[value], restriction)
        for one, need in zip(node.inputs, restriction.inputs, strict=True):
            if one is not None and one in inside:
                full = need or whole(shape_of(one))
                wanted[one] = hull(wanted[one], full) if one in wanted else full
    return made


def regions_read(found: Found, made: Demands) -> list[tuple[ir.Value, Region]]:
    """The regions of tensors that a part reads from outside, constants left out, in order."""
    inside = {node.outputs[0] for node in found.nodes}
    read = [
        (value, need or whole(shape_of(value)))
        for node in found.nodes
        if node.outputs[0] in made
        for value, need in zip(node.inputs, made[node.outputs[0]][1].inputs, strict=True)
        if value is not None and value not in inside and not value.is_initializer()
    ]
    return list(dict.fromkeys(read))


def _input(
    value: ir.Value,
    need: Region | None,
    wanted: Demands,
    made: dict[ir.Value, ir.Value],
    pieces: Pieces,
) -> ir.Value:
    if value in made:
        held, _ = wanted[value]
        return pieces.take(made[value], within(need or whole(shape_of(value)), held))
    return value if need is None else pieces.take(value, need)


def _split(graph: ir.Graph, target: Target, pieces: Pieces) -> list[Site]:
    found = find(graph, target)
    tensor = found.tensor
    parts, sites = [], []
    for index, region in enumerate(tiles(shape_of(tensor), target)):
        output = pieces.value(f"{tensor.name}.part{index}", sizes(region), tensor)
        made = part(found, region, pieces, f".part{index}", output)
        if isinstance(made, str):
            raise InputError(f"cannot split what makes '{tensor.name}': {made}")
        parts.append((region, made))
        own, others = pieces.inserted(found.last, f".part{index}")
        sites.append(Site(RULE, target.nodes if index == 0 else (), created=tuple(own)))
        sites += [Site(REGIONS, (), created=(name,)) for name in others]
    whole_again = ir.Value(shape=tensor.shape, type=tensor.type)
    pieces.split(tensor, parts, whole_again)
    sites += [Site(REGIONS, (), created=(name,)) for name in pieces.inserted(found.last)[1]]
    tensor.replace_all_uses_with(whole_again, replace_graph_outputs=True)
    name = tensor.name
    remove(graph, found.nodes)
    whole_again.name = name
    return sites
