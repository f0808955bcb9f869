"""Repairs: exact rewrites of what EZKL rejects, or takes and computes wrongly.

Each pass is one construct; `draft` is how all of them are written down. A node that a pass leaves
has a site with the reason. They expect a normalised model: static shapes, explicit windows.
"""

from zkprep.passes.base import Pass
from zkprep.passes.repair.average_pools import PlainAveragePools
from zkprep.passes.repair.biases import SeparateBiases
from zkprep.passes.repair.casts import TruncateCasts
from zkprep.passes.repair.classical import PlainClassicalModels
from zkprep.passes.repair.clips import OpenClips
from zkprep.passes.repair.differences import TurnDifferences
from zkprep.passes.repair.dilations import StuffDilations
from zkprep.passes.repair.einsums import EinsumsInPairs
from zkprep.passes.repair.equalities import ChooseEquals
from zkprep.passes.repair.expansions import ExpandInPlace
from zkprep.passes.repair.extremes import ChooseMaxima
from zkprep.passes.repair.functions import ExpandFunctions
from zkprep.passes.repair.group_norms import GroupsAsInstances
from zkprep.passes.repair.groups import SplitTransposedGroups
from zkprep.passes.repair.indices import CountFromStart
from zkprep.passes.repair.masks import FiniteMasks
from zkprep.passes.repair.maximum_pools import PlainMaxPools
from zkprep.passes.repair.norms import PlainNorms
from zkprep.passes.repair.open_guards import OpenGuards
from zkprep.passes.repair.opsets import RaiseOpset
from zkprep.passes.repair.pads import PlainPads
from zkprep.passes.repair.picks import GatherRows
from zkprep.passes.repair.powers import PlainPowers
from zkprep.passes.repair.quantised import DequantiseWeights
from zkprep.passes.repair.read_masks import LowestInstead
from zkprep.passes.repair.recurrences import UnrollRecurrences
from zkprep.passes.repair.resizes import PlainResizes
from zkprep.passes.repair.running_sums import MultiplyRunningSums
from zkprep.passes.repair.scatters import GatherScatters
from zkprep.passes.repair.sequences import OpenSequences
from zkprep.passes.repair.tiles import GatherTiles
from zkprep.passes.repair.triangles import MaskTriangles
from zkprep.passes.repair.twins import CopyTwinOutputs

__all__ = ["definitions", "repairs"]


def definitions() -> tuple[Pass, ...]:
    """What has to be settled before shapes are: one operator set, operators ONNX defines."""
    return (
        RaiseOpset(),
        OpenSequences(),
        PlainClassicalModels(),
        GroupsAsInstances(),
        ExpandFunctions(),
    )


def repairs() -> tuple[Pass, ...]:
    """The repairs in order; a pass that writes operators another one repairs goes before it."""
    return (
        DequantiseWeights(),
        UnrollRecurrences(),
        StuffDilations(),
        SplitTransposedGroups(),
        PlainNorms(),
        PlainMaxPools(),
        PlainAveragePools(),
        PlainPads(),
        PlainResizes(),
        GatherTiles(),
        ExpandInPlace(),
        OpenGuards(),
        LowestInstead(),
        FiniteMasks(),
        GatherRows(),
        CountFromStart(),
        GatherScatters(),
        MaskTriangles(),
        MultiplyRunningSums(),
        OpenClips(),
        ChooseMaxima(),
        PlainPowers(),
        EinsumsInPairs(),
        TurnDifferences(),
        TruncateCasts(),
        ChooseEquals(),
        CopyTwinOutputs(),
        SeparateBiases(),
    )
