"""A machine's constants: fitted to probes, kept per prover, told with the error they leave."""

from dataclasses import replace
from pathlib import Path

import pytest
from cost_samples import make_settings

from zkprep.cost.circuit import Layout, layout
from zkprep.cost.machine import Probe, constants, fit, keep, kept
from zkprep.cost.work import REFERENCE, Machine, predict

HERE = replace(REFERENCE, slowness=0.7, memory_start=30e6, bulk=0.8)


def _layout(logrows: int, cells: int) -> Layout:
    base = 2**logrows - 8
    ranges = [(-1, 1), (0, base - 1)]
    return layout(make_settings(logrows=logrows, width=2, cells=cells, constants=4, ranges=ranges))


def _probe(made: Layout, machine: Machine, *, slower: float = 1.0) -> Probe:
    work = predict(made, machine)
    return Probe(
        layout=made,
        setup_cpu_seconds=work.setup_cpu_seconds,
        prove_cpu_seconds=slower * work.prove_cpu_seconds,
        peak_bytes=work.peak_bytes,
    )


LAYOUTS = [_layout(11, 9000), _layout(12, 9000), _layout(13, 40_000)]


def test_the_constants_of_a_machine_are_found() -> None:
    found = fit([_probe(made, HERE) for made in LAYOUTS], "23.0.5")
    assert found.constants.slowness == pytest.approx(0.7)
    assert found.constants.memory_start == pytest.approx(30e6, rel=1e-3)
    assert found.constants.bulk == pytest.approx(0.8, rel=1e-3)
    assert found.time_error == pytest.approx(0, abs=1e-9)
    assert found.memory_error == pytest.approx(0, abs=1e-3)


def test_the_error_that_is_left_is_told() -> None:
    probes = [_probe(made, HERE) for made in LAYOUTS[:2]] + [_probe(LAYOUTS[2], HERE, slower=1.5)]
    found = fit(probes, "23.0.5")
    assert 0.3 < found.time_error < 0.5


def test_a_calibration_is_kept_for_its_prover_alone(fresh_cache: Path) -> None:
    assert constants("23.0.5") == REFERENCE
    found = fit([_probe(made, HERE) for made in LAYOUTS], "23.0.5")
    path = keep(found)
    assert path.is_relative_to(fresh_cache)
    assert kept("23.0.5") == found
    assert constants("23.0.5") == found.constants
    assert constants("24.0.0") == REFERENCE
    path.write_text("{}")
    assert constants("23.0.5") == REFERENCE
