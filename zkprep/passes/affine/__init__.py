"""Constant scales and shifts, BatchNormalization first of all, become part of linear operators."""

from zkprep.passes.affine.fuse import FuseAffine
from zkprep.passes.affine.merge import MergeLinear
from zkprep.passes.affine.padding import MergePads
from zkprep.passes.affine.transposes import MergeTransposes

__all__ = ["FuseAffine", "MergeLinear", "MergePads", "MergeTransposes"]
