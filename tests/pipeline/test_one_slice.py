"""One slice where it costs no more than the cut: asked for where it may, kept where it does."""

from dataclasses import replace
from typing import Any

import pytest
from pipeline_case import Case

from zkprep.errors import Disagreement, Imprecise, RangeExceeded, TooLarge, ZkprepError
from zkprep.options import ENOUGH, Baselines, Link, Links, Options
from zkprep.proving import search
from zkprep.proving.job import Fit, Job


class Prover:
    """What searches find: CPU seconds of the cut, in so many slices, and of one slice.

    `refused`: into how many slices the model was cut where that was not fine.
    """

    def __init__(
        self,
        cut: float | Exception,
        whole: float | Exception,
        slices: int = 3,
        refused: tuple[int, ...] = (),
    ) -> None:
        self.made = {False: cut, True: whole}
        self.slices = slices
        self.refused = [[0.0] * count for count in refused]
        self.asked: list[bool] = []

    def found(self, job: Job) -> tuple[Fit, list[float], list[list[float]]]:
        self.asked.append(job.fit.whole)
        seconds = self.made[job.fit.whole]
        if isinstance(seconds, Exception):
            raise seconds
        count = 1 if job.fit.whole else self.slices
        return replace(job.fit, scale=9), [seconds / count] * count, self.refused


def chosen(
    monkeypatch: pytest.MonkeyPatch, prover: Prover, estimate: float, options: Options | None = None
) -> Fit:
    """The fit where one slice is priced at `estimate`."""
    monkeypatch.setattr(search, "_found", prover.found)
    monkeypatch.setattr(search, "_spent", sum)
    monkeypatch.setattr(search, "estimated_whole", lambda _: estimate)
    nothing: Any = None
    job = Job(nothing, nothing, nothing, nothing, (), (), options or Options())
    return search.cheapest(job)


@pytest.mark.parametrize("whole", [20.0, 30.0])
def test_one_slice_is_kept_where_it_takes_no_more(
    monkeypatch: pytest.MonkeyPatch, whole: float
) -> None:
    assert chosen(monkeypatch, Prover(30.0, whole), estimate=35.0) == Fit(scale=9, whole=True)


def test_the_cut_is_kept_where_it_takes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    prover = Prover(30.0, 31.0)
    assert chosen(monkeypatch, prover, estimate=30.0) == Fit(scale=9)
    assert prover.asked == [False, True]


