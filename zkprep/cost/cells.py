"""Cells of every node of a model, predicted without EZKL: what a cut or a pass is worth.

The model is walked in EZKL's order and every node laid out on a count of cells, with the loader's
rewrites and scales. Exact for the operators of zkprep.cost.lowerings on models of fixed shapes; an
operator that is not among them, or whose shapes are not known, is estimated as a ReLU and a rebase
per output element, with a dimension that is not known taken as 1. Also estimates: what tract moves
or doubles, see zkprep.cost.loader, is_unsettled.

Source: EZKL 23.0.5 `src/graph/model.rs` layout_nodes, dummy_layout; zkprep.cost.walk.
"""

from dataclasses import dataclass, fields
from typing import Any

import onnx_ir as ir

from zkprep.circuit import CircuitSpec
from zkprep.cost.laid import Laid
from zkprep.cost.walk import walk


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one node, by what they are for.

    Attributes:
        multiply: products and sums: linear operators and elementwise arithmetic.
        rebase: divisions back to a scale, and products that bring operands to one scale.
        activation: nonlinear functions of single elements, comparisons, Softmax.
        pooling: pooling and reductions.
        other: moved tensors, normalisations, operators that are not known.
        known: False when any of it is an estimate.
    """

    multiply: int = 0
    rebase: int = 0
    activation: int = 0
    pooling: int = 0
    other: int = 0
    known: bool = True

    @property
    def total(self) -> int:
        """All of them."""
        return self.multiply + self.rebase + self.activation + self.pooling + self.other


_COUNTS = tuple(field.name for field in fields(Cells) if field.name != "known")


def predict(model: ir.Model, spec: CircuitSpec, *, apart: bool = False) -> dict[str, Cells]:
    """Cells of every node by name, the boundary left out; `apart` as of `zkprep.cost.walk.walk`.

    Never fails: what is not known is estimated and flagged. A node that EZKL's loader drops or
    folds into another has none. Where a tensor of odd size leaves a row half full, the rest of the
    row counts to the node behind it.
    """
    made = {node.name or "": Cells() for node in model.graph}
    for laid in walk(model, spec, apart=apart).nodes:
        made[laid.name] = _together(made.get(laid.name, Cells()), _cells(laid))
    return made


def assignments(model: ir.Model, spec: CircuitSpec) -> int:
    """The `total_assignments` that gen_settings would report: all nodes and the boundary."""
    return walk(model, spec).total


def boundary(elements: int, side: str, spec: CircuitSpec) -> int:
    """Cells for `elements` boundary elements on `side`, "input" or "output" of a slice."""
    return elements * (boundary_input(spec) if side == "input" else boundary_output(spec))


def boundary_input(spec: CircuitSpec) -> int:
    """Cells per element of a slice's input: one decomposition, whatever its visibility."""
    return decomposition(spec) if spec.checks_boundary else 1


def boundary_output(spec: CircuitSpec) -> int:
    """Cells per element of a slice's output: two decompositions and an equality if it is public."""
    if spec.output_visibility != "public":
        return 0
    return 2 * decomposition(spec) + 1 if spec.checks_boundary else 1


def decomposition(spec: CircuitSpec) -> int:
    """D: sign and digits, a range check each, the recomposing dot product, sign and equality."""
    rows = -(-spec.decomp_legs // spec.num_inner_cols)
    return 2 * spec.decomp_legs + 4 + spec.num_inner_cols * rows


def division(spec: CircuitSpec) -> int:
    """Cells to divide a value back to a scale: three decompositions, and what compares them."""
    return 3 * decomposition(spec) + 16


def _cells(laid: Laid) -> Cells:
    own: dict[str, Any] = {laid.category: laid.cells - laid.rebased}
    return Cells(rebase=laid.rebased, known=laid.known, **own)


def _together(one: Cells, other: Cells) -> Cells:
    sums = {name: getattr(one, name) + getattr(other, name) for name in _COUNTS}
    return Cells(known=one.known and other.known, **sums)
