"""Pass, Site, PassResult and the runner that enforces the contract after every pass, always.

The contract, which no pass can switch off:
1. the input model is untouched;
2. no applied site means that nothing changed, and an applied site that something did;
3. the sites account for every node that came or went;
4. graph inputs and outputs keep their names, order, types and shapes, and inputs their defaults;
5. the ONNX checker accepts the result, its full check too where the input passed it;
6. on seeded inputs the outputs equal those of the input model within a tolerance that means
   something (`zkprep.passes.oracle`).

A pass that by its nature changes the interface says so. A `NarrowingPass` may drop inputs that have
a default and make dimensions static, nothing else, and clause 6 holds on the inputs that remain
legal. A `CoarseningPass` may give floating-point tensors another floating-point type; clause 6 then
holds within the limit of the coarser of the two, and what it made is the reference from there on.
A breach is a PassError that names the passes before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import onnx
import onnx_ir as ir

from zkprep.errors import PassError, ZkprepError
from zkprep.files import first_line
from zkprep.models.outline import outline
from zkprep.passes.contract import Allowed, interface_breach
from zkprep.passes.fingerprint import Fingerprints
from zkprep.passes.oracle import Oracle


@dataclass(frozen=True, slots=True)
class Site:
    """One place where a pass could act: applied, or left with a reason a user can read.

    Attributes:
        rule: the pass's name for what it does here, e.g. "BatchNormalization into Conv".
        nodes: names of the nodes that become one (or would have), in topological order. A node that
            survives or is created keeps or gets a name of this list or of `created`. Two sites with
            a node in common belong to one rewrite group.
        reason: "" when applied, otherwise why it was left
            ("kept 'bn1' apart from 'conv1': 't' is also read by 'relu2'").
        created: names of nodes that did not exist before.
        saving: what a rewrite chosen by its price is predicted to save, in words.
        step: name of the pass that looked here; the runner writes it.
    """

    rule: str
    nodes: tuple[str, ...]
    reason: str = ""
    created: tuple[str, ...] = ()
    saving: str = ""
    step: str = field(default="", compare=False)

    @property
    def applied(self) -> bool:
        """Whether the rewrite was done here."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class PassResult:
    """A pass's new model and its account of every candidate site."""

    model: ir.Model
    sites: tuple[Site, ...]

    @property
    def applied(self) -> tuple[Site, ...]:
        """The sites where the pass acted."""
        return tuple(site for site in self.sites if site.applied)


class Pass(Protocol):
    """A pure rewrite; implementations are frozen dataclasses whose fields are their options."""

    @property
    def name(self) -> str:
        """Short name shown to users, e.g. "fuse-affine"."""
        ...

    def __call__(self, model: ir.Model) -> PassResult:
        """Return the rewritten model; never touches `model`."""
        ...


@runtime_checkable
class NarrowingPass(Pass, Protocol):
    """A pass that may drop inputs with a default and make dimensions static."""

    @property
    def narrows(self) -> str:
        """What it narrows, e.g. "symbolic dimensions"."""
        ...


@runtime_checkable
class CoarseningPass(Pass, Protocol):
    """A pass that may bring floating-point numbers into another floating-point type."""

    @property
    def coarsens(self) -> str:
        """What it coarsens, e.g. "floating-point types"."""
        ...


Watch = Callable[[Pass, ir.Model, PassResult], None]


def run_passes(model: ir.Model, passes: Sequence[Pass], watch: Watch | None = None) -> PassResult:
    """Run `passes` in order under the contract; sites of all of them, in order.

    Args:
        model: left untouched.
        passes: in order.
        watch: told of every pass, with the model before it and its result.

    Raises:
        PassError: a pass broke the contract, or raised something that is no refusal of the input.
        InputError: a pass refused the input, or nothing here can run the model to check a rewrite.
    """
    fingerprints = Fingerprints()
    current, fingerprint = model, fingerprints.of(model)
    contract = _Contract(_Numbers(Oracle(model)), _passes_full_check(model))
    sites: list[Site] = []
    for position, one in enumerate(passes):
        blame = _blame(passes[: position + 1])
        try:
            result = _call(one, current, blame)
            if fingerprints.of(current) != fingerprint:
                raise PassError(f"{blame}: it changed the model it was given")
            sites += [replace(site, step=one.name) for site in result.sites]
            new = fingerprints.of(result.model)
            breach = _account(current, result, changed=new != fingerprint)
            if new != fingerprint and not breach:
                breach = contract.breach(one, current, result.model)
            if breach:
                raise PassError(f"{blame}: {breach}")
        except ZkprepError:
            # What an earlier pass got wrong comes first: this may be its consequence.
            contract.numbers.settle()
            raise
        if new != fingerprint:
            contract.expect(one, blame, current, result.model)
        if watch is not None:
            watch(one, current, result)
        current, fingerprint = result.model, new
    contract.numbers.settle()
    return PassResult(current, tuple(sites))


