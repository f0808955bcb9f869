"""The law of work against circuits that were set up and proved; no time is measured here."""

from dataclasses import dataclass

import pytest
from cost_samples import make_settings
from msgspec.structs import replace

from zkprep.cost.circuit import Layout, layout
from zkprep.cost.work import Machine, predict

# logrows width cells base tables | key MB | CPU s of setup and prove | GB to prove; - not known
MEASURED = """
relu-4096    | 15 2 192512 16384 0 | 315 |    -  34.2 | 0.78
relu-4096-17 | 17 2 192512 16384 0 | 554 | 42.4  58.7 | 1.29
relu-2048    | 15 2  96256 16384 0 | 227 | 21.9  25.8 | 0.56
relu-2048-16 | 16 2  96256 16384 0 | 277 | 24.9  33.2 | 0.65
relu-1024-w1 | 15 1  45056 16384 0 | 145 | 12.7  16.4 | 0.34
relu-1024-w4 | 15 4  56320 16384 0 | 350 | 26.5  38.9 | 0.91
conv-relu    | 15 2  32000 16384 0 | 138 | 11.7  16.0 | 0.34
sigmoid-512  | 17 2  16384 16384 1 | 655 | 48.2  66.0 | 1.52
conv-integer | 15 2 626560     0 0 | 787 | 70.0  68.8 | 1.42
conv-13      | 13 2  73048  8184 0 | 124 |    -  14.5 |    -
conv-12      | 12 2  73048  4088 0 | 107 |    -  16.2 |    -
"""


@dataclass(frozen=True)
class Measured:
    name: str
    layout: Layout
    key_megabytes: int
    setup: float | None
    prove: float
    peak: float | None


def parse(line: str) -> Measured:
    name, counts, key, times, peak = (part.strip() for part in line.split("|"))
    logrows, width, cells, base, tables = (int(word) for word in counts.split())
    setup, prove = times.split()
    settings = make_settings(
        logrows=logrows,
        width=width,
        cells=cells,
        constants=3,
        ranges=[(-1, 1), (0, base - 1)] if base else [],
        lookups=tables,
    )
    return Measured(
        name=name,
        layout=layout(settings),
        key_megabytes=int(key),
        setup=None if setup == "-" else float(setup),
        prove=float(prove),
        peak=None if peak == "-" else float(peak),
    )


CIRCUITS = [parse(line) for line in MEASURED.strip().splitlines()]
every_circuit = pytest.mark.parametrize("circuit", CIRCUITS, ids=lambda circuit: circuit.name)


@every_circuit
def test_the_key_has_the_size_it_had(circuit: Measured) -> None:
    assert round(circuit.layout.pk_bytes / 1e6) == circuit.key_megabytes


@every_circuit
def test_times_and_memory_are_within_the_stated_error(circuit: Measured) -> None:
    work = predict(circuit.layout)
    assert work.prove_cpu_seconds == pytest.approx(circuit.prove, rel=0.25)
    if circuit.setup is not None:
        assert work.setup_cpu_seconds == pytest.approx(circuit.setup, rel=0.15)
    if circuit.peak is not None:
        assert 0.93 <= work.peak_bytes / 1e9 / circuit.peak <= 1.5


def test_the_mean_error_of_prove_is_that_of_the_fit() -> None:
    errors = [
        abs(predict(circuit.layout).prove_cpu_seconds / circuit.prove - 1) for circuit in CIRCUITS
    ]
    assert sum(errors) / len(errors) < 0.11


def test_a_slower_machine_takes_longer_and_no_more_memory() -> None:
    here, there = (predict(CIRCUITS[0].layout, Machine(slowness=factor)) for factor in (1, 3))
    assert there.prove_cpu_seconds == pytest.approx(3 * here.prove_cpu_seconds)
    assert there.setup_cpu_seconds == pytest.approx(3 * here.setup_cpu_seconds)
    assert there.peak_bytes == here.peak_bytes


def test_a_degree_above_five_costs_more_than_its_columns() -> None:
    plain = make_settings(logrows=12, width=2, cells=9000, constants=4, ranges=[(-1, 1), (0, 4087)])
    shuffled = replace(plain, num_shuffles=1, total_shuffle_col_size=64)
    before, after = (predict(layout(settings)) for settings in (plain, shuffled))
    assert after.prove_cpu_seconds > 1.3 * before.prove_cpu_seconds
    assert after.peak_bytes > 1.5 * before.peak_bytes
