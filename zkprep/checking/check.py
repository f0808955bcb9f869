"""What EZKL would reject or get wrong in a model, and what zkprep does about it; makes no keys.

1. every pass that rewrites what EZKL cannot prove says which nodes it rewrote;
2. the table of zkprep.support says which nodes of the prepared model are left that EZKL rejects or
   miscomputes: these are refused, and nothing else is asked;
3. EZKL itself reads the prepared model, rewritten as it is before a proof: its table of nodes, its
   settings;
4. a small circuit is witnessed on seeded inputs and compared with ONNX Runtime on the model as it
   was given. An error that finer quantisation does not lower is a miscomputation.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import onnx_ir as ir

from zkprep import passes
from zkprep.backends.base import Backend
from zkprep.checking.opinion import Opinion, ask
from zkprep.claims.heads import describe
from zkprep.errors import InputError
from zkprep.files import file_digest
from zkprep.models.model import load
from zkprep.passes.base import Pass, PassResult, Site, Watch, run_passes
from zkprep.passes.behead import behead
from zkprep.passes.circuit import rewrite
from zkprep.passes.circuit.batch_axis import KeepBatchAxis
from zkprep.passes.normalise import normalise_passes, refuse_oversized
from zkprep.support import operator_of, refusals, refused_operators

REWRITTEN, REFUSED = "rewritten", "refused"

# The packages whose passes are there because of what EZKL rejects or gets wrong.
_REPAIRS = ("zkprep.passes.repair", "zkprep.passes.circuit.batch_axis")


class Finding(msgspec.Struct, frozen=True):
    """One operator of the model that EZKL would reject or get wrong.

    Attributes:
        operator: its type, with the domain if that is not ONNX's own.
        node: its name.
        problem: what EZKL does with it; "" where only the rewrite knows.
        action: "rewritten" or "refused".
        rewrite: what it was rewritten to, by which pass; "" when refused.
    """

    operator: str
    node: str
    problem: str
    action: str
    rewrite: str = ""


class CheckReport(msgspec.Struct, frozen=True):
    """Whether a model can be proved, and what stands in the way.

    Attributes:
        model: the file.
        digest: SHA-256 of the file.
        provable: whether zkprep can prove its function.
        findings: what EZKL would reject or get wrong, in the order of the model.
        fine: how many nodes of the fused model EZKL takes as they are, by operator.
        heads: what is left out at the model's end, for the verifier to evaluate, in words.
        ezkl: what EZKL itself makes of the prepared model; None when something is refused.
    """

    model: str
    digest: str
    provable: bool
    findings: list[Finding]
    fine: dict[str, int]
    ezkl: Opinion | None
    heads: list[str] = []


def check(path: Path, dims: Mapping[str, int], backend: Backend) -> CheckReport:
    """Check the model at `path`, with named dimensions set to `dims`.

    Raises:
        InputError: unreadable model or dimensions.
        PassError: a pass broke its contract.
    """
    original = load(path)
    survey = _Survey()
    try:
        refuse_oversized(original, dims)
        whole = run_passes(original, normalise_passes(dims), survey).model
        body = behead(whole)
        fused = run_passes(body.model, passes.default_passes(), survey).model
        model = _kept(fused, survey)
    except InputError:
        hopeless = refused_operators(original)
        if not hopeless:
            raise
        found = [Finding(r.operator, r.node, r.reason, REFUSED) for r in hopeless]
        return CheckReport(str(path), file_digest(path), False, found, {}, None)
    refused, opinion = refusals(model), None
    if not refused:
        rewritten = _kept(rewrite(fused).model)
        refused = refusals(rewritten)
        opinion = None if refused else ask(rewritten, original, backend, body.heads)
    findings = survey.findings + [Finding(r.operator, r.node, r.reason, REFUSED) for r in refused]
    return CheckReport(
        model=str(path),
        digest=file_digest(path),
        provable=opinion is not None and opinion.agrees,
        findings=findings,
        fine=_fine(model, {r.node for r in refused}),
        ezkl=opinion,
        heads=[describe(head) for head in body.heads],
    )


@dataclass(slots=True)
class _Survey:
    """What the passes that are there because of EZKL rewrote so far."""

    findings: list[Finding] = field(default_factory=list)

    def __call__(self, one: Pass, before: ir.Model, result: PassResult) -> None:
        """Add what pass `one` rewrote of the model `before` it."""
        if not type(one).__module__.startswith(_REPAIRS) or not result.applied:
            return
        problems = {refusal.node: refusal.reason for refusal in refusals(before)}
        operators = {str(n.name): operator_of(n) for g in before.graphs() for n in g}
        made = {name for finding in self.findings for name in finding.node.split()}
        self.findings += [
            _finding(site, one.name, name, operators[name], problems.get(name, ""))
            for site in result.applied
            for name in site.nodes
            if name in operators and name not in made
        ]


def _kept(model: ir.Model, watch: Watch | None = None) -> ir.Model:
    """`model` as slices of it are: no convolution loses its batch axis."""
    return run_passes(model, (KeepBatchAxis(),), watch).model


def _finding(site: Site, by: str, node: str, operator: str, problem: str) -> Finding:
    return Finding(operator, node, problem, REWRITTEN, f"{site.rule} ({by})")


def _fine(model: ir.Model, refused: set[str]) -> dict[str, int]:
    counts = Counter(operator_of(node) for node in model.graph if node.name not in refused)
    return dict(sorted(counts.items()))
