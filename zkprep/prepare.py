"""The preparation of a whole model: load, normalise, rewrite; every pass under the contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from zkprep import passes
from zkprep.claims.claim import Head, Split
from zkprep.errors import InputError
from zkprep.files import file_digest
from zkprep.models.model import load
from zkprep.passes.base import Site, run_passes
from zkprep.passes.behead import Beheaded, behead
from zkprep.passes.circuit import circuit_passes, rewrite
from zkprep.passes.normalise import normalise, refuse_oversized
from zkprep.support import refuse_operators, refuse_unsupported


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model before and after preparation.

    Attributes:
        path: the file the user gave.
        digest: SHA-256 of that file.
        original: the model as loaded.
        normalised: the same function without its heads, made what EZKL reads; what `plain` slices
            are cut from.
        heads: the model's outputs that follow from the normalised model's.
        keep_head: whether heads were to stay in the circuit.
        fused: the normalised model after fusion alone; what large operators are split in.
        fusions: the places that fusion looked at, and the parts of split operators.
        model: the prepared model.
        sites: every place a pass looked at, normalisation left out.
        passes: names of the passes, in order.
        dims: named dimensions that were set.
        splits: what was split after fusion (`zkprep.slicing.splitting`), in the model's order.
    """

    path: Path
    digest: str
    original: ir.Model
    normalised: ir.Model
    fused: ir.Model
    fusions: tuple[Site, ...]
    model: ir.Model
    sites: tuple[Site, ...]
    passes: tuple[str, ...]
    dims: Mapping[str, int]
    heads: tuple[Head, ...] = ()
    keep_head: bool = False
    splits: tuple[Split, ...] = ()


def prepare(path: Path, dims: Mapping[str, int], *, keep_head: bool = False) -> Prepared:
    """Load and prepare the model at `path`, with named dimensions set to `dims`.

    Raises:
        InputError: unreadable model or dimensions.
        UnsupportedModel: the model cannot be proved rightly.
        PassError: a pass broke its contract.
    """
    original = load(path)
    whole = _normalised(original, dims)
    body = Beheaded(whole, ()) if keep_head else behead(whole)
    chosen = (*passes.default_passes(), *circuit_passes())
    fused = run_passes(body.model, passes.default_passes())
    refuse_unsupported(fused.model)
    result = rewrite(fused.model)
    refuse_unsupported(result.model)
    return Prepared(
        path=path,
        digest=file_digest(path),
        original=original,
        normalised=body.model,
        fused=fused.model,
        fusions=fused.sites,
        model=result.model,
        sites=(*fused.sites, *result.sites),
        passes=tuple(one.name for one in chosen),
        dims=dims,
        heads=body.heads,
        keep_head=keep_head,
    )


def _normalised(original: ir.Model, dims: Mapping[str, int]) -> ir.Model:
    """`original` normalised; where it cannot be, an operator that never works is why."""
    try:
        refuse_oversized(original, dims)
        return normalise(original, dims).model
    except InputError:
        refuse_operators(original)
        raise
