"""An affine map into the linear operator that makes its input: y = s * (W(x) + b) + t.

W becomes W * s over its output channels and b becomes s * b + t. That is exact whatever the
padding, strides, dilations and alpha are, since the bias is added after all of them.
"""

from dataclasses import replace

from zkprep.passes.affine.edits import Edit, Folded, checked, with_offset
from zkprep.passes.affine.linear import Linear
from zkprep.passes.affine.normal_form import Affine, Refusal
from zkprep.passes.names import shown


def backward(linear: Linear, affine: Affine, opset: int) -> Edit | Refusal:
    """`linear` after it absorbed `affine` from its output."""
    both = composed(linear, affine)
    if isinstance(both, Refusal):
        return both
    folded = {linear.weight: Folded(both.exact, linear.output_of)} if affine.scales else {}
    edit = with_offset(linear, folded, both.offset, opset)
    if edit.addend is not None and not affine.scales:
        return Refusal(f"{shown(linear.node)} has no bias to take the shift")
    return checked(edit)


def composed(linear: Linear, affine: Affine) -> Linear | Refusal:
    """`affine` behind `linear` as one operator; its node is that of `linear`, as it is."""
    refusal = _not_its_channels(linear, affine)
    if refusal is not None:
        return refusal
    scale, shift = affine.over(linear.outputs)
    exact = linear.exact.times(scale[linear.output_of]) if affine.scales else linear.exact
    return replace(linear, exact=exact, offset=scale * linear.offset + shift)


def _not_its_channels(linear: Linear, affine: Affine) -> Refusal | None:
    """Why the output channels of `linear` are not what `affine` runs along."""
    if affine.axis is None:
        return None
    if affine.axis == linear.axis:
        if affine.scale.size == linear.outputs:
            return None
        made = f"{shown(linear.node)} makes {linear.outputs}"
        return Refusal(f"it has {affine.scale.size} channels but {made}")
    if affine.layout:
        return Refusal(f"after {affine.layout} its channels are the rows of the product")
    if linear.node.op_type == "MatMul":
        reached, scaled = ("columns", "rows") if linear.weight == 1 else ("rows", "columns")
        return Refusal(
            f"it scales the {scaled} of the product; the weight only reaches its {reached}"
        )
    return Refusal(affine.off_channels)
