"""Two linear operators that read the same tensor, and whose results are added, as one: the algebra.

    p * (V x + a) + q * (W x + b)  =  (p V + q W) x + (p a + q b)        p, q = 1 or -1

x itself, scaled and shifted along the channels or not, is such an operator too: a diagonal matrix,
or a convolution of kernel 1 with a group per channel.
Gemm or MatMul   matrices on the same side of x; alpha of the first stays: V + q alpha2 / alpha1 W
Conv             tap j of a kernel reads x[stride * position - pad + dilation * j]. Both kernels are
                 laid on one grid of taps, zeros between; strides have to be equal. Groups become
                 their greatest common divisor.
Source: ONNX operators Conv, Gemm, MatMul; RepVGG (arXiv:2101.03697), section 3.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np
import onnx_ir as ir

from zkprep.passes.affine.backward import composed
from zkprep.passes.affine.constants import Recipe
from zkprep.passes.affine.cost import rows_of_affine, rows_per_output
from zkprep.passes.affine.edits import Edit, Folded, checked, with_offset
from zkprep.passes.affine.linear import Indices, Linear
from zkprep.passes.affine.normal_form import Affine, Array, Refusal
from zkprep.passes.affine.windows import window_pads


@dataclass(frozen=True, slots=True)
class Term:
    """One of two operands of a sum: sign * affine(linear(x)), or sign * affine(x)."""

    sign: int
    affine: Affine
    linear: Linear | None


def added(first: Term, second: Term, opset: int) -> Edit | Refusal:
    """The operator of `first` after it took over what `second` makes of the same tensor."""
    assert first.linear is not None
    keeper = composed(first.linear, first.affine)
    if isinstance(keeper, Refusal):
        return keeper
    other = _beside(keeper, second)
    if isinstance(other, Refusal):
        return other
    one, two = _Part(first.sign, keeper), _Part(second.sign, other)
    if keeper.node.op_type == "Conv":
        edit = _convolutions(one, two, opset)
    else:
        edit = _products(one, two, opset)
    return edit if isinstance(edit, Refusal) else _dearer(first, second, edit) or checked(edit)


@dataclass(frozen=True, slots=True)
class _Part:
    """A term whose affine map is part of its operator; `linear` None: x itself times the map."""

    sign: int
    linear: Linear | Affine


def _beside(keeper: Linear, term: Term) -> Linear | Affine | Refusal:
    """What stands beside `keeper`: an operator of its kind, or a diagonal one."""
    if term.linear is not None:
        return composed(term.linear, term.affine)
    axis = term.affine.axis
    if keeper.input_axis != keeper.axis or keeper.inputs != keeper.outputs:
        return Refusal("its output channels are not its input channels")
    if axis not in (None, keeper.axis):
        return Refusal(term.affine.off_channels or "its channels run along another axis")
    return term.affine


def _offset(part: _Part, channels: int) -> Array:
    if isinstance(part.linear, Linear):
        return part.sign * part.linear.offset
    return part.sign * part.linear.over(channels)[1]


def _products(one: _Part, two: _Part, opset: int) -> Edit | Refusal:
    """Matrices on the same side of x."""
    keeper, other = one.linear, two.linear
    assert isinstance(keeper, Linear)
    if len(keeper.shape) != 2:
        return Refusal("it multiplies with a stack of matrices")
    if keeper.alpha == 0:
        return Refusal("its alpha is 0")
    if isinstance(other, Linear):
        same = (keeper.weight, keeper.input_axis) == (other.weight, other.input_axis)
        if not same or len(other.shape) != 2:
            return Refusal("they do not sum over the same axis")
    turned = _turned(keeper)

    def matrix() -> Array:
        if isinstance(other, Affine):
            beside = np.diag(other.over(keeper.outputs)[0]) / keeper.alpha
        else:
            beside = other.values.T if _turned(other) != turned else other.values
            beside = beside * (other.alpha / keeper.alpha)
        total: Array = one.sign * keeper.values + two.sign * beside
        return total

    on_disk = keeper.exact.on_disk or (isinstance(other, Linear) and other.exact.on_disk)
    folded = Folded(Recipe(matrix, keeper.shape, on_disk), keeper.output_of)
    offset = _offset(one, keeper.outputs) + _offset(two, keeper.outputs)
    return with_offset(keeper, {keeper.weight: folded}, offset, opset)


def _turned(linear: Linear) -> bool:
    return linear.node.attributes.get_int("transB", 0) != 0


@dataclass(frozen=True, slots=True)
class _Taps:
    """A convolution as what its taps read: along each axis stride * position + start + step * j.

    Attributes:
        exact: the filters, [O, I / groups, taps...].
        groups: into how many its channels are parted.
        starts: where the first tap reads, per axis: minus the padding in front.
        steps: dilations.
        strides: per axis.
        ends: the padding behind, per axis.
    """

    exact: Recipe
    groups: int
    starts: tuple[int, ...]
    steps: tuple[int, ...]
    strides: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def lasts(self) -> tuple[int, ...]:
        """Where the last tap reads, per axis."""
        taps = zip(self.starts, self.steps, self.exact.shape[2:], strict=True)
        return tuple(start + step * (size - 1) for start, step, size in taps)


def _taps(linear: Linear | Affine, keeper: Linear) -> _Taps | Refusal:
    rank = len(keeper.shape) - 2
    if isinstance(linear, Affine):
        diagonal = linear.over(keeper.outputs)[0].reshape(-1, *(1,) * (rank + 1))
        none, ones = (0,) * rank, (1,) * rank
        return _Taps(Recipe.of(diagonal), keeper.outputs, none, ones, ones, none)
    attributes, pads = linear.node.attributes, window_pads(linear.node)
    if isinstance(pads, Refusal):
        return pads
    pads = list(pads) or [0] * 2 * rank
    return _Taps(
        exact=linear.exact,
        groups=attributes.get_int("group", 1),
        starts=tuple(-pad for pad in pads[:rank]),
        steps=tuple(attributes.get_ints("dilations", [1] * rank)),
        strides=tuple(attributes.get_ints("strides", [1] * rank)),
        ends=tuple(pads[rank:]),
    )


def _convolutions(one: _Part, two: _Part, opset: int) -> Edit | Refusal:
    """Both kernels on one grid of taps."""
    keeper = one.linear
    assert isinstance(keeper, Linear)
    parts = [_taps(part.linear, keeper) for part in (one, two)]
    taps = [part for part in parts if isinstance(part, _Taps)]
    for part in parts:
        if isinstance(part, Refusal):
            return part
    first, second = taps
    if first.strides != second.strides:
        return Refusal("their strides differ")
    groups, starts = gcd(first.groups, second.groups), _starts(first, second)
    steps = [_step(first, second, axis) for axis in range(len(starts))]
    kernel = [
        (max(ends) - start) // step + 1
        for start, step, *ends in zip(starts, steps, first.lasts, second.lasts, strict=True)
    ]
    shape = (keeper.outputs, keeper.inputs // groups, *kernel)

    def filters() -> Array:
        total = np.zeros(shape)
        for part, sign in ((first, one.sign), (second, two.sign)):
            total[_places(part, shape, starts, steps)] += sign * part.exact.make()
        return total

    exact = Recipe(filters, shape, any(part.exact.on_disk for part in taps))
    channels = np.arange(keeper.outputs).reshape(-1, *(1,) * (len(shape) - 1))
    offset = _offset(one, keeper.outputs) + _offset(two, keeper.outputs)
    edit = with_offset(keeper, {1: Folded(exact, channels)}, offset, opset)
    window = _window(first, second, kernel, steps)
    window["group"] = ir.AttrInt64("group", groups)
    if "auto_pad" in keeper.node.attributes:
        window["auto_pad"] = ir.AttrString("auto_pad", "NOTSET")
    return replace(edit, attributes={**edit.attributes, **window})


def _starts(first: _Taps, second: _Taps) -> list[int]:
    """Where the first tap of either reads, per axis."""
    return [min(pair) for pair in zip(first.starts, second.starts, strict=True)]


def _window(
    first: _Taps, second: _Taps, kernel: Sequence[int], steps: Sequence[int]
) -> dict[str, ir.Attr]:
    """The attributes of the window of both; sizes stay, for the furthest tap keeps its padding."""
    before = [-start for start in _starts(first, second)]
    reach = zip(first.lasts, first.ends, second.lasts, second.ends, strict=True)
    behind = [end if last >= other else its for last, end, other, its in reach]
    named = {
        "kernel_shape": kernel,
        "strides": first.strides,
        "dilations": steps,
        "pads": [*before, *behind],
    }
    return {name: ir.AttrInt64s(name, values) for name, values in named.items()}


def _step(first: _Taps, second: _Taps, axis: int) -> int:
    """The widest grid that has every tap of both along `axis`."""
    apart = abs(first.starts[axis] - second.starts[axis])
    for part in (first, second):
        if part.exact.shape[2 + axis] > 1:
            apart = gcd(apart, part.steps[axis])
    return apart or 1


def _places(
    part: _Taps, shape: tuple[int, ...], starts: Sequence[int], steps: Sequence[int]
) -> tuple[slice | Indices, ...]:
    """Where the filters of `part` lie among filters of `shape`, whose groups are wider."""
    outputs, own = part.exact.shape[:2]
    out = np.arange(outputs)[:, None]
    channel = out // (outputs // part.groups) * own + np.arange(own)
    wide = outputs // (part.groups * own // shape[1])
    places: list[slice | Indices] = [out, channel - out // wide * shape[1]]
    for axis, size in enumerate(part.exact.shape[2:]):
        first = (part.starts[axis] - starts[axis]) // steps[axis]
        stride = max(1, part.steps[axis] // steps[axis])
        places.append(slice(first, first + stride * (size - 1) + 1, stride))
    return tuple(places)


def _dearer(first: Term, second: Term, edit: Edit) -> Refusal | None:
    """Why one operator would cost more rows than the two and their sum."""
    assert first.linear is not None
    now = sum(_rows(term) for term in (first, second)) + rows_of_affine(scales=False, shifts=True)
    kept, merged = first.linear, edit.folded[first.linear.weight].exact.shape
    then = rows_per_output(kept.node.op_type, merged, kept.outputs)
    then += rows_of_affine(scales=False, shifts=edit.addend is not None)
    if then < now:
        return None
    return Refusal(f"merging would cost {then:g} rows per element instead of {now:g}")


def _rows(term: Term) -> float:
    linear, affine = term.linear, term.affine
    own = rows_of_affine(scales=affine.scales, shifts=affine.shifts)
    if linear is None:
        return own
    return own + rows_per_output(linear.node.op_type, linear.shape, linear.outputs)
