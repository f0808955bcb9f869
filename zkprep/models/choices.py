"""How many rows an integer input may choose among: what a made-up input has to keep to.

An input that picks rows of a table, as the input of an embedding does, is valid from 0 to the
table's last row. It is followed through operators that move its elements and leave them as they
are; where several tables are read, each of some elements, the smallest one bounds all.
"""

import onnx_ir as ir

_PICKS = frozenset(("Gather", "GatherElements"))
_MOVES = frozenset(
    (
        *("Cast", "Concat", "Expand", "Flatten", "Gather", "GatherElements", "Identity", "Reshape"),
        *("Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    )
)


def rows_chosen_among(value: ir.Value) -> int | None:
    """Rows of the smallest table that elements of `value` pick from; None where none is known."""
    bounds: list[int] = []
    seen: set[ir.Value] = set()
    open_values = [value]
    while open_values:
        one = open_values.pop()
        if one in seen:
            continue
        seen.add(one)
        for node, position in one.uses():
            if node.op_type in _PICKS and position == 1:
                bounds += _rows(node)
            elif node.op_type in _MOVES and (position == 0 or node.op_type == "Concat"):
                open_values += node.outputs
    return min(bounds, default=None)


def _rows(node: ir.Node) -> list[int]:
    """The size of the axis that `node` picks from, where it is known."""
    table = node.inputs[0]
    axis = node.attributes.get_int("axis", 0)
    if table is None or table.shape is None or not -len(table.shape) <= axis < len(table.shape):
        return []
    size = table.shape[axis]
    return [size] if isinstance(size, int) else []
