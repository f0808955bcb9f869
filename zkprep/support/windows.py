"""Conditions on convolutions, pools, padding and resampling."""

import numpy as np
import onnx_ir as ir

from zkprep.support.values import known, never_negative, operand, sizes

_SLACK = 1e-6
"""Coordinates closer than this to an integer, or to a tie, count as that."""


def convolution(node: ir.Node, _opset: int) -> str:
    """Conv."""
    if set(node.attributes.get_ints("dilations", ())) - {1}:
        return "EZKL takes no dilated convolution"
    bias = operand(node, 2)
    return "its bias is not constant" if bias is not None and known(bias) is None else ""


def transposed_convolution(node: ir.Node, opset: int) -> str:
    """ConvTranspose."""
    kernel = sizes(operand(node, 1)) or ()
    strides = node.attributes.get_ints("strides", ())
    if any(stride > size for stride, size in zip(strides, kernel[2:], strict=False)):
        return "EZKL leaves out the gaps between windows that are further apart than they are wide"
    if node.attributes.get_int("group", 1) != 1:
        return "EZKL misreads the weights of a grouped ConvTranspose"
    if "auto_pad" in node.attributes or "output_shape" in node.attributes:
        return "its pads are not explicit"
    return convolution(node, opset)


def maximum_pool(node: ir.Node, opset: int) -> str:
    """MaxPool."""
    if len(node.outputs) > 1 and node.outputs[1].name:
        return "EZKL does not compute the indices of the maxima"
    if _is_padded(node) and not never_negative(operand(node, 0)):
        return "EZKL pads with 0, which is more than a negative maximum"
    return _pool(node, opset)


def average_pool(node: ir.Node, opset: int) -> str:
    """AveragePool."""
    if _is_padded(node) and node.attributes.get_int("count_include_pad", 0) == 0:
        return "EZKL counts the padding into the average"
    return _pool(node, opset)


def _pool(node: ir.Node, _opset: int) -> str:
    if set(node.attributes.get_ints("dilations", ())) - {1}:
        return "EZKL ignores the dilations of a pool"
    if _auto_pad(node) not in ("NOTSET", "VALID"):
        return "its auto_pad is not explicit"
    if node.attributes.get_int("ceil_mode", 0) and _adds_a_window(node):
        return "EZKL does not take the window that ceil_mode adds"
    return ""


def _adds_a_window(node: ir.Node) -> bool:
    before, after = sizes(operand(node, 0)), sizes(node.outputs[0])
    kernel = node.attributes.get_ints("kernel_shape", ())
    if before is None or after is None:
        return True
    ones, zeros = [1] * len(kernel), [0] * 2 * len(kernel)
    strides = node.attributes.get_ints("strides", ones)
    pads = node.attributes.get_ints("pads", zeros)
    whole = [
        (size + pads[axis] + pads[axis + len(kernel)] - kernel[axis]) // strides[axis] + 1
        for axis, size in enumerate(before[2:])
    ]
    return list(after[2:]) != whole


def _is_padded(node: ir.Node) -> bool:
    return any(node.attributes.get_ints("pads", ())) or _auto_pad(node).startswith("SAME")


def _auto_pad(node: ir.Node) -> str:
    return str(node.attributes.get_string("auto_pad", "NOTSET"))


def pad(node: ir.Node, opset: int) -> str:
    """Pad."""
    mode = str(node.attributes.get_string("mode", "constant"))
    if mode != "constant":
        return f"EZKL pads with zeros only, not by mode '{mode}'"
    old = opset < 11
    if not old and operand(node, 3) is not None:
        return "EZKL does not read Pad's axes"
    given = node.attributes.get_ints("pads", ()) if old else known(operand(node, 1))
    if given is None:
        return "its pads are not constant"
    if np.any(np.asarray(given) < 0):
        return "EZKL takes no negative pads"
    fill = operand(node, 2)
    if old:
        filled = node.attributes.get_float("value", 0.0) == 0.0
    else:
        value = known(fill)
        filled = fill is None or (value is not None and not np.any(value))
    return "" if filled else "EZKL pads with zeros only"


def resize(node: ir.Node, opset: int) -> str:
    """Resize."""
    mode = str(node.attributes.get_string("mode", "nearest"))
    if mode != "nearest":
        return f"EZKL resizes by repeating elements only, not by mode '{mode}'"
    scales = known(operand(node, 1 if opset < 11 else 2))
    before, after = sizes(operand(node, 0)), sizes(node.outputs[0])
    if scales is None or before is None or after is None or len(scales) != len(before):
        return "its scales are not one constant factor per axis"
    if np.any(scales != np.round(scales)) or np.any(scales < 1):
        return "EZKL takes whole scales only"
    if opset < 11:
        return ""
    axes = list(zip(before, after, scales.tolist(), strict=True))
    repeated = [[i // int(scale) for i in range(size)] for _, size, scale in axes]
    if [_sources(node, *axis) for axis in axes] == repeated:
        return ""
    return "EZKL repeats each element, and this coordinate_transformation_mode does not"


def _sources(node: ir.Node, before: int, after: int, scale: float) -> list[int]:
    """Which element of an axis each output is, by the ONNX definition; none if it is unknown."""
    out = np.arange(after)
    coordinates = {
        "half_pixel": (out + 0.5) / scale - 0.5,
        "asymmetric": out / scale,
        "align_corners": out * (before - 1) / max(after - 1, 1),
        "pytorch_half_pixel": (out + 0.5) / scale - 0.5 if after > 1 else out * 0.0,
    }.get(str(node.attributes.get_string("coordinate_transformation_mode", "half_pixel")))
    if coordinates is None:
        return []
    rounded = {
        "round_prefer_floor": np.ceil(coordinates - 0.5 - _SLACK),
        "round_prefer_ceil": np.floor(coordinates + 0.5 + _SLACK),
        "floor": np.floor(coordinates + _SLACK),
        "ceil": np.ceil(coordinates - _SLACK),
    }[str(node.attributes.get_string("nearest_mode", "round_prefer_floor"))]
    return [int(source) for source in np.clip(rounded, 0, before - 1)]
