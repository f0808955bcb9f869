"""Normalisation: the same function, with fixed sizes, explicit attributes and nothing superfluous.

Passes, in order: names first, because every other pass speaks of nodes by name; then the interface
is narrowed to what a circuit can have; functions and constants dissolve, in double where the model
is, and numbers become float32; what only copies or is unread goes; shapes are inferred, and windows
made explicit from them; last, what EZKL would reject or get wrong is rewritten
(`zkprep.passes.repair`).
"""

from collections.abc import Mapping

import onnx_ir as ir

from zkprep.passes.base import Pass, PassResult, rehearse, run_passes
from zkprep.passes.normalise.branches import TakeBranches
from zkprep.passes.normalise.constants import LiftConstants
from zkprep.passes.normalise.folding import FoldConstants
from zkprep.passes.normalise.identity import RemoveIdentities
from zkprep.passes.normalise.inline import InlineFunctions
from zkprep.passes.normalise.interface import FixDimensions, FreezeWeights
from zkprep.passes.normalise.naming import NameNodes
from zkprep.passes.normalise.precision import DOUBLES, HALVES, SinglePrecision
from zkprep.passes.normalise.shapes import InferShapes
from zkprep.passes.normalise.trailing import DropTrailing
from zkprep.passes.normalise.unread import RemoveUnread
from zkprep.passes.normalise.windows import ExplicitWindows
from zkprep.passes.repair import definitions, repairs

__all__ = ["normalise", "normalise_passes", "refuse_oversized"]


def normalise(model: ir.Model, dims: Mapping[str, int] | None = None) -> PassResult:
    """Normalise `model` under the pass contract.

    Args:
        model: a model the ONNX checker accepts; untouched.
        dims: value of each symbolic dimension, by symbol or "input:axis". Without one, a symbol of
            axis 0 or one named like a batch is 1.

    Raises:
        InputError: a dimension has no value, or a shape depends on the data.
        PassError: a pass broke its contract.
    """
    return run_passes(model, normalise_passes(dims or {}))


def refuse_oversized(model: ir.Model, dims: Mapping[str, int]) -> None:
    """Refuse a model that computes tensors too large to exist from its constants, unrun.

    Raises:
        InputError: a tensor is too large, or anything else that the passes refuse.
    """
    rehearse(model, _settling(dims))


def normalise_passes(dims: Mapping[str, int]) -> tuple[Pass, ...]:
    """The passes of `normalise`, in order."""
    return (
        *_settling(dims),
        TakeBranches(),
        FoldConstants(),
        SinglePrecision(DOUBLES),
        RemoveIdentities(),
        RemoveUnread(),
        InferShapes(),
        ExplicitWindows(),
        *repairs(),
        DropTrailing(),
        RemoveIdentities(),
        RemoveUnread(),
        NameNodes(),
    )


def _settling(dims: Mapping[str, int]) -> tuple[Pass, ...]:
    """The passes behind which sizes are known."""
    return (
        NameNodes(),
        FreezeWeights(),
        InlineFunctions(),
        LiftConstants(),
        SinglePrecision(HALVES),
        FixDimensions(dict(dims)),
        *definitions(),
        LiftConstants(),
        FoldConstants(),
    )
