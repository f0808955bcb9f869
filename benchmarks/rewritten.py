"""What the corpus took when it was proved between its rewrites: benchmarks/rewrites.json.

What is on file counts for as long as the model it is of is priced the same; what is not is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import onnx_ir as ir
from msgspec.structs import replace

from benchmarks.baseline import prepared
from zkprep.backends.ezkl import EzklBackend
from zkprep.cost.machine import constants
from zkprep.cost.price import Price
from zkprep.proving.assemble import this_machine
from zkprep.report.types import Machine

RESULTS = Path(__file__).parent / "rewrites.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """A model as a rewrite left it.

    Attributes:
        rule: of the rewrite, or "fused" before any.
        places: at how many it was made.
        price: as one circuit.
        model: itself.
    """

    rule: str
    places: int
    price: Price
    model: ir.Model


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The circuit that a price is of."""

    cells: int
    degree: int
    multiplier: int
    logrows: int
    columns: int
    digits: int


class Took(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Circuits that were proved and verified; of the seconds the first are predicted ones.

    Attributes:
        slices: how many circuits.
        cells: of all, as EZKL counts them.
        degree: the largest.
        reference_cpu_seconds: to prove them, predicted from their settings, on the reference
            machine.
        prove_cpu_seconds: measured.
        pk_bytes: of all keys.
        peak_bytes: of the largest.
        relative_error: of the outputs, as a share of their range.
    """

    slices: int
    cells: int
    degree: int
    reference_cpu_seconds: float
    prove_cpu_seconds: float
    pk_bytes: int
    peak_bytes: int
    relative_error: float


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a stage took; `as_asked`: the circuit is the one it was priced by."""

    rule: str
    asked: Asked
    as_asked: bool
    took: Took

    def is_of(self, stage: Stage) -> bool:
        """Whether the stage's model is one that would take as much."""
        return (self.rule, self.asked) == (stage.rule, asked(stage.price))


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `zkprep prove` took without circuit rewrites and with them, of models priced so."""

    asked: tuple[Asked, Asked]
    took: tuple[Took, Took]


class Results(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was measured on one machine, by case.

    Attributes:
        machine: it.
        prover: its version.
        slowness: CPU seconds per second of the reference machine, by `zkprep calibrate-machine`.
        states: the stages of a case.
        wholes: a case as `zkprep prove` proves it.
    """

    machine: Machine
    prover: str
    slowness: float
    states: dict[str, list[State]]
    wholes: dict[str, Whole]

    def state(self, name: str, stage: Stage) -> State | None:
        """What a stage of a case took, if that was proved."""
        found = (one for one in self.states.get(name, ()) if one.is_of(stage))
        return next(found, None)


def read() -> Results:
    """What is on file."""
    if RESULTS.exists():
        return msgspec.json.decode(RESULTS.read_bytes(), type=Results)
    return _nothing()


def write(results: Results) -> None:
    """Keep the results."""
    document = msgspec.json.encode(results, order="deterministic")
    RESULTS.write_bytes(msgspec.json.format(document) + b"\n")


def kept(results: Results, stages: Mapping[str, Sequence[Stage]]) -> Results:
    """The results without those of models that are priced, or cut, otherwise by now."""
    states, wholes = {}, {}
    for name, each in stages.items():
        if found := [one for stage in each if (one := results.state(name, stage))]:
            states[name] = found
        whole = results.wholes.get(name)
        if whole is not None and _holds(whole, name, each, results.prover):
            wholes[name] = whole
    return replace(results, states=states, wholes=wholes)


def on_this_machine(results: Results) -> Results:
    """The results, to be added to; none where those on file are another machine's."""
    ours = _nothing()
    if _where(results) != _where(ours):
        return ours
    return replace(ours, states=results.states, wholes=results.wholes)


def _nothing() -> Results:
    prover_version = EzklBackend().version
    return Results(
        machine=this_machine(),
        prover=prover_version,
        slowness=constants(prover_version.split()[-1]).slowness,
        states={},
        wholes={},
    )


def _where(results: Results) -> tuple[str, int, str]:
    return results.machine.cpu, results.machine.cores, results.prover


def asked(one: Price) -> Asked:
    """The circuit of a price."""
    return Asked(
        cells=one.cells,
        degree=one.degree,
        multiplier=one.spec.scale_rebase_multiplier,
        logrows=one.spec.logrows,
        columns=one.spec.num_inner_cols,
        digits=one.spec.decomp_legs,
    )


def ends(stages: Sequence[Stage]) -> tuple[Asked, Asked]:
    """The circuits of the first and of the last stage."""
    return asked(stages[0].price), asked(stages[-1].price)


def _holds(whole: Whole, name: str, stages: Sequence[Stage], version: str) -> bool:
    """Whether the models are priced as they were and, by its baseline, cut as they were."""
    baseline, cells = prepared(name, version), whole.took[1].cells
    return whole.asked == ends(stages) and (baseline is None or baseline.counts.cells == cells)
