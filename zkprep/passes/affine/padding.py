"""A Pad with zeros goes into the Conv that reads it: pads add up, those of auto_pad too.

Source: ONNX operators Pad (attribute `pads` before opset 11, inputs since) and Conv.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.affine.constants import Constants, stored
from zkprep.passes.affine.links import not_private
from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.affine.rewiring import note, remove_before
from zkprep.passes.affine.windows import pads_zeros, window_pads
from zkprep.passes.base import PassResult, Site
from zkprep.passes.names import shown


@dataclass(frozen=True, slots=True)
class MergePads:
    """No Pad with zeros is left before a Conv that can pad by itself."""

    name: ClassVar[str] = "merge-pads"

    def __call__(self, model: ir.Model) -> PassResult:
        """Add the pads of each Pad to those of the Conv that reads it."""
        result = model.clone()
        constants = Constants(result)
        graphs = list(result.graphs())
        return PassResult(
            result, tuple(s for graph in graphs for s in merge_pads(graph, constants))
        )


def merge_pads(graph: ir.Graph, constants: Constants) -> list[Site]:
    """Every Pad of `graph` into the Conv that reads it; or why not."""
    sites = []
    for node in tuple(graph):
        readers = node.outputs[0].consumers() if node.outputs else ()
        if not _is_pair(node, readers):
            continue
        names = (str(node.name), str(readers[0].name))
        reason = _merge_pad(node, readers[0], graph, constants)
        kept = f"kept {shown(node)} apart from {shown(readers[0])}: {reason}"
        sites.append(Site("Pad into Conv", names, kept if reason else ""))
    return sites


def _is_pair(node: ir.Node, readers: Sequence[ir.Node]) -> bool:
    if node.op_type != "Pad" or node.domain != "" or not readers:
        return False
    reader = readers[0]
    return reader.op_type == "Conv" and reader.domain == "" and reader.inputs[0] in node.outputs


def _merge_pad(pad: ir.Node, conv: ir.Node, graph: ir.Graph, constants: Constants) -> str:
    """Merge, or say why not."""
    refusal = not_private(pad.outputs[0], conv)
    spatial = refusal or _spatial_pads(pad)
    if isinstance(spatial, Refusal):
        return spatial.reason
    own = window_pads(conv)
    if isinstance(own, Refusal):
        return own.reason
    total = [one + other for one, other in zip(own or [0] * len(spatial), spatial, strict=True)]
    conv.attributes.pop("auto_pad", None)
    conv.attributes["pads"] = ir.AttrInt64s("pads", total)
    note(conv, [pad])
    remove_before(pad, conv, graph, constants)
    return ""


def _spatial_pads(pad: ir.Node) -> list[int] | Refusal:
    """The pads of the spatial axes, starts first, of a Pad that does nothing else."""
    shape = pad.outputs[0].shape
    amounts = None if shape is None else _amounts(pad, len(shape))
    if amounts is None:
        return Refusal("its pads are not constant")
    rank = len(amounts) // 2
    spatial = [*amounts[2:rank], *amounts[rank + 2 :]]
    if amounts[:2] + amounts[rank : rank + 2] != [0] * 4 or min(spatial, default=0) < 0:
        return Refusal("it does more than pad the spatial axes")
    return spatial if pads_zeros(pad) else Refusal("it pads with other values than 0")


def _amounts(pad: ir.Node, rank: int) -> list[int] | None:
    """What `pad` adds at the start of each axis, then at the end of each; None if not known."""
    given: Sequence[int] | None = pad.attributes.get_ints("pads")
    if given is None and len(pad.inputs) > 1:
        given = _stored_ints(pad.inputs[1])
    axes: Sequence[int] | None = range(rank)
    if len(pad.inputs) > 3 and pad.inputs[3] is not None:
        axes = _stored_ints(pad.inputs[3])
    if given is None or axes is None:
        return None
    amounts = [0] * (2 * rank)
    for position, axis in enumerate(axes):
        amounts[axis % rank] = given[position]
        amounts[rank + axis % rank] = given[len(axes) + position]
    return amounts


def _stored_ints(value: ir.Value | None) -> list[int] | None:
    tensor = None if value is None else stored(value)
    return None if tensor is None else [int(one) for one in tensor.numpy().ravel()]
