"""A mean as a sum: the factor goes to the binary point and to the linear operator next to it.

    mean of q elements = 2**-j * r * sum,    2**j <= q < 2**(j + 1),  r = 2**j / q in (1/2, 1]
EZKL divides an AveragePool by its window, a rebase per output at any scale, and multiplies a global
mean by 1 / q, which a few bits hold badly: 1 / 49 at 8 bits is 4 % off. A factor 2**-j of one
element costs a cell and moves the binary point; r is folded into the linear operator that reads the
mean or that makes its input, through what lets it pass (zkprep.passes.affine), and takes less than
a bit of its weights' precision. A window is summed an axis at a time, and sums that windows share
are made once. Source: ONNX operators AveragePool, GlobalAveragePool, ReduceMean; EZKL
`src/circuit/ops/layouts.rs`, sumpool and mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from zkprep.cost.loader import is_averaged_square
from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.fuse import FuseAffine
from zkprep.passes.affine.normal_form import Affine
from zkprep.passes.affine.plan import Plan, Scope, plan_backward, plan_forward
from zkprep.passes.base import PassResult
from zkprep.passes.circuit.choice import where_cheaper
from zkprep.passes.circuit.maxima import reduced_axes
from zkprep.passes.circuit.windowed import Combiner
from zkprep.passes.opset import standard_opset
from zkprep.passes.repair.draft import Array, Draft, known, maker_for_one, operand, sizes
from zkprep.passes.repair.windows import Window, why_not, windows

TITLE = "mean as a sum"


@dataclass(frozen=True, slots=True)
class MeansAsSums:
    """No mean is divided by its number of elements where a sum is cheaper."""

    name: ClassVar[str] = "means-as-sums"

    def __call__(self, model: ir.Model) -> PassResult:
        """Write means as sums where that is cheaper, and fold what is left of the factor."""
        scope = Scope(Constants(model), standard_opset(model), keeps_shifts=True)
        fold = (FuseAffine(keeps_shifts=True),)
        return where_cheaper(model, TITLE, partial(_rule, scope), finish=fold, finer=True)


@dataclass(frozen=True, slots=True)
class _Mean:
    """A mean over `count` elements: of windows, or, where there are none, along axes."""

    count: int
    windows: tuple[Window, ...] = ()
    axes: tuple[int, ...] = ()


def _rule(scope: Scope, node: ir.Node, draft: Draft) -> ir.Value | str | None:
    pool = _scaled_pool(node)
    if pool is not None:
        draft.absorb(pool)
        return _written(scope, pool, draft, factors=known(node.inputs[1]))
    readers = node.outputs[0].consumers()
    if len(readers) == 1 and _scaled_pool(readers[0]) is node:
        return None
    return _written(scope, node, draft)


def _scaled_pool(node: ir.Node) -> ir.Node | None:
    """The AveragePool whose output `node` alone reads, to multiply it with a constant map."""
    if node.op_type != "Mul":
        return None
    pool, factors = maker_for_one(operand(node, 0), "AveragePool"), known(node.inputs[1])
    return pool if factors is not None and factors.size > 1 else None


def _written(
    scope: Scope, node: ir.Node, draft: Draft, factors: Array | None = None
) -> ir.Value | str | None:
    """The mean `node`, then multiplied with `factors`."""
    data = operand(node, 0)
    if data is None or data.dtype is None or not data.dtype.is_floating_point():
        return None
    mean, kind = _mean(node, data), data.dtype
    if mean is None or isinstance(mean, str):
        return mean
    shift = 2.0 ** -(mean.count.bit_length() - 1)
    rest = 1 / (mean.count * shift)
    before = rest != 1 and factors is None and _goes_before(scope, node, data, rest)
    if before:
        data = draft.op("Mul", data, draft.constant("factor", rest, kind))
    total = _total(node, data, mean, draft)
    result = draft.op("Mul", total, draft.constant("shift", shift, kind))
    if before or (rest == 1 and factors is None):
        return result
    factor = np.float64(rest) if factors is None else rest * factors.astype(np.float64)
    return draft.op("Mul", result, draft.constant("factor", factor, kind))


def _mean(node: ir.Node, data: ir.Value) -> _Mean | str | None:
    """What `node` is a mean of; why that cannot be written; None for anything else."""
    shape = sizes(data)
    if node.op_type == "AveragePool":
        return _pool(node)
    if node.op_type == "GlobalAveragePool":
        axes: Sequence[int] | None = range(2, len(shape))
    elif node.op_type == "ReduceMean" and not is_averaged_square(data.producer()):
        axes = reduced_axes(node, data)
    else:
        return None
    if axes is None:
        return "its axes are not known"
    count = prod(shape[axis] for axis in axes)
    # A power of two moves the binary point in EZKL itself.
    return _Mean(count, axes=tuple(axes)) if count & (count - 1) else None


def _pool(node: ir.Node) -> _Mean | str | None:
    if node.attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return "its auto_pad could not be made explicit"
    axes = windows(node)
    if why_not(axes) or any(window.dilation > 1 or window.overhang for window in axes):
        return why_not(axes) or "its windows have holes or reach beyond the padding"
    padded = any(window.before or window.after for window in axes)
    if padded and not node.attributes.get_int("count_include_pad", 0):
        return "its divisor differs at the border"
    count = prod(window.kernel for window in axes)
    if all(window.kernel == window.size for window in axes) and not padded:
        return _Mean(count, axes=tuple(window.axis for window in axes))
    return _Mean(count, windows=axes) if count > 1 else None


def _goes_before(scope: Scope, node: ir.Node, data: ir.Value, factor: float) -> bool:
    """Whether the operator that makes the mean's input can take a factor, and no reader can."""
    affine = Affine(np.array([factor]), np.zeros(1))
    after = plan_forward(node.outputs[0], affine, scope)
    return not isinstance(after, Plan) and isinstance(
        plan_backward(data, node, affine, scope), Plan
    )


def _total(node: ir.Node, data: ir.Value, mean: _Mean, draft: Draft) -> ir.Value:
    """The sums."""
    if not mean.windows:
        axes = draft.constant("axes", mean.axes)
        return draft.op("ReduceSum", data, axes, keepdims=node.attributes.get_int("keepdims", 1))
    shape, inner = list(sizes(node.inputs[0])), []
    pads = [0, 0, *(w.before for w in mean.windows), 0, 0, *(w.after for w in mean.windows)]
    if any(pads):
        data = draft.op("Pad", data, draft.constant("pads", pads))
    for window in mean.windows:
        shape[window.axis] += window.before + window.after
        inner.append(replace(window, size=shape[window.axis], before=0, after=0))
    add = partial(draft.op, "Add")
    return Combiner(draft, add, overlapping=False).combined(data, inner, shape)
