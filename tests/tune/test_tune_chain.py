"""The tuner on chains: links agree, nothing cheaper is missed, budgets are kept or refused."""

from dataclasses import replace
from itertools import pairwise, product

import pytest
from tune_chains import CONV, PLENTY, add, chain, conv

from zkprep.circuit import CircuitSpec
from zkprep.cost.work import Machine
from zkprep.errors import RangeExceeded, TooLarge
from zkprep.tune import (
    Choice,
    Circuits,
    Limits,
    Point,
    ScaleConflict,
    SliceTooLarge,
    explain,
    proof_bytes,
    refined,
    tuned,
)
from zkprep.tune.chain import ALIKE
from zkprep.tune.circuits import INNER_COLUMNS
from zkprep.tune.demand import JUST_BELOW
from zkprep.tune.precision import PAYS
from zkprep.wellformed import LARGEST_DEFERRED_SCALE, LARGEST_RANGE

LINE = [conv("one", "x", "a"), conv("two", "a", "b"), conv("three", "b", "c")]
SKIP = [conv("one", "x", "a"), conv("two", "a", "b"), add("three", "a", "b", "c")]
SCALE = 8


def _seconds(choices: tuple[Choice, ...]) -> float:
    return sum(choice.seconds for choice in choices)


def _greedy(slices: list[Circuits], multipliers: tuple[int, ...]) -> float:
    """Seconds of a line of slices at these multipliers, layout by layout."""
    scale, total = SCALE, 0.0
    for circuits, multiplier in zip(slices, multipliers, strict=True):
        choices = circuits.choices(Point(scale, SCALE, multiplier))
        if not choices:
            return float("inf")
        best = min(choices, key=lambda one: one.seconds)
        total, (scale,) = total + best.seconds, best.output_scales
    return total


def test_links_agree_and_no_other_multipliers_are_cheaper() -> None:
    choices = tuned(chain(LINE), SCALE)
    for one, other in pairwise(choices):
        assert one.output_scales == other.input_scales
    slices = chain(LINE)
    every = [_greedy(slices, tried) for tried in product(range(1, 6), repeat=3)]
    assert min(every) <= _seconds(choices) <= ALIKE * min(every)
    assert _seconds(choices) < _greedy(slices, (1, 1, 1))


def test_what_is_chosen_is_exact() -> None:
    assert all(choice.exact for choice in tuned(chain(LINE), SCALE))


def test_a_skip_has_one_scale_at_both_ends() -> None:
    choices = tuned(chain(SKIP), SCALE)
    assert len({*choices[0].output_scales, *choices[1].output_scales}) == 1
    assert choices[2].input_scales == choices[0].output_scales + choices[1].output_scales


def test_scales_that_cannot_agree_are_a_conflict() -> None:
    # The model's input is at SCALE; whatever the second Conv does, it puts out more.
    slices = chain([conv("one", "x", "a"), add("two", "x", "a", "b")], largest=0.9)
    never = [replace(circuits.limits, multiplier=1) for circuits in slices]
    assert tuned([Circuits(c.demand, limits) for c, limits in zip(slices, never, strict=True)], 8)
    forced = _Deferring(slices[0].demand, slices[0].limits)
    with pytest.raises(ScaleConflict, match="slice two reads tensors of different scales") as why:
        tuned([forced, slices[1]], SCALE)
    assert why.value.index == 1


class _Deferring(Circuits):
    """Circuits that never rebase at once."""

    def points(self, input_scale: int, param_scale: int):  # type: ignore[no-untyped-def]
        """All but the first."""
        return [one for one in super().points(input_scale, param_scale) if one.multiplier > 1]


@pytest.mark.parametrize("largest", [0.5, 3.0, 900.0, 1e6])
def test_values_are_held_with_the_margin(largest: float) -> None:
    limits = Limits(PLENTY, margin=16)
    for choice in tuned(chain(LINE, largest=largest, limits=limits), SCALE):
        top = max(*choice.input_scales, *choice.output_scales)
        assert choice.spec.largest_value >= JUST_BELOW * 16 * largest * 2**top
        assert choice.headroom >= JUST_BELOW * 16
        assert choice.spec.largest_value < LARGEST_RANGE


def test_values_that_nothing_holds_are_refused() -> None:
    with pytest.raises(RangeExceeded, match=r"slice one: values up to 1e\+25 at scale 8 exceed"):
        tuned(chain(LINE, largest=1e25), SCALE)


def test_proofs_are_as_short_as_asked() -> None:
    free = tuned(chain(LINE), SCALE)
    budget = proof_bytes(free) * 2 // 3
    short = tuned(chain(LINE), SCALE, budget)
    assert proof_bytes(short) <= budget
    assert ALIKE * _seconds(short) > _seconds(free)
    assert proof_bytes(short) < proof_bytes(free)
    with pytest.raises(TooLarge, match=r"the proofs take [\d,]+ bytes at least"):
        tuned(chain(LINE), SCALE, 1000)


