"""A chain that goes nowhere becomes as few nodes as it can: one BatchNormalization, or Mul and Add.

A BatchNormalization in the chain takes the whole of it: gamma = scale * sqrt(var + e) and
beta = shift + mean * scale, with mean, var and e as they are. Without one, a Mul is left if
anything scales, then an Add if anything shifts; they have the names of the chain's last nodes.
"""

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine import edits
from zkprep.passes.affine.chains import Chain
from zkprep.passes.affine.constants import Constants, cast
from zkprep.passes.affine.edits import Edit, Folded
from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.affine.recognise import statistics
from zkprep.passes.affine.rewiring import note, remove, take_over


def compact(chain: Chain, graph: ir.Graph, constants: Constants) -> bool:
    """Shorten `chain` if that is possible; whether it was."""
    norm = next((n for n in chain.nodes if n.op_type == "BatchNormalization"), None)
    if len(chain.nodes) == 1:
        return False
    if norm is not None:
        return _into_norm(chain, norm, graph, constants)
    return _into_arithmetic(chain, graph, constants)


def _into_norm(chain: Chain, norm: ir.Node, graph: ir.Graph, constants: Constants) -> bool:
    mean, width = statistics(norm, constants)
    channels = np.arange(mean.size)
    scale, shift = chain.affine.over(mean.size)
    gamma = Folded(scale * np.sqrt(width), channels)
    beta = Folded(shift + mean * scale, channels)
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


def _into_arithmetic(chain: Chain, graph: ir.Graph, constants: Constants) -> bool:
    affine, data = chain.affine, chain.data
    wanted = [("Mul", affine.scale)] * affine.scales + [("Add", affine.shift)] * affine.shifts
    if not 0 < len(wanted) < len(chain.nodes) or data.dtype is None or data.shape is None:
        return False
    shape = () if affine.axis is None else (-1,) + (1,) * (len(data.shape) - 1 - affine.axis)
    if any(np.any(np.isinf(cast(values, data.dtype))) for _, values in wanted):
        return False
    replaced = chain.nodes[-len(wanted) :]
    value, nodes = data, []
    for (op_type, values), old in zip(wanted, replaced, strict=True):
        constant = constants.write(graph, f"{old.name}_fused", values.reshape(shape), data.dtype)
        node = ir.Node("", op_type, [value, constant], num_outputs=1, name=old.name)
        note(node, [one for one in chain.nodes if one not in replaced])
        nodes.append(node)
        value = node.outputs[0]
        value.name = constants.fresh(f"{old.outputs[0].name}_fused")
        value.type, value.shape = data.type, data.shape
    graph.insert_after(chain.nodes[-1], nodes)
    take_over(value, chain.output)
    remove(chain.members, constants)
    return True