def rehearse(model: ir.Model, passes: Sequence[Pass]) -> None:
    """Run `passes` for what they refuse: nothing is compared, so nothing runs the model.

    Raises:
        PassError: a pass raised something that is no refusal of the input.
        InputError: a pass refused the input.
    """
    for position, one in enumerate(passes):
        model = _call(one, model, _blame(passes[: position + 1])).model


@dataclass(slots=True)
class _Contract:
    """Clauses 4 to 6, for the model as it has become.

    Attributes:
        numbers: what it has to compute.
        full_check: whether it has to pass the checker's full check.
    """

    numbers: "_Numbers"
    full_check: bool

    def breach(self, one: Pass, before: ir.Model, after: ir.Model) -> str:
        """How `one` broke clause 4 or 5, or ""."""
        allowed = Allowed(isinstance(one, NarrowingPass), isinstance(one, CoarseningPass))
        return interface_breach(before, after, allowed) or _check(after, full_check=self.full_check)

    def expect(self, one: Pass, blame: str, before: ir.Model, after: ir.Model) -> None:
        """Clause 6 for the pass `one`, whose interface may be another from here on."""
        coarsened = isinstance(one, CoarseningPass)
        narrowed = isinstance(one, NarrowingPass) and _signature(after) != _signature(before)
        if narrowed or coarsened:
            self.numbers.settle()
            self.numbers = _Numbers(Oracle(before, feeds_of=after))
        self.numbers.expect(blame, after)
        if coarsened:
            self.numbers.settle()
            self.numbers = _Numbers(Oracle(after))
            self.full_check = _passes_full_check(after)


class _Numbers:
    """Clause 6 for passes in a row: the last model is run; where it is wrong, those before it, too.

    What the last model computes is what all of the passes did together, so running it alone proves
    as much; the models in between only tell which pass is to blame.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._models: list[tuple[str, ir.Model]] = []

    def expect(self, blame: str, model: ir.Model) -> None:
        """`model` is to compute what the first one computes; else `blame` says who did it."""
        self._models.append((blame, model))

    def settle(self) -> None:
        """Compare.

        Raises:
            PassError: a model computes something else; blames the pass that made the first such.
        """
        models, self._models = self._models, []
        if not models or not self._oracle.difference(models[-1][1]):
            return
        for blame, model in models:
            difference = self._oracle.difference(model)
            if difference:
                raise PassError(f"{blame}: {difference}")


def _blame(passes: Sequence[Pass]) -> str:
    *before, last = (f"'{one.name}'" for one in passes)
    after = f" (after {', '.join(before)})" if before else ""
    return f"pass {last}{after} broke its contract; this is a bug in zkprep, please report it"


def _call(one: Pass, model: ir.Model, blame: str) -> PassResult:
    try:
        return one(model)
    except ZkprepError:
        raise
    except Exception as error:
        detail = f"{type(error).__name__}: {first_line(error)}"
        raise PassError(f"{blame}: it raised {detail}") from error


def _account(before: ir.Model, result: PassResult, *, changed: bool) -> str:
    """Clauses 2 and 3."""
    if changed and not result.applied:
        return "it changed the model but reports no applied site"
    if result.applied and not changed:
        return f"it reports '{result.applied[0].rule}' as applied but changed nothing"
    old, new = _node_names(before), _node_names(result.model)
    named = {name for site in result.applied for name in site.nodes}
    created = {name for site in result.applied for name in site.created}
    for what, names in (("removed", old - new - named), ("created", new - old - created)):
        if names:
            return f"it {what} node '{min(names)}' but no applied site says so"
    unknown = (named | created) - old - new - created
    return f"a site names '{min(unknown)}', which is no node" if unknown else ""


def _check(model: ir.Model, *, full_check: bool) -> str:
    """Clause 5; the large weights are left out, whose types and sizes onnx-ir holds right."""
    try:
        onnx.checker.check_model(outline(model)[0], full_check=full_check)
    except Exception as error:  # noqa: BLE001 - the checker documents no closed set of errors
        return f"the ONNX checker rejects the result: {first_line(error)}"
    return ""


def _passes_full_check(model: ir.Model) -> bool:
    return not _check(model, full_check=True)


def _node_names(model: ir.Model) -> set[str]:
    """Names of the nodes of every graph of `model`; a node without one cannot be accounted for."""
    return {node.name for graph in model.graphs() for node in graph if node.name}


def _signature(model: ir.Model) -> list[str]:
    return [str(value) for value in model.graph.inputs]
