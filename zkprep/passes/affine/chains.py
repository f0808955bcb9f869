"""Chains: affine nodes in a row, each the only reader of the one before, composed into one map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.links import not_private
from zkprep.passes.affine.normal_form import Affine, Refusal, then
from zkprep.passes.affine.plan import Scope
from zkprep.passes.affine.recognise import AffineNode, recognise
from zkprep.passes.names import shown


@dataclass(frozen=True, slots=True)
class Chain:
    """Affine nodes in a row and what they compute together."""

    members: tuple[AffineNode, ...]
    affine: Affine

    @property
    def nodes(self) -> tuple[ir.Node, ...]:
        """The nodes, in order."""
        return tuple(one.node for one in self.members)

    @property
    def data(self) -> ir.Value:
        """What the first scales and shifts."""
        return self.members[0].data

    @property
    def output(self) -> ir.Value:
        """What the last makes."""
        return self.members[-1].node.outputs[0]


def collect(first: AffineNode, scope: Scope) -> Chain:
    """The longest chain from `first` on that is one affine map."""
    members, affine = [first], first.affine
    while True:
        value = members[-1].node.outputs[0]
        readers = value.consumers()
        if len(readers) != 1 or not_private(value, readers[0]) is not None:
            break
        following = affine_node(readers[0], scope)
        if not isinstance(following, AffineNode) or following.data is not value:
            break
        both = then(affine, following.affine)
        if both is None:
            break
        members.append(following)
        affine = both
    return Chain(tuple(members), affine)


def affine_node(node: ir.Node, scope: Scope) -> AffineNode | Refusal | None:
    """`recognise`, but for shifts where the scope keeps them."""
    found = recognise(node, scope.constants, scope.opset)
    kept = scope.keeps_shifts and isinstance(found, AffineNode) and _is_shift(found.affine)
    return None if kept else found


def _is_shift(affine: Affine) -> bool:
    """Whether the map is one factor 2**-j, j > 0."""
    if affine.scale.size != 1 or affine.shifts:
        return False
    factor, _ = np.frexp(affine.scale.item())
    return bool(factor == 0.5 and affine.scale.item() < 1)


def shown_all(nodes: Sequence[ir.Node]) -> str:
    """The nodes as a user reads them."""
    return ", ".join(shown(node) for node in nodes)


def kinds(nodes: Sequence[ir.Node]) -> str:
    """Their operators."""
    return ", ".join(node.op_type for node in nodes)
