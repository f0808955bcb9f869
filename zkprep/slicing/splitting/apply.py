"""A prepared model whose large operators are several: splits, applied alike to both models.

A fused group is split as one, in the model before fusion and in the one after, into parts that make
the same tensors, so that one cut still serves both (docs/adr/0007); what is cheaper to prove in
another form is then rewritten part by part. Any split computes
the model's function, so a verifier may take those that a statement claims.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import onnx_ir as ir

from zkprep.claims.claim import Split
from zkprep.errors import InputError
from zkprep.passes.base import PassResult, Site, run_passes
from zkprep.passes.circuit import rewrite
from zkprep.passes.repair.biases import SeparateBiases
from zkprep.passes.split import REGIONS, SplitIntoSums, SplitIntoTiles, Target
from zkprep.prepare import Prepared
from zkprep.slicing.groups import rewrite_groups
from zkprep.support import refuse_unsupported

PART = "part of a split operator"
"""The rule of sites that hold the nodes of one part together, but the first of each operator."""


def split(prepared: Prepared, splits: Sequence[Split]) -> Prepared:
    """The prepared model with `splits` (untrusted) made in both of its models.

    Raises:
        InputError: the splits do not fit the model.
        UnsupportedModel: the parts cannot be proved rightly.
    """
    if not splits:
        return prepared
    groups = rewrite_groups(prepared.normalised, prepared.fusions)
    targets = [_targets(prepared, one, groups) for one in splits]
    if len(splits) != len({groups[pair[1].nodes[0]] for pair in targets}):
        raise InputError("an operator is split twice")
    before, after = (
        _applied(model, [pair[side] for pair in targets])
        for side, model in enumerate((prepared.normalised, prepared.fused))
    )
    fusions = (*prepared.fusions, *_together(before.sites, after.sites))
    whole = {node.name for node in prepared.fused.graph}
    parts = {str(node.name) for node in after.model.graph if node.name not in whole}
    result = rewrite(after.model, frozenset(parts))
    refuse_unsupported(result.model)
    return replace(
        prepared,
        normalised=run_passes(before.model, (SeparateBiases(),)).model,
        fused=after.model,
        fusions=fusions,
        model=result.model,
        sites=(*fusions, *result.sites),
        splits=tuple(splits),
    )


def group_nodes(model: ir.Model, groups: Mapping[str, str], group: str) -> tuple[str, ...]:
    """Names of the nodes of a rewrite group in one of the models, in order."""
    return tuple(str(node.name) for node in model.graph if groups[str(node.name)] == group)


def _targets(prepared: Prepared, one: Split, groups: Mapping[str, str]) -> tuple[Target, Target]:
    if bool(one.cuts) == bool(one.summed):
        raise InputError(f"the split of '{one.tensor}' is neither one into tiles nor into sums")
    for node in prepared.fused.graph:
        if any(value.name == one.tensor for value in node.outputs):
            group = groups[str(node.name)]
            before, after = (
                Target(one, group_nodes(model, groups, group))
                for model in (prepared.normalised, prepared.fused)
            )
            return before, after
    raise InputError(f"cannot split what makes '{one.tensor}': no node does")


def _applied(model: ir.Model, targets: Sequence[Target]) -> PassResult:
    tiles = tuple(one for one in targets if one.split.cuts)
    sums = tuple(one for one in targets if one.split.summed)
    passes = ((SplitIntoTiles(tiles),) if tiles else ()) + ((SplitIntoSums(sums),) if sums else ())
    return run_passes(model, passes)


def _together(before: Sequence[Site], after: Sequence[Site]) -> Iterator[Site]:
    """The nodes of a part in both models are one rewrite group; regions have to be the same.

    Raises:
        InputError: the parts read other regions before the rewrites than after.
    """
    if len(before) != len(after):
        raise InputError("cannot split: the parts read other regions before the rewrites")
    for one, other in zip(before, after, strict=True):
        if REGIONS in (one.rule, other.rule):
            if one.created != other.created:
                raise InputError("cannot split: the parts read other regions before the rewrites")
            continue
        created = tuple(dict.fromkeys((*one.created, *other.created)))
        if one.nodes:
            yield Site(one.rule, one.nodes, created=created)
        elif len(created) > 1:
            yield Site(PART, one.created, created=created)
