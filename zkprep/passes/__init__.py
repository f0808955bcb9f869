"""Exact rewrites of ONNX models; `base` has the contract every one of them is held to."""

from zkprep.passes.affine import FuseAffine, MergeLinear, MergePads
from zkprep.passes.base import Pass


def default_passes() -> tuple[Pass, ...]:
    """The passes that prepare a normalised model, in order."""
    return (MergePads(), FuseAffine(), MergeLinear())
