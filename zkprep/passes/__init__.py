"""Exact rewrites of ONNX models; `base` has the contract every one of them is held to."""

from zkprep.passes.affine import FuseAffine, MergeLinear, MergePads, MergeTransposes
from zkprep.passes.base import Pass
from zkprep.passes.normalise.constants import LiftConstants
from zkprep.passes.normalise.folding import FoldConstants
from zkprep.passes.normalise.identity import RemoveIdentities
from zkprep.passes.normalise.inline import InlineFunctions
from zkprep.passes.normalise.naming import NameNodes
from zkprep.passes.normalise.records import RecordShapes
from zkprep.passes.normalise.unread import RemoveUnread


def fusion_passes() -> tuple[Pass, ...]:
    """The passes that make any model smaller and leave its interface as it is, in order."""
    return (
        *settling_passes(),
        RemoveIdentities(),
        RecordShapes(),
        *default_passes(),
        RemoveUnread(),
    )


def settling_passes() -> tuple[Pass, ...]:
    """Those of `fusion_passes` behind which the sizes that constants decide are known."""
    return NameNodes(), InlineFunctions(), LiftConstants(), FoldConstants()


def default_passes() -> tuple[Pass, ...]:
    """The passes that prepare a normalised model, in order."""
    return (MergePads(), FuseAffine(), MergeTransposes(), MergeLinear())
