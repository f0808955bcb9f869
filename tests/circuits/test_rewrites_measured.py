"""docs/rewrites.md: what was measured stands beside what was predicted, of the same circuits."""

from pathlib import Path

import onnx_ir as ir
import pytest
from msgspec.structs import replace

from benchmarks import rewrite_proofs, rewrites, rewritten
from benchmarks.rewritten import Results, Stage, State, Took, Whole
from zkprep.circuit import CircuitSpec
from zkprep.cost.price import Price
from zkprep.proving.assemble import this_machine
from zkprep.report.figures import seconds

NOTHING = ir.Model(ir.Graph([], [], nodes=[]), ir_version=10)


def _stage(rule: str, cells: int, times: float, digits: int = 2) -> Stage:
    return Stage(rule, 1, Price(times, cells, 5, CircuitSpec(decomp_legs=digits)), NOTHING)


def _took(cells: int, predicted: float, measured: float, error: float = 0.001) -> Took:
    return Took(
        slices=1,
        cells=cells,
        degree=5,
        reference_cpu_seconds=predicted,
        prove_cpu_seconds=measured,
        pk_bytes=1_000_000,
        peak_bytes=2_000_000,
        relative_error=error,
    )


def _state(stage: Stage, took: Took, *, as_asked: bool = True) -> State:
    asked = rewritten.asked(stage.price)
    return State(rule=stage.rule, asked=asked, as_asked=as_asked, took=took)


def _known(*states: State, **wholes: Whole) -> Results:
    return Results(
        machine=this_machine(),
        prover="ezkl 0",
        slowness=0.5,
        states={"a case": list(states)},
        wholes=wholes,
    )


STAGES = [_stage("fused", 1000, 10.0), _stage("a rule", 800, 8.0)]
CASE = rewrites.Case(name="a case", floor=500, stages=STAGES, causes={})


def test_a_row_has_the_circuits_that_were_proved_where_both_were() -> None:
    before = _state(STAGES[0], _took(1002, 12.0, 6.6))
    after = _state(STAGES[1], _took(801, 6.0, 3.3))
    text = "\n".join(rewrites.per_rewrite([CASE], _known(before, after)))
    cells = "1\u202f002 | 801 | 5"
    assert f"| {cells} | 6.00 s | 3.00 s | -50.0 % | 6.60 s | 3.30 s | -50.0 % |" in text
    assert "is 1.10 in geometric mean, from 1.10 to 1.10" in text
    assert "tolerance" not in text


def test_a_row_has_the_prices_where_one_side_was_not_proved() -> None:
    before = _state(STAGES[0], _took(1002, 12.0, 6.6))
    text = "\n".join(rewrites.per_rewrite([CASE], _known(before)))
    cells = "1\u202f000 | 800 | 5"
    assert f"| {cells} | 5.00 s | 4.00 s | -20.0 % | - | - | - | - | - |" in text


def test_circuits_that_are_not_the_priced_ones_or_coarse_are_named() -> None:
    before = _state(STAGES[0], _took(900, 12.0, 6.6, error=0.92), as_asked=False)
    text = "\n".join(rewrites.per_rewrite([CASE], _known(before)))
    assert "Of a case a priced circuit would put out more" in text
    assert "a case 92 % of the output's range" in text


def test_what_is_priced_otherwise_by_now_is_dropped() -> None:
    states = [_state(one, _took(1000, 12.0, 6.6)) for one in STAGES]
    whole = Whole(asked=rewritten.ends(STAGES), took=(_took(1, 2.0, 1.0), _took(1, 1.0, 0.5)))
    known = _known(*states, **{"a case": whole})
    assert rewritten.kept(known, {"a case": STAGES}) == known
    fewer = rewritten.kept(known, {"a case": [STAGES[0], _stage("a rule", 799, 8.0)]})
    assert (fewer.states, fewer.wholes) == ({"a case": states[:1]}, {})
    longer = rewritten.kept(known, {"a case": [_stage("fused", 1000, 9.0, 3), STAGES[1]]})
    assert longer.states == {"a case": states[1:]}
    assert rewritten.kept(known, {}) == replace(known, states={}, wholes={})


def test_the_document_has_what_is_on_file() -> None:
    known, text = rewritten.read(), rewrites.DOCUMENT.read_text(encoding="utf-8")
    assert "\n".join(rewrites.measured(known)) in text
    for name, states in known.states.items():
        rows = [line for line in text.splitlines() if f" | {name} | " in line]
        shown = [
            one for one in states if any(seconds(one.took.prove_cpu_seconds) in r for r in rows)
        ]
        assert shown == (states if rows else [])


@pytest.mark.ezkl
def test_a_stage_is_proved_as_it_is_priced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewritten, "RESULTS", tmp_path / "rewrites.json")
    (stage,) = rewrites.staged("mlp_batchnorm").stages
    found = rewrite_proofs.state("mlp_batchnorm", stage)
    assert found.is_of(stage)
    assert found.as_asked
    assert 0 <= found.took.cells - stage.price.cells <= 8  # one cell per block of one column
    assert found.took.relative_error < 0.01
    assert found.took.prove_cpu_seconds > 0
