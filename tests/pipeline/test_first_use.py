"""The first proof on a machine measures it first; what it finds is predicted and never chosen."""

from dataclasses import dataclass, replace
from typing import Any

import psutil
import pytest
from pipeline_case import Case

from zkprep import pipeline
from zkprep.backends.base import Terms, Usage
from zkprep.backends.fake import FakeBackend
from zkprep.backends.fake_circuit import VERSION
from zkprep.cost.machine import Calibration, cpu_name, keep
from zkprep.cost.work import REFERENCE, Machine
from zkprep.execute.local import local_executor
from zkprep.execute.task import Call
from zkprep.options import Baselines, Options
from zkprep.proving import calibrate, sizing
from zkprep.report.types import Report
from zkprep.room import Room
from zkprep.runs.events import Event
from zkprep.tune import Limits

ONE = Options(blocks=1, scale=8, baselines=Baselines.NONE)


class Named(FakeBackend):
    """The fake prover by EZKL's name: what its probes say to use makes no sense."""

    @property
    def version(self) -> str:
        return f"ezkl {VERSION}"


@dataclass
class Elsewhere:
    """An executor that is not this machine's."""

    backend: FakeBackend

    @property
    def room(self) -> Room:
        return Room(1, 10**10, 1, 10**10)

    def perform(self, call: Call, terms: Terms, _peak_bytes: int) -> Usage:
        return call.on(self.backend.on(terms))


def keep_fit(constants: Machine) -> None:
    """Let this machine have been measured."""
    keep(
        Calibration(
            cpu=cpu_name(),
            cores=psutil.cpu_count() or 1,
            prover=VERSION,
            constants=constants,
            probes=3,
            time_error=0.1,
            memory_error=0.02,
        )
    )


def notes(case: Case, options: Options, backend: FakeBackend) -> list[str]:
    said: list[Event] = []
    report = case.prove(options, backend=backend, notify=said.append)
    assert report.verdict is not None and report.verdict.accepted
    return [one.reason for one in said if one.kind == "note"]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    """The machines whose memory circuits were chosen for."""
    asked: list[Machine] = []
    tuned = sizing._tuned

    def noting(*given: Any) -> Any:
        asked.append(next(one.machine for one in given if isinstance(one, Limits)))
        return tuned(*given)

    monkeypatch.setattr(sizing, "_tuned", noting)
    return asked


def statement(report: Report) -> str:
    assert report.verdict is not None and report.verdict.accepted
    return report.verdict.statement


@pytest.mark.usefixtures("fresh_cache")
def test_a_run_goes_on_where_its_machine_cannot_be_measured(skip: Case) -> None:
    first, second = notes(skip, ONE, Named())
    assert first.startswith("first run on this machine")
    assert second.startswith("not measured: ")
    assert notes(skip, replace(ONE, calibrate=False), Named()) == []


@pytest.mark.usefixtures("fresh_cache")
def test_a_machine_that_was_measured_is_not_again(skip: Case) -> None:
    keep_fit(REFERENCE)
    assert notes(skip, ONE, Named()) == []


@pytest.mark.usefixtures("fresh_cache")
def test_bad_input_is_refused_before_anything_is_measured(
    skip: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "calibrate", lambda *_: pytest.fail("measured"))
    with pytest.raises(Exception, match="none.json"):
        skip.prove(ONE, data=skip.folder / "none.json", backend=Named())


@pytest.mark.usefixtures("fresh_cache")
def test_only_the_machine_that_proves_is_measured(
    skip: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(pipeline, "on_first_use", lambda backend, _: asked.append(backend.version))
    for executor in (Elsewhere(FakeBackend()), local_executor(FakeBackend(), ONE)):
        pipeline.prove(
            *(skip.model, skip.data, skip.folder / "run", ONE, FakeBackend(), lambda _: None),
            executor=executor,
        )
    assert len(asked) == 1


@pytest.mark.usefixtures("fresh_cache")
def test_a_fit_is_predicted_and_not_chosen(skip: Case, judged: list[Machine]) -> None:
    before = skip.prove(replace(ONE, memory=10**9), out="before")
    keep_fit(replace(REFERENCE, slowness=0.25, bulk=0.5, memory_start=5e6))
    after = skip.prove(replace(ONE, memory=10**9), out="after")
    assert statement(after) == statement(before)
    assert set(judged) == {REFERENCE}
    assert (before.constants is None, after.constants is None) == (True, False)
    first, second = before.variants["prepared"].total, after.variants["prepared"].total
    assert first is not None and second is not None
    assert second.predicted.prove_cpu_seconds == first.predicted.prove_cpu_seconds / 4
    assert second.predicted.peak_bytes < first.predicted.peak_bytes


@pytest.mark.usefixtures("fresh_cache")
def test_what_does_not_fit_here_is_replaced(skip: Case, judged: list[Machine]) -> None:
    limit = 40 * 10**6
    options = Options(scale=8, baselines=Baselines.NONE, memory=limit)
    before = skip.prove(options, out="before")
    found = before.variants["prepared"].total
    assert found is not None
    start = REFERENCE.memory_start
    here = replace(REFERENCE, bulk=1.05 * (limit - start) / (found.predicted.peak_bytes - start))
    keep_fit(here)
    after = skip.prove(options, out="after")
    assert set(judged) == {REFERENCE, here}
    assert all(part.predicted.peak_bytes <= limit for part in after.variants["prepared"].slices)
    assert statement(after) != statement(before)
