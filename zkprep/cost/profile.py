"""Where the cells of circuits go: by operator, and by what they are for."""

from collections.abc import Iterable
from dataclasses import fields

import onnx_ir as ir

from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import Cells, predict
from zkprep.cost.walk import walk

BOUNDARY = "boundary"
"""The row of a profile for inputs and outputs of slices, and its one cause."""

CAUSES = ("multiply", "rebase", "activation", "pooling", "other", BOUNDARY)

Profile = dict[str, dict[str, int]]
"""Cells by operator type, then by cause."""

_OWN = tuple(field.name for field in fields(Cells) if field.name in CAUSES)


def profile(circuits: Iterable[tuple[ir.Model, CircuitSpec]]) -> Profile:
    """The cells of all circuits together, the operator with most cells first.

    What an operator became by a rewrite counts as what it is now: a maximum of two is a difference,
    a Relu and a sum.
    """
    found: Profile = {}
    for model, spec in circuits:
        cells = predict(model, spec)
        operators = {node.name: node.op_type for node in model.graph}
        for name, own in cells.items():
            row = found.setdefault(operators[name], dict.fromkeys(CAUSES, 0))
            for cause in _OWN:
                row[cause] += getattr(own, cause)
        row = found.setdefault(BOUNDARY, dict.fromkeys(CAUSES, 0))
        row[BOUNDARY] += walk(model, spec).total - sum(own.total for own in cells.values())
    kept = ((operator, row) for operator, row in found.items() if any(row.values()))
    return dict(sorted(kept, key=lambda item: (-sum(item[1].values()), item[0])))
