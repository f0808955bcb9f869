"""EZKL's importer takes a GatherND of some shapes only: constant places make it a Gather of rows.

Places name the first q axes behind the batch axes. With these axes made one, of the rows n, the
place (b, i[0], ..., i[q-1]) is row ravel(b, i): output = Reshape(Gather(Reshape(data, n x rest))).
Source: ONNX operator GatherND.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.passes.base import PassResult
from zkprep.passes.repair.draft import Draft, known, operand, repair, sizes


@dataclass(frozen=True, slots=True)
class GatherRows:
    """No GatherND with constant places is left."""

    name: ClassVar[str] = "gather-rows"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write each as a Gather."""
        return repair(model, "GatherND as a Gather of rows", _rule)


def _rule(node: ir.Node, draft: Draft) -> ir.Value | str | None:
    data, places = operand(node, 0), known(operand(node, 1))
    if node.op_type != "GatherND" or data is None:
        return None
    if places is None:
        return "the places it gathers are not constant"
    shape, batch = sizes(data), node.attributes.get_int("batch_dims", 0)
    named = batch + places.shape[-1]
    picked = np.moveaxis(places, -1, 0)
    counted = [np.mod(one, size) for one, size in zip(picked, shape[batch:named], strict=True)]
    around = np.indices(picked.shape[1:])[:batch]
    rows = np.ravel_multi_index([*around, *counted], shape[:named])
    rest = int(np.prod(shape[named:]))
    whole = draft.op("Reshape", data, draft.constant("rows", [int(np.prod(shape[:named])), rest]))
    found = draft.gather(whole, 0, rows.ravel())
    return draft.op("Reshape", found, draft.constant("shape", sizes(node.outputs[0])))
