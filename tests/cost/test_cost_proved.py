"""Circuits proved by benchmarks/sizes.py and recorded: what was said of them before is so."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest

from zkprep.circuit import Settings, read_settings
from zkprep.cost.circuit import layout
from zkprep.cost.machine import Calibration
from zkprep.cost.work import predict

RECORD = json.loads((Path(__file__).parent / "proved.json").read_bytes())
MACHINE = msgspec.convert(RECORD["calibration"], Calibration).constants
SIZES = ("pk_bytes", "vk_bytes", "proof_bytes")


@dataclass(frozen=True)
class Proved:
    network: str
    settings: Settings
    measured: dict[str, float]

    @property
    def columns(self) -> int:
        return self.settings.run_args.num_inner_cols


def _read(entry: dict[str, Any]) -> Proved:
    settings = read_settings(json.dumps(entry["settings"]).encode())
    return Proved(entry["network"], settings, {k: v for k, v in entry.items() if k != "settings"})


CIRCUITS = [_read(entry) for entry in RECORD["circuits"]]


def _name(one: Proved) -> str:
    args = one.settings.run_args
    return f"{one.network}-{args.logrows}-{args.num_inner_cols}-{args.output_visibility}"


@pytest.mark.parametrize("one", [one for one in CIRCUITS if one.columns <= 3], ids=_name)
def test_keys_and_proofs_have_the_predicted_size_to_the_byte(one: Proved) -> None:
    made = layout(one.settings)
    assert {size: getattr(made, size) for size in SIZES} == {k: one.measured[k] for k in SIZES}


@pytest.mark.parametrize("one", [one for one in CIRCUITS if one.columns > 3], ids=_name)
def test_with_more_columns_keys_are_near_because_selectors_collide(one: Proved) -> None:
    for size in SIZES:
        assert getattr(layout(one.settings), size) == pytest.approx(one.measured[size], rel=0.03)


@pytest.mark.parametrize(
    ("what", "least"),
    [
        (lambda one: one.columns <= 3, 20),
        (lambda one: one.settings.required_lookups, 3),
        (lambda one: one.settings.num_shuffles, 3),
        (lambda one: layout(one.settings).blocks > 1, 6),
        (lambda one: "Hashed" in one.settings.run_args.output_visibility, 2),
        (lambda one: one.settings.module_sizes.polycommit, 3),
        (lambda one: layout(one.settings).degree == 6, 3),
    ],
    ids=["few columns", "lookups", "pooling", "blocks", "hashed", "polycommit", "degree 6"],
)
def test_the_record_covers(what: Callable[[Proved], Any], least: int) -> None:
    assert sum(bool(what(one)) for one in CIRCUITS) >= least


@pytest.mark.parametrize(
    ("predicted", "measured"),
    [("prove_cpu_seconds", "prove_cpu_seconds"), ("peak_bytes", "peak_bytes")],
)
def test_work_is_predicted_within_15_percent_in_the_median(predicted: str, measured: str) -> None:
    off = [
        abs(getattr(predict(layout(one.settings), MACHINE), predicted) / one.measured[measured] - 1)
        for one in CIRCUITS
    ]
    assert median(off) < 0.15
