"""Convolutions and pools say their window in full: EZKL reads no default of strides or pads.

kernel_shape comes from the weight, strides and dilations default to 1, pads to 0, group to 1.
auto_pad becomes explicit pads. With input size i, stride s and kernel k, SAME means
    Conv and pools:  o = ceil(i / s),  total = max(0, (o - 1) * s + k - i)
    ConvTranspose:   o = i * s, or output_shape,  total = s * (i - 1) + k - o
The odd unit of `total` goes to the end for SAME_UPPER and to the start otherwise.
Sources: ONNX operators Conv, ConvTranspose, MaxPool, AveragePool; the split of the odd unit as ONNX
Runtime does it, since the wording of ConvTranspose changed over the versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from zkprep.passes.base import PassResult, Site
from zkprep.passes.opset import standard_opset

# Operator -> first opset in which it has dilations.
_DILATIONS_SINCE = {"Conv": 1, "ConvTranspose": 1, "MaxPool": 10, "AveragePool": 19}


@dataclass(frozen=True, slots=True)
class ExplicitWindows:
    """Conv, ConvTranspose, MaxPool and AveragePool have every attribute of their window."""

    name: ClassVar[str] = "explicit-windows"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write the attributes that are missing; needs static shapes for auto_pad."""
        result = model.clone()
        opset = standard_opset(result)
        sites = []
        for graph in result.graphs():
            for node in graph:
                if node.domain == "" and node.op_type in _DILATIONS_SINCE:
                    sites += _complete(node, opset)
        return PassResult(result, tuple(sites))


def _complete(node: ir.Node, opset: int) -> list[Site]:
    """Write what is missing in `node`; the site of it, if anything was."""
    kernel = kernel_of(node)
    if kernel is None:
        weight = node.inputs[1].name if len(node.inputs) > 1 and node.inputs[1] else ""
        reason = f"the shape of its weight '{weight}' is not known"
        return [Site("window made explicit", (str(node.name),), reason)]
    ones = [1] * len(kernel)
    wanted: dict[str, Sequence[int] | int] = {
        "kernel_shape": kernel,
        "strides": node.attributes.get_ints("strides", ones),
    }
    if opset >= _DILATIONS_SINCE[node.op_type]:
        wanted["dilations"] = node.attributes.get_ints("dilations", ones)
    if node.op_type in ("Conv", "ConvTranspose"):
        wanted["group"] = node.attributes.get_int("group", 1)
    pads = explicit_pads(node, kernel)
    if isinstance(pads, list):
        wanted["pads"] = pads
    missing = [name for name in wanted if name not in node.attributes]
    settled = isinstance(pads, list) and {"auto_pad", "output_shape"} & set(node.attributes)
    sites = []
    if isinstance(pads, str):
        sites.append(Site("auto_pad made explicit", (str(node.name),), pads))
    if missing or settled:
        _write(node, wanted, settled=bool(settled))
        sites.append(Site("window made explicit", (str(node.name),)))
    return sites


def _write(node: ir.Node, wanted: dict[str, Sequence[int] | int], *, settled: bool) -> None:
    if settled:
        if _auto_pad(node).startswith("SAME"):
            # SAME fixes the output size by itself; with explicit pads ceil_mode would add to it.
            node.attributes.pop("ceil_mode", None)
        node.attributes.pop("auto_pad", None)
        node.attributes.pop("output_shape", None)
    for name, value in wanted.items():
        if isinstance(value, int):
            node.attributes[name] = ir.AttrInt64(name, value)
        else:
            node.attributes[name] = ir.AttrInt64s(name, value)


def kernel_of(node: ir.Node) -> list[int] | None:
    """The size of the window along each spatial axis; None where it is not known."""
    given = node.attributes.get_ints("kernel_shape")
    if given is not None:
        return list(given)
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if weight is None or weight.shape is None or not weight.shape.is_static():
        return None
    return list(weight.shape.numpy()[2:])


def _auto_pad(node: ir.Node) -> str:
    return str(node.attributes.get_string("auto_pad", "NOTSET"))


def explicit_pads(node: ir.Node, kernel: Sequence[int]) -> list[int] | str:
    """The pads as a list, starts first; or why auto_pad or output_shape has to stay.

    Args:
        node: a convolution or a pool.
        kernel: the size of its window along each spatial axis.
    """
    zeros = [0] * (2 * len(kernel))
    mode, sizes = _auto_pad(node), node.attributes.get_ints("output_shape")
    if sizes is None and mode == "NOTSET":
        return list(node.attributes.get_ints("pads", zeros))
    if sizes is None and mode == "VALID":
        return zeros
    for name, neutral in (("dilations", 1), ("output_padding", 0)):
        if any(value != neutral for value in node.attributes.get_ints(name, ())):
            return f"auto_pad {mode} with {name} means different things to different runtimes"
    data = node.inputs[0]
    if data is None or data.shape is None or not ir.Shape(data.shape[2:]).is_static():
        return f"auto_pad {mode} needs the size of its input, which is not fixed"
    return _same_pads(node, kernel, ir.Shape(data.shape[2:]).numpy(), mode)


def _same_pads(
    node: ir.Node, kernel: Sequence[int], inputs: Sequence[int], mode: str
) -> list[int] | str:
    """Pads that give the output size of SAME, or of output_shape; or why there are none."""
    strides = node.attributes.get_ints("strides", [1] * len(kernel))
    given = node.attributes.get_ints("output_shape")
    outputs = [None] * len(kernel) if given is None else given[-len(kernel) :]
    totals = [
        _total(node.op_type, *sizes) for sizes in zip(inputs, kernel, strides, outputs, strict=True)
    ]
    if min(totals) < 0:
        return "its output is larger than its input reaches, which no pads say"
    short = [total // 2 for total in totals]
    long = [total - half for total, half in zip(totals, short, strict=True)]
    return [*short, *long] if mode == "SAME_UPPER" else [*long, *short]


def _total(op_type: str, size: int, kernel: int, stride: int, output: int | None) -> int:
    """Padding of one axis, both ends together; negative when no padding gives that output."""
    if op_type == "ConvTranspose":
        return stride * (size - 1) + kernel - (size * stride if output is None else output)
    return max(0, (-(-size // stride) - 1) * stride + kernel - size)
