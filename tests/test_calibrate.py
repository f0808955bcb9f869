"""Calibration: real probes give a machine's constants, kept and used by the next prediction."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zkprep import calibrate
from zkprep.backends.ezkl import EzklBackend
from zkprep.cost.machine import kept
from zkprep.srs import Srs

FEW = (
    calibrate.Circuit(60, 10),
    calibrate.Circuit(400, 10),
    calibrate.Circuit(80, 10, pooled=True),
)


@pytest.mark.ezkl
def test_probes_are_measured_and_the_constants_kept(
    kept_srs: Callable[[int], Srs], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = kept_srs(10)
    monkeypatch.setenv("ZKPREP_CACHE", str(tmp_path))
    monkeypatch.setattr(calibrate.srs, "generate", lambda *_: secret)
    monkeypatch.setattr(calibrate, "PROBES", FEW)
    said: list[str] = []
    found = calibrate.calibrate(EzklBackend(), said.append)
    assert [line.partition(":")[0] for line in said] == [f"probe {n} of 3" for n in (1, 2, 3)]
    assert found.probes == len(FEW)
    assert found.constants.slowness > 0
    assert found.constants.bulk > 0.5
    assert kept("23.0.5") == found
