"""Floating-point numbers are single precision, in the model and at its interface.

Every tensor of type float16, bfloat16 or double becomes float32: what is narrower exactly, and
without the rounding between; what is wider by one rounding, after constants are folded in double.
A circuit computes in none of these types but in fixed point, whose steps are far coarser than those
of float32, and a proof's inputs and outputs are integers anyway. The interface becomes float32 too,
since EZKL's importer mixes the types up: an input is read in float32, and outputs are compared with
those of the model as given.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.retyping import Retyping

HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
DOUBLES = (ir.DataType.DOUBLE,)


@dataclass(frozen=True, slots=True)
class SinglePrecision:
    """No tensor is of one of `kinds`.

    Attributes:
        kinds: the types that become float32; what is beyond it becomes infinite, and is refused.
    """

    kinds: tuple[ir.DataType, ...]
    name: ClassVar[str] = "single-precision"
    coarsens: ClassVar[str] = "floating-point types"

    def __call__(self, model: ir.Model) -> PassResult:
        """Retype every tensor; no node comes or goes."""
        retyping = Retyping(self.kinds, ir.DataType.FLOAT)
        touched = [node for g in model.graphs() for node in g if retyping.concerns(node)]
        held = any(
            value.dtype in self.kinds
            for graph in model.graphs()
            for value in (*graph.inputs, *graph.initializers.values())
        )
        if not held and not touched:
            return PassResult(model.clone(), ())
        names = " and ".join(kind.name.lower() for kind in self.kinds)
        nodes = tuple(str(node.name) for node in touched if node.name)
        site = Site(f"computed in float32 instead of {names}", nodes)
        return PassResult(retyping.applied(model), (site,))
