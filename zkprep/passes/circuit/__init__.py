"""Exact rewrites that EZKL proves more cheaply; each is made where the cost model says so."""

import onnx_ir as ir

from zkprep.passes.affine.fuse import FuseAffine
from zkprep.passes.base import Pass, PassResult, Site, run_passes
from zkprep.passes.circuit.bounds import BoundsByRelu
from zkprep.passes.circuit.channels import RemoveDeadChannels
from zkprep.passes.circuit.duplicates import RemoveDuplicates
from zkprep.passes.circuit.factors import FactorsBeforeProducts
from zkprep.passes.circuit.gates import GatesIntoWeights
from zkprep.passes.circuit.gelu import ScaledGelu
from zkprep.passes.circuit.layer_norms import LayerNormsByEinsum
from zkprep.passes.circuit.maxima import MaximaOfTwo
from zkprep.passes.circuit.means import MeansAsSums
from zkprep.passes.circuit.monotone import ActivateAfterMaxPool
from zkprep.passes.circuit.products import ProductsOfThree
from zkprep.passes.circuit.shared_biases import SharedBiases
from zkprep.passes.circuit.slopes import SlopesByRelu
from zkprep.passes.circuit.softmax import SoftmaxBySums
from zkprep.passes.circuit.swish import HardSigmoids
from zkprep.passes.circuit.transposed import TransposedByPhases
from zkprep.passes.circuit.winograd import MinimalFiltering
from zkprep.passes.repair.biases import SeparateBiases
from zkprep.passes.repair.maximum_pools import PlainMaxPools

__all__ = ["ROUNDS", "circuit_passes", "rewrite"]

ROUNDS = 6
"""Most rounds of rewrites; one usually does, and a second finds nothing."""


def circuit_passes(apart: frozenset[str] = frozenset()) -> tuple[Pass, ...]:
    """The rewrites of one round: what leaves scales behind first, what hides operators last.

    A MaxPool that read an activation may read negative values now, which EZKL pads wrongly; and
    Convs that absorbed others may have equal biases.
    `apart`: see `rewrite`.
    """
    return (
        RemoveDuplicates(apart),
        RemoveDeadChannels(),
        ActivateAfterMaxPool(),
        PlainMaxPools(),
        MeansAsSums(),
        HardSigmoids(),
        BoundsByRelu(),
        SlopesByRelu(),
        ScaledGelu(),
        SoftmaxBySums(),
        FactorsBeforeProducts(),
        FuseAffine(keeps_shifts=True),
        LayerNormsByEinsum(),
        GatesIntoWeights(),
        ProductsOfThree(),
        MaximaOfTwo(),
        TransposedByPhases(),
        SharedBiases(),
        MinimalFiltering(),
        SeparateBiases(),
    )


def rewrite(model: ir.Model, apart: frozenset[str] = frozenset()) -> PassResult:
    """Rewrite a fused model until no rewrite makes it cheaper, or ROUNDS are over.

    What fusion leaves is no news here: it has said so before. `apart`: names of the parts of
    operators that were split, which are to stay apart: what they have in common is not made once.
    """
    current, sites = model, tuple[Site, ...]()
    for _ in range(ROUNDS):
        result = run_passes(current, circuit_passes(apart))
        new = tuple(site for site in result.sites if site.applied or site.step != FuseAffine.name)
        sites = (*(site for site in sites if site.applied), *new)
        current = result.model
        if not result.applied:
            break
        rewritten = (site for site in result.applied if not apart.isdisjoint(site.nodes))
        apart = apart.union(*(site.created for site in rewritten))
    return PassResult(current, sites)
