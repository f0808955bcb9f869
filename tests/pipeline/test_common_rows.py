"""Slices with committed sides get one number of rows: the cheapest at which all of them exist."""

from types import SimpleNamespace
from typing import Any

import pytest

from zkprep.circuit import CircuitSpec
from zkprep.errors import RangeExceeded, TooLarge
from zkprep.options import Options
from zkprep.proving import sizing
from zkprep.proving.boundary import Boundary
from zkprep.proving.job import Fit

OPEN, COMMITTED = Boundary(), Boundary("public", "polycommit")
PRICES = {10: 5.0, 11: 4.0, 12: 2.0, 13: 3.0}
"""CPU seconds of a slice by its rows."""


class Tuner:
    """A stand-in for zkprep.tune: each slice would like rows of its own."""

    def __init__(self, likes: list[int], missing: frozenset[int] = frozenset()) -> None:
        self.likes, self.missing = likes, missing
        self.asked: list[list[int]] = []

    def Circuits(self, demand: int, limits: Any, scale: int) -> Any:  # noqa: N802
        fixed = limits.logrows if limits.least == limits.logrows else None
        return SimpleNamespace(logrows=fixed or self.likes[demand])

    def tuned(self, chain: list[Any], _scale: int, _budget: int | None) -> list[Any]:
        rows = [circuits.logrows for circuits in chain]
        self.asked.append(rows)
        if len(self.asked) > 1 and rows[0] in self.missing:
            raise RangeExceeded(f"no circuit of logrows {rows[0]}")
        return [SimpleNamespace(spec=CircuitSpec(logrows=one), seconds=PRICES[one]) for one in rows]

    def explain(self, *_: object) -> tuple[()]:
        return ()


def rows(
    monkeypatch: pytest.MonkeyPatch, tuner: Tuner, boundaries: list[Boundary]
) -> list[CircuitSpec]:
    """The specs that are chosen for slices with these boundaries."""
    for name in ("Circuits", "tuned", "explain"):
        monkeypatch.setattr(sizing.tune, name, getattr(tuner, name))
    views: Any = [SimpleNamespace(boundary=one) for one in boundaries]
    job: Any = SimpleNamespace(scale=8, options=Options(), fit=Fit())
    demands: Any = list(range(len(boundaries)))
    limits = sizing.tune.Limits(memory=1)
    bits = [job.scale] * len(boundaries)
    found = sizing._tuned(job, views, demands, limits, bits)
    return [chosen.spec for chosen in sizing._chosen(views, found)]


def test_open_slices_keep_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = rows(monkeypatch, Tuner([10, 13]), [OPEN, OPEN])
    assert [spec.logrows for spec in specs] == [10, 13]


def test_committed_slices_share_the_cheapest(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = rows(monkeypatch, Tuner([10, 11, 13]), [COMMITTED, OPEN, COMMITTED])
    assert [spec.logrows for spec in specs] == [12, 11, 12]
    assert [spec.output_visibility for spec in specs] == ["polycommit", "public", "polycommit"]


def test_rows_without_a_circuit_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tuner = Tuner([10, 13], frozenset({12, 10}))
    specs = rows(monkeypatch, tuner, [COMMITTED, COMMITTED])
    assert [spec.logrows for spec in specs] == [13, 13]


def test_no_common_rows_is_the_last_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    tuner = Tuner([10, 11], frozenset({10, 11}))
    with pytest.raises((RangeExceeded, TooLarge), match="no circuit of logrows 11"):
        rows(monkeypatch, tuner, [COMMITTED, COMMITTED])
