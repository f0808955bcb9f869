"""Constant scales and shifts, BatchNormalization first of all, become part of linear operators."""

from zkprep.passes.affine.fuse import FuseAffine

__all__ = ["FuseAffine"]
