"""Optional inputs that are left out at the end of a node's list are not listed.

ONNX lets both be written; EZKL's importer takes an empty name at the end for an input that is
missing. Source: ONNX IR specification, optional inputs and outputs.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site


@dataclass(frozen=True, slots=True)
class DropTrailing:
    """No node ends its inputs with one that is left out."""

    name: ClassVar[str] = "drop-trailing"

    def __call__(self, model: ir.Model) -> PassResult:
        """Shorten the lists."""
        result = model.clone()
        sites = []
        for graph in result.graphs():
            for node in graph:
                count = len(node.inputs)
                while count and node.inputs[count - 1] is None:
                    count -= 1
                if count < len(node.inputs):
                    node.resize_inputs(count)
                    sites.append(Site("inputs left out at the end", (str(node.name),)))
        return PassResult(result, tuple(sites))
