"""Graph surgery of a fusion: nothing keeps a name whose values changed, nothing loses one it needs.

Absorbed backward, the last tensor before the affine nodes takes over the name of their output,
whose values it now has; the tensors before it change their values and get fresh names. Absorbed
forward, the tensors after them change, up to the operator that absorbed, whose output stays. Where
only the scale is absorbed, an Add is left of the chain.
"""

import json
from collections.abc import Iterable, Sequence

import onnx_ir as ir

from zkprep.passes.affine import edits
from zkprep.passes.affine.chains import Chain
from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.edits import Edit
from zkprep.passes.affine.plan import Plan
from zkprep.passes.affine.recognise import AffineNode

# Metadata key under which an operator lists the nodes it absorbed, as a JSON list of names.
FUSED = "zkprep.fused"


def absorb_backward(chain: Chain, plan: Plan, graph: ir.Graph, constants: Constants) -> list[str]:
    """Do `plan` for a chain that goes into what makes its input; names of the nodes created."""
    _change(chain, plan, graph, constants)
    changed = [*(edit.node for edit in plan.edits), *plan.crossed]
    outputs = [node.outputs[0] for node in changed if node.outputs[0] is not chain.data]
    data = chain.data
    take_over(data, chain.output)
    remove(chain.members, constants)
    return _finish(plan, outputs, graph, constants)


def absorb_forward(chain: Chain, plan: Plan, graph: ir.Graph, constants: Constants) -> list[str]:
    """Do `plan` for a chain that goes into what reads its output; names of the nodes created."""
    _change(chain, plan, graph, constants)
    chain.output.replace_all_uses_with(chain.data)
    remove(chain.members, constants)
    return _finish(plan, [node.outputs[0] for node in plan.crossed], graph, constants)


def absorb_scale(chain: Chain, plan: Plan, graph: ir.Graph, constants: Constants) -> list[str]:
    """Do `plan` for the scale of a chain whose shift stays; the chain is left to be replaced."""
    _change(chain, plan, graph, constants)
    changed = [*(edit.node for edit in plan.edits), *plan.crossed]
    return _finish(plan, [node.outputs[0] for node in changed], graph, constants)


def take_over(value: ir.Value, old: ir.Value) -> None:
    """Put `value` in the place of `old` everywhere, name, type, shape and notes included."""
    name = old.name
    value.type, value.shape, value.doc_string = old.type, old.shape, old.doc_string
    value.metadata_props.update(old.metadata_props)
    value.meta.update(old.meta)
    old.replace_all_uses_with(value, replace_graph_outputs=True)
    old.name = None
    value.name = name


def note(node: ir.Node, absorbed: Iterable[ir.Node]) -> None:
    """Write on `node` which nodes it absorbed, and which those had absorbed before."""
    names = json.loads(node.metadata_props.get(FUSED, "[]"))
    for one in absorbed:
        names += [*json.loads(one.metadata_props.get(FUSED, "[]")), one.name]
    node.metadata_props[FUSED] = json.dumps(names)


def remove(members: Sequence[AffineNode], constants: Constants) -> None:
    """Remove affine nodes that nothing reads any more, and the constants only they read."""
    for one in reversed(members):
        inputs = [value for value in one.node.inputs if value is not one.data]
        assert one.node.graph is not None
        one.node.graph.remove(one.node, safe=True)
        for value in inputs:
            constants.drop_if_unread(value)


def remove_before(first: ir.Node, second: ir.Node, graph: ir.Graph, constants: Constants) -> None:
    """Remove `first`, whose only reader `second` reads its data from now on."""
    data, *rest = first.inputs
    second.replace_input_with(0, data)
    graph.remove(first, safe=True)
    for value in rest:
        constants.drop_if_unread(value)


def _change(chain: Chain, plan: Plan, graph: ir.Graph, constants: Constants) -> None:
    for edit in plan.adjusted:
        edits.apply(edit, graph, constants)
    for edit in plan.edits:
        edits.apply(edit, graph, constants)
        note(edit.node, chain.nodes)


def _finish(
    plan: Plan, changed: Iterable[ir.Value], graph: ir.Graph, constants: Constants
) -> list[str]:
    """Rename the tensors whose values changed, then add what has no bias to go to."""
    for value in changed:
        value.name = constants.fresh(f"{value.name}_fused")
    return [add_after(edit, graph, constants) for edit in plan.edits if edit.addend is not None]


def add_after(edit: Edit, graph: ir.Graph, constants: Constants) -> str:
    """Insert the Add of the edit's addend behind its node; the name of the Add."""
    assert edit.addend is not None
    node, product = edit.node, edit.node.outputs[0]
    name = constants.fresh(f"{node.name}_shift")
    addend = constants.write(graph, f"{name}_values", edit.addend.exact, edit.dtype)
    add = ir.Node("", "Add", [None, addend], num_outputs=1, name=name)
    take_over(add.outputs[0], product)
    product.name = constants.fresh(f"{add.outputs[0].name}_product")
    add.replace_input_with(0, product)
    graph.insert_after(node, add)
    return name
