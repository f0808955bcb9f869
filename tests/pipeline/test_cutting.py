"""Rounds of cutting: cells suggest, circuits decide, and what a refusal says would do does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from pipeline_case import Case

from zkprep import pipeline
from zkprep.backends.fake import FakeBackend
from zkprep.errors import NoCut, TooLarge
from zkprep.options import Baselines, Options
from zkprep.proving import cutting
from zkprep.proving.job import Fit, Job
from zkprep.report.types import SliceReport
from zkprep.runs.events import silent
from zkprep.tune import SliceTooLarge

MB = 10**6
LIMIT = 1000 * MB


@dataclass
class Chain:
    """Operators in a row: megabytes by their cells, and how much more their circuits take."""

    operators: Sequence[float]
    more: Sequence[float]
    asked: list[int] = field(default_factory=list)

    def cut(self, _prepared: Any, options: Options, memory: int, _scale: int) -> Any:
        """As few slices as cells allow, or as many as were asked for, the first ones small."""
        room = memory / MB
        if max(self.operators) > room:
            raise NoCut("an operator alone", least=round(max(self.operators) * MB), hint="by cells")
        slices: list[list[int]] = []
        for index in range(len(self.operators)):
            if slices and self._cells([*slices[-1], index]) <= room:
                slices[-1].append(index)
            else:
                slices.append([index])
        if options.blocks is not None:
            if len(slices) > options.blocks:
                raise NoCut("so many slices", least=round(sum(self.operators) * MB), hint="cells")
            first = options.blocks - 1
            slices = [*([one] for one in range(first)), [*range(first, len(self.operators))]]
        return SimpleNamespace(slices=[SimpleNamespace(nodes=(str(one),)) for one in slices])

    def size(self, _job: Job, slicing: Any, room: int) -> Any:
        self.asked.append(len(slicing.slices))
        for index, piece in enumerate(slicing.slices):
            nodes = [int(one) for one in re.findall(r"\d+", piece.nodes[0])]
            need = round(sum(self.operators[one] * self.more[one] for one in nodes) * MB)
            if need > room:
                raise SliceTooLarge(f"{index:03d}", need, room)
        return slicing, {}

    def suggested(self, slicing: Any, refused: SliceTooLarge, _spec: Any) -> int:
        nodes = slicing.slices[int(refused.slice_name)].nodes[0]
        return round(self._cells([int(one) for one in re.findall(r"\d+", nodes)]) * MB)

    def _cells(self, nodes: Sequence[int]) -> float:
        return sum(self.operators[one] for one in nodes)


def slices(monkeypatch: pytest.MonkeyPatch, chain: Chain, job: Job) -> int:
    """In how many slices the chain fits."""
    monkeypatch.setattr(cutting, "cut", chain.cut)
    monkeypatch.setattr(cutting, "size", chain.size)
    monkeypatch.setattr(cutting, "_suggested", chain.suggested)
    return len(cutting.cut_and_size(job)[0].slices)


def job(memory: int = LIMIT, blocks: int | None = None, fit: Fit | None = None) -> Job:
    nothing: Any = None
    options = Options(memory=memory, blocks=blocks)
    prepared: Any = SimpleNamespace(model=None)
    return Job(nothing, nothing, nothing, prepared, (), (), options, fit=fit or Fit())


@pytest.mark.parametrize("over", [1.005, 1.1, 2.0])
def test_a_slice_that_is_too_large_is_cut_again(
    monkeypatch: pytest.MonkeyPatch, over: float
) -> None:
    chain = Chain([500, 500], [over, over])
    if over < 2:
        assert slices(monkeypatch, chain, job()) == 2
        assert chain.asked == [1, 2]
    else:
        assert slices(monkeypatch, chain, job(LIMIT + 1)) == 2


def test_a_cut_that_was_refused_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where circuits take three times what cells suggest, many memories give the same cut."""
    chain = Chain([200, 150], [2.9, 2.9])
    assert slices(monkeypatch, chain, job()) == 2
    assert chain.asked == [1, 2]


def test_the_smallest_cut_that_cells_allow_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be within a thousandth of what was refused."""
    chain = Chain([999, 0.9], [1.0, 5.0])
    assert slices(monkeypatch, chain, job()) == 2
    assert chain.asked == [1, 2]


def test_circuits_decide_where_cells_are_near_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    near = Chain([1200, 100], [0.8, 0.8])
    assert slices(monkeypatch, near, job()) == 2
    far = Chain([1300, 100], [0.7, 0.7])
    with pytest.raises(NoCut, match="an operator alone"):
        slices(monkeypatch, far, job())
    assert far.asked == []


@pytest.mark.parametrize("blocks", [None, 1, 2, 4])
def test_what_a_refusal_names_does(monkeypatch: pytest.MonkeyPatch, blocks: int | None) -> None:
    """The refusal speaks of the first slice that is too large; the last one takes more."""
    chain = Chain([600, 900, 100, 100], [1.9, 1.9, 1.0, 1.0])
    with pytest.raises(TooLarge, match="slice 00. needs") as why:
        slices(monkeypatch, chain, job(blocks=blocks))
    assert "--blocks" not in why.value.hint, "no number of slices would do"
    enough = int(re.findall(r"^raise --memory to (\d+)MB$", why.value.hint)[0])
    assert enough >= 1.9 * 900
    assert slices(monkeypatch, chain, job(enough * MB, blocks)) == (blocks or 3)


def test_so_many_slices_as_a_refusal_names_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain([500, 500, 500], [1.5, 1.5, 1.5])
    with pytest.raises(TooLarge) as why:
        slices(monkeypatch, chain, job(blocks=2))
    assert why.value.hint == ("leave --blocks to zkprep: 3 slices fit; or raise --memory to 1530MB")
    assert slices(monkeypatch, chain, job()) == 3
    assert slices(monkeypatch, chain, job(1530 * MB, blocks=2)) == 2


@pytest.mark.parametrize("fit", [Fit(whole=True), Fit(tapered=True), Fit(coarse=True)])
def test_what_is_tried_beside_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, fit: Fit) -> None:
    chain = Chain([900], [2.0])
    with pytest.raises(SliceTooLarge):
        slices(monkeypatch, chain, job(fit=fit))
    assert chain.asked == [1]


def test_what_a_refusal_of_a_real_model_names_does(skip: Case) -> None:
    """What the circuits of one slice take is known only when they have been asked for again."""

    def measured(memory: int, blocks: int | None) -> list[SliceReport]:
        options = Options(
            memory=memory, blocks=blocks, scale=9, tolerance=0.1, baselines=Baselines.NONE
        )
        report = pipeline.measure(skip.model, skip.data, options, FakeBackend(), silent)
        return report.variants["prepared"].slices

    with pytest.raises(TooLarge, match="slice 000 needs 32 MB to prove; the limit is 31 MB") as why:
        measured(31 * MB, blocks=1)
    said = r"leave --blocks to zkprep: (\d+) slices fit; or raise --memory to (\d+)MB"
    ((slices, enough),) = re.findall(said, why.value.hint)
    (whole,) = measured(int(enough) * MB, blocks=1)
    assert 31 * MB < whole.predicted.peak_bytes <= int(enough) * MB
    free = measured(31 * MB, blocks=None)
    assert len(free) == int(slices)
    assert max(one.predicted.peak_bytes for one in free) <= 31 * MB
