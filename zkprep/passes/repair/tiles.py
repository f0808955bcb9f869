"""EZKL rejects Tile: the copies are gathered, axis by axis.

With n elements along an axis and r copies, output j is input j mod n. A Gather with constant places
costs no cells. Source: ONNX operator Tile.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class GatherTiles:
    """No Tile with constant repeats is left."""

    name: ClassVar[str] = "gather-tiles"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the copies as Gathers."""
        return repair(model, "Tile gathered", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    if node.op_type != "Tile":
        return None
    data, repeats = operand(node, 0), known(operand(node, 1))
    if data is None or repeats is None:
        return "its repeats are not constant"
    result = data
    for axis, (size, times) in enumerate(zip(sizes(data), repeats.tolist(), strict=True)):
        if times != 1:
            result = draft.gather(result, axis, np.tile(np.arange(size), times))
    return draft.op("Identity", data) if result is data else result