def test_memory_is_kept_or_refused_with_what_it_takes() -> None:
    with pytest.raises(SliceTooLarge, match=r"slice one needs \d+ MB to prove") as why:
        tuned(chain(LINE[:1], limits=Limits(10**6)), SCALE)
    enough = Limits(why.value.need)
    (choice,) = tuned(chain(LINE[:1], limits=enough), SCALE)
    assert choice.peak == why.value.need


def test_rows_are_kept() -> None:
    limits = Limits(PLENTY, logrows=9)
    assert {one.spec.logrows for one in tuned(chain(LINE, limits=limits), SCALE)} == {9}
    assert {one.spec.logrows for one in tuned(chain(LINE), SCALE)} != {9}
    with pytest.raises(TooLarge, match=r"slice one has 288 public values; 2\*\*8 rows hold 248"):
        tuned(chain(LINE, limits=Limits(PLENTY, logrows=8)), SCALE)


def test_a_machine_changes_no_choice() -> None:
    slow = Limits(PLENTY, machine=Machine(slowness=3.0, prove_commits=1.0, prove_quotient=9.0))
    here, there = tuned(chain(LINE), SCALE), tuned(chain(LINE, limits=slow), SCALE)
    assert [one.spec for one in here] == [one.spec for one in there]


def test_four_inner_columns_lose() -> None:
    (circuits,) = chain(LINE[:1])
    by_columns: dict[int, float] = {}
    for choice in circuits.choices(Point(SCALE, SCALE, 1)):
        columns = choice.spec.num_inner_cols
        by_columns[columns] = min(choice.seconds, by_columns.get(columns, choice.seconds))
    assert sorted(by_columns) == list(INNER_COLUMNS)
    assert by_columns[4] > 1.2 * by_columns[2], "four raise the degree and pack nothing yet"


def test_nothing_is_chosen_that_soundness_forbids() -> None:
    for circuits in chain(SKIP):
        for point in circuits.points(SCALE, SCALE):
            for choice in circuits.choices(point):
                spec = choice.spec
                assert (spec.input_visibility, spec.output_visibility) == ("public", "public")
                assert spec.decomp_base + 8 <= 2**spec.logrows


def test_savings_add_up_from_ezkls_settings_to_the_chosen() -> None:
    slices = chain(LINE)
    for circuits, choice in zip(slices, tuned(slices, SCALE), strict=True):
        savings = explain(circuits, choice)
        default = CircuitSpec(input_scale=choice.spec.input_scale, param_scale=SCALE, logrows=15)
        made, seconds = circuits.price(default)
        assert made.blocks == 1
        assert sum(one.cpu_seconds for one in savings) == pytest.approx(seconds - choice.seconds)
        assert sum(one.pk_bytes for one in savings) == made.pk_bytes - choice.layout.pk_bytes
        assert {one.setting for one in savings} >= {"digits; rows", "rebase beyond scale"}


def test_rebases_are_put_off_no_further_than_a_statement_may_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However small the values: to four times scale 30, and not to five times."""
    convs = " ".join(f"c{n + 1} = Conv <{CONV}> (c{n}, w_{n})" for n in range(6))
    deep = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        f"deep (float[1, 4, 6, 6] c0) => (float[1, 4, 6, 6] c6) {{ {convs} }}"
    )

    def furthest() -> int:
        (circuits,) = chain([deep], largest=1e-30)
        return max(point.limit for point in circuits.points(30, 30))

    assert furthest() == 4 * 30 <= LARGEST_DEFERRED_SCALE
    monkeypatch.setattr("zkprep.tune.circuits.LARGEST_DEFERRED_SCALE", 1000)
    assert furthest() > LARGEST_DEFERRED_SCALE


def test_rows_can_be_asked_for() -> None:
    for logrows in (11, 13):
        limits = Limits(PLENTY, logrows=logrows, least=logrows)
        choices = tuned(chain(LINE, limits=limits), SCALE)
        assert {choice.spec.logrows for choice in choices} == {logrows}


def test_constants_have_fewer_bits_where_that_pays_and_is_fine_enough() -> None:
    deep = [conv(f"n{n}", f"t{n}", f"t{n + 1}") for n in range(6)]

    def refine(enough: int) -> tuple[list[Circuits], float]:
        slices = chain(deep)
        for circuits in slices:
            fine = replace(circuits.demand, error_of=lambda spec: float(spec.param_scale < enough))
            circuits.demand = fine
        return slices, _seconds(refined(slices, 12, None, 0.5))

    given = _seconds(tuned(chain(deep), 12))
    coarse, cheaper = refine(enough=5)
    assert {circuits.param_scale for circuits in coarse} <= {None, 5}
    assert cheaper <= PAYS * given
    kept, as_before = refine(enough=99)
    assert {circuits.param_scale for circuits in kept} == {None}
    assert as_before == given
