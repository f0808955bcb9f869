"""A chain that goes nowhere becomes as few nodes as it can: one BatchNormalization, or Mul and Add.

A BatchNormalization in the chain takes the whole of it: gamma = scale * sqrt(var + e) and
beta = shift + mean * scale, with mean, var and e as they are. Without one, a Mul is left if
anything scales, then an Add if anything shifts; they have the names of the chain's last nodes.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine import edits
from zkprep.passes.affine.chains import Chain
from zkprep.passes.affine.constants import Constants, Recipe, cast
from zkprep.passes.affine.edits import Edit, Folded
from zkprep.passes.affine.normal_form import Affine, Array, Refusal
from zkprep.passes.affine.recognise import statistics
from zkprep.passes.affine.rewiring import note, remove, take_over

# Operators with the constant each of them has, shaped to broadcast.
Arithmetic = list[tuple[str, Array]]


def compact(chain: Chain, graph: ir.Graph, constants: Constants) -> bool:
    """Shorten `chain` if that is possible; whether it was."""
    if len(chain.nodes) == 1:
        return False
    norm = next((n for n in chain.nodes if n.op_type == "BatchNormalization"), None)
    if norm is not None:
        return _into_norm(chain, norm, graph, constants)
    parts = arithmetic(chain.affine, chain.data)
    if not parts or len(parts) >= len(chain.nodes):
        return False
    names = [str(node.name) for node in chain.nodes[-len(parts) :]]
    replace_by(chain, parts, names, graph, constants)
    return True


def arithmetic(affine: Affine, data: ir.Value) -> Arithmetic | None:
    """`affine` of `data` as Mul and Add, or None where their constants cannot be written."""
    if data.dtype is None or data.shape is None:
        return None
    shape = () if affine.axis is None else (-1,) + (1,) * (len(data.shape) - 1 - affine.axis)
    parts = [("Mul", affine.scale)] * affine.scales + [("Add", affine.shift)] * affine.shifts
    if any(np.any(np.isinf(cast(values, data.dtype))) for _, values in parts):
        return None
    return [(op_type, values.reshape(shape)) for op_type, values in parts]


def replace_by(
    chain: Chain, parts: Arithmetic, names: Sequence[str], graph: ir.Graph, constants: Constants
) -> None:
    """Put `parts`, as nodes called `names`, in the place of `chain`."""
    value, nodes, data = chain.data, [], chain.data
    assert data.dtype is not None
    for (op_type, values), name in zip(parts, names, strict=True):
        constant = constants.write(graph, f"{name}_values", Recipe.of(values), data.dtype)
        node = ir.Node("", op_type, [value, constant], num_outputs=1, name=name)
        nodes.append(node)
        value = node.outputs[0]
        value.name = constants.fresh(f"{name}_output")
        value.type, value.shape = data.type, data.shape
    note(nodes[-1], [one for one in chain.nodes if one.name not in names])
    graph.insert_after(chain.nodes[-1], nodes)
    take_over(value, chain.output)
    remove(chain.members, constants)


def _into_norm(chain: Chain, norm: ir.Node, graph: ir.Graph, constants: Constants) -> bool:
    mean, width = statistics(norm, constants)
    channels = np.arange(mean.size)
    scale, shift = chain.affine.over(mean.size)
    gamma = Folded.of(scale * np.sqrt(width), channels)
    beta = Folded.of(shift + mean * scale, channels)
    edit = edits.checked(Edit(norm, 1, {1: gamma, 2: beta}))
    if isinstance(edit, Refusal):
        return False
    edits.apply(edit, graph, constants)
    others = [one for one in chain.members if one.node is not norm]
    note(norm, [one.node for one in others])
    norm.replace_input_with(0, chain.data)
    if chain.output is not norm.outputs[0]:
        take_over(norm.outputs[0], chain.output)
    remove(others, constants)
    return True