@pytest.mark.parametrize("refusal", [TooLarge("no"), Imprecise("no")])
def test_the_cut_is_kept_where_one_slice_is_none(
    monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    assert chosen(monkeypatch, Prover(30.0, refusal), estimate=30.0) == Fit(scale=9)


@pytest.mark.parametrize(("refused", "asked"), [((1, 1), [False]), ((2, 1), [False, True])])
def test_one_slice_may_do_with_fewer_bits_than_a_cut_that_was_too_coarse(
    monkeypatch: pytest.MonkeyPatch, refused: tuple[int, ...], asked: list[bool]
) -> None:
    prover = Prover(30.0, 29.0, slices=1, refused=refused)
    assert chosen(monkeypatch, prover, estimate=30.0).whole == asked[-1]
    assert prover.asked == asked


def test_one_slice_is_kept_where_there_is_no_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    prover = Prover(Imprecise("coarse"), 50.0)
    assert chosen(monkeypatch, prover, estimate=50.0) == Fit(scale=9, whole=True)
    assert prover.asked == [False, True]
    with pytest.raises(Imprecise, match="coarse"):
        chosen(monkeypatch, Prover(Imprecise("coarse"), 50.0), estimate=float("inf"))


@pytest.mark.parametrize("beside", [TooLarge("slice 000 needs more"), Disagreement("other")])
def test_what_is_wrong_with_the_cut_is_said(
    monkeypatch: pytest.MonkeyPatch, beside: Exception
) -> None:
    """Nobody asked for one slice: why that is none does not hide why there is no cut."""
    prover = Prover(Disagreement("computes something else"), beside)
    with pytest.raises(Disagreement, match="^computes something else$"):
        chosen(monkeypatch, prover, estimate=50.0)
    assert prover.asked == [False, True]


class Rounds:
    """Stands for cutting and sizing: what comes of each fit, in the order they are tried."""

    def __init__(self, *outcomes: Exception) -> None:
        self.outcomes, self.fits = list(outcomes), list[Fit]()

    def cut_and_size(self, job: Job) -> Any:
        self.fits.append(job.fit)
        raise self.outcomes.pop(0)


def refused(monkeypatch: pytest.MonkeyPatch, rounds: Rounds, kind: type[ZkprepError]) -> str:
    """The message and hint of the search where every round is refused."""
    monkeypatch.setattr(search, "cut_and_size", rounds.cut_and_size)
    nothing: Any = None
    with pytest.raises(kind) as why:
        search.cheapest(Job(nothing, nothing, nothing, nothing, (), (), Options(blocks=1)))
    assert not rounds.outcomes
    return f"{why.value}: {why.value.hint}"


def test_a_doubt_is_not_hidden_by_what_more_care_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    large = TooLarge("slice 000 needs 9 MB", hint="raise --memory to 10MB")
    rounds = Rounds(Disagreement("something else", hint="see"), Disagreement("still"), large)
    said = refused(monkeypatch, rounds, Disagreement)
    assert said.startswith("still: ") and said.endswith("needs 9 MB; raise --memory to 10MB")
    tried = [(one.margin, one.multiplier, one.lands) for one in rounds.fits]
    boldest, without, *careful = search.CARES
    assert boldest[:2] == without[:2], "nothing landed that could be left out"
    assert tried == [boldest, *careful]


def test_what_more_bits_take_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are needed; that a coarser circuit was in doubt is no matter any more."""
    large = TooLarge("slice 000 needs 9 MB", hint="raise --memory to 10MB")
    for before in ([], [Imprecise("coarse")], [Disagreement("doubt"), Imprecise("coarse")]):
        said = refused(monkeypatch, Rounds(*before, large), TooLarge)
        assert said == "slice 000 needs 9 MB: raise --memory to 10MB"


def test_values_too_large_where_fewer_bits_are_too_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = [Imprecise("coarse", bits=12), Imprecise("still coarse", bits=4)]
    cares = {care[:2] for care in search.CARES}  # nothing was made that might have landed
    large = [RangeExceeded("values up to 9e9", hint="lower --scale") for _ in cares]
    rounds = Rounds(*coarse, *large)
    said = refused(monkeypatch, rounds, RangeExceeded)
    assert said.startswith("values up to 9e9: with fewer bits, still coarse; a larger --tolerance")
    assert [one.scale for one in rounds.fits] == [8, ENOUGH, 20, 20, 20]


@pytest.mark.parametrize("estimate", [40.0, float("inf")])
def test_what_is_far_dearer_or_too_large_is_not_fitted(
    monkeypatch: pytest.MonkeyPatch, estimate: float
) -> None:
    prover = Prover(30.0, 1.0)
    assert chosen(monkeypatch, prover, estimate) == Fit(scale=9)
    assert prover.asked == [False]


@pytest.mark.parametrize(
    "options",
    [Options(blocks=3), Options(workers=2), Options(links=Links(Link.POLYCOMMIT))],
)
def test_a_cut_that_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch, options: Options) -> None:
    prover = Prover(30.0, 1.0)
    assert chosen(monkeypatch, prover, 1.0, options) == Fit(scale=9)
    assert prover.asked == [False]


def test_more_workers_prove_more_slices(skip: Case) -> None:
    """In one run directory: another number of workers is another question."""
    one, two = (
        skip.prove(Options(workers=workers, baselines=Baselines.NONE)) for workers in (1, 4)
    )
    counts = [len(report.variants["prepared"].slices) for report in (one, two)]
    assert counts[0] < counts[1]
    for report in (one, two):
        assert report.verdict is not None and report.verdict.accepted
