"""Calibration: probes give a machine's constants, kept and used by the next prediction.

Where not real, probes are the fake prover's, which goes by EZKL's name and says to use what the law
of work says of a machine: so that machine has to be found.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from zkprep.backends.base import Usage
from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.circuit import read_settings
from zkprep.cost.circuit import layout
from zkprep.cost.machine import kept
from zkprep.cost.work import REFERENCE, Work, predict
from zkprep.errors import BackendError
from zkprep.proving import calibrate
from zkprep.runs.events import Event

FEW = (
    calibrate.Circuit(60, 10),
    calibrate.Circuit(400, 10),
    calibrate.Circuit(80, 10, pooled=True),
)
FIXED = 9
"""Columns: the fake prover's keys say none."""

HERE = replace(REFERENCE, slowness=0.5, memory_start=30e6, bulk=1.5)
VERSION = "1"


@dataclass(frozen=True)
class Lawful(FakeBackend):
    """EZKL by name, on the machine HERE.

    Attributes:
        slower: how much more CPU the first try of every circuit takes.
        stop: raised by the second circuit's proof.
        calls: setups and proofs.
    """

    slower: float = 1.0
    stop: BaseException | None = None
    calls: Counter[Path] = field(default_factory=Counter)

    @property
    def version(self) -> str:
        return f"ezkl {VERSION}"

    def setup(self, circuit: Path, srs: Path, vk: Path, pk: Path) -> Usage:
        super().setup(circuit, srs, vk, pk)
        return self._usage(vk, self._work(circuit).setup_cpu_seconds, 0)

    def prove(
        self, witness: Path, circuit: Path, pk: Path, srs: Path, settings: Path, out: Path
    ) -> Usage:
        super().prove(witness, circuit, pk, srs, settings, out)
        if self.stop is not None and circuit.parent.name == "2":
            raise self.stop
        work = self._work(circuit)
        return self._usage(out, work.prove_cpu_seconds, work.peak_bytes)

    def _work(self, circuit: Path) -> Work:
        settings = read_settings((circuit.parent / "settings").read_bytes())
        return predict(layout(settings, FIXED), HERE)

    def _usage(self, out: Path, seconds: float, peak: int) -> Usage:
        self.calls[out] += 1
        seconds *= self.slower if self.calls[out] == 1 else 1.0
        return Usage(seconds=seconds, cpu_seconds=seconds, peak_bytes=peak)


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake prover's probes, on a machine that does nothing else."""
    monkeypatch.setattr(calibrate, "read_fixed_columns", lambda _vk: FIXED)
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))


def told(backend: FakeBackend | EzklBackend) -> list[str]:
    """What a first use tells."""
    said: list[Event] = []
    calibrate.on_first_use(backend, said.append)
    assert {one.kind for one in said} <= {"note"}
    return [one.reason for one in said]


@pytest.mark.usefixtures("fresh_cache", "idle")
def test_the_first_use_measures_and_the_second_does_not() -> None:
    backend = Lawful()
    (line,) = told(backend)
    assert "first run on this machine" in line
    assert "once" in line
    found = kept(VERSION)
    assert found is not None
    assert found.constants.slowness == pytest.approx(HERE.slowness)
    assert found.constants.bulk == pytest.approx(HERE.bulk, rel=1e-3)
    assert found.constants.memory_start == pytest.approx(HERE.memory_start, rel=1e-3)
    assert not found.busy
    calls = backend.calls.total()
    assert told(backend) == []
    assert backend.calls.total() == calls


@pytest.mark.usefixtures("fresh_cache", "idle")
def test_of_two_tries_the_quicker_counts() -> None:
    assert len(told(Lawful(slower=3.0))) == 1
    found = kept(VERSION)
    assert found is not None
    assert found.constants.slowness == pytest.approx(HERE.slowness)
    assert found.time_error == pytest.approx(0, abs=1e-9)


@pytest.mark.usefixtures("fresh_cache", "idle")
def test_a_busy_machine_is_said_to_have_been(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 0.0, 0.0))
    told(Lawful())
    found = kept(VERSION)
    assert found is not None
    assert found.busy


@pytest.mark.usefixtures("fresh_cache", "idle")
def test_a_probe_that_fails_is_told_and_stops_nothing() -> None:
    _, line = told(Lawful(stop=BackendError("the prover fell over", stage="prove")))
    assert "not measured" in line
    assert "the prover fell over" in line
    assert "the reference machine's" in line
    assert kept(VERSION) is None


@pytest.mark.usefixtures("fresh_cache", "idle")
def test_an_interruption_keeps_nothing_and_the_next_use_measures() -> None:
    with pytest.raises(KeyboardInterrupt):
        told(Lawful(stop=KeyboardInterrupt()))
    assert kept(VERSION) is None
    assert len(told(Lawful())) == 1
    assert kept(VERSION) is not None


@pytest.mark.usefixtures("fresh_cache", "idle")
def test_probes_that_contradict_each_other_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((1.0, 30.0) * 6)
    monkeypatch.setattr(Lawful, "_usage", lambda *_: Usage(1.0, next(seconds), 10**8))
    monkeypatch.setattr(calibrate, "TRIES", 1)
    with pytest.raises(BackendError, match="contradict each other, by .* nothing was kept"):
        calibrate.calibrate(Lawful(), lambda _line: None)
    assert kept(VERSION) is None


def test_a_cache_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("ZKPREP_CACHE", str(tmp_path / "file/cache"))
    backend = Lawful()
    _, line = told(backend)
    assert "cannot write" in line
    assert not backend.calls, "nothing is measured that could not be kept"


@pytest.mark.usefixtures("fresh_cache")
def test_the_law_is_not_the_fake_provers() -> None:
    assert told(FakeBackend()) == []


@pytest.mark.ezkl
def test_probes_are_measured_and_the_constants_kept(
    kept_srs: Callable[[int], Srs], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = kept_srs(10)
    monkeypatch.setenv("ZKPREP_CACHE", str(tmp_path))
    monkeypatch.setattr(calibrate.srs, "generate", lambda *_: secret)
    monkeypatch.setattr(calibrate, "PROBES", FEW)
    monkeypatch.setattr(calibrate, "TRIES", 1)
    monkeypatch.setattr(calibrate, "NONSENSE", 5.0)  # so small probes are mostly their start
    said: list[str] = []
    found = calibrate.calibrate(EzklBackend(), said.append)
    assert [line.partition(":")[0] for line in said] == [f"probe {n} of 3" for n in (1, 2, 3)]
    assert found.probes == len(FEW)
    assert found.constants.slowness > 0
    assert found.constants.bulk > 0.5
    assert kept("23.0.5") == found
