"""Exporters write a bound that is none as the largest number of the type, which no circuit holds.

Clip(x, -m, m) with m infinite or the largest float32 is x. Source: ONNX operator Clip.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class OpenClips:
    """No Clip has a bound that bounds nothing."""

    name: ClassVar[str] = "open-clips"

    def __call__(self, model: ir.Model) -> PassResult:
        """Leave such bounds out."""
        return repair(model, "bound that is none left out", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | None:
    if node.op_type != "Clip":
        return None
    data, *bounds = (operand(node, position) for position in range(3))
    kept = [
        None if _bounds_nothing(bound, sign) else bound
        for bound, sign in zip(bounds, (-1, 1), strict=True)
    ]
    if kept == bounds:
        return None
    if not any(kept):
        return draft.op("Identity", data)
    return draft.op("Clip", data, *kept)


def _bounds_nothing(bound: ir.Value | None, sign: int) -> bool:
    value = known(bound)
    return value is not None and value.dtype.kind == "f" and bool(np.all(sign * value >= _LARGEST))
