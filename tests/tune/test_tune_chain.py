"""The tuner on chains: links agree, nothing cheaper is missed, budgets are kept or refused."""

from dataclasses import replace
from itertools import pairwise, product

import pytest
from msgspec import UNSET
from tune_chains import CONV, PLENTY, add, chain, conv, linear, relu

from zkprep.circuit import CircuitSpec
from zkprep.claims.allowed import LARGEST_DEFERRED_SCALE, LARGEST_RANGE, LARGEST_SCALE
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
from zkprep.tune.counts import point_of
from zkprep.tune.demand import JUST_BELOW, LARGEST_QUOTIENT
from zkprep.tune.points import points
from zkprep.tune.precision import PAYS

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


def test_of_circuits_that_cost_alike_that_of_fewest_cells_is_taken() -> None:
    slices, passed_over = chain(LINE), 0
    for circuits, choice in zip(slices, tuned(slices, SCALE), strict=True):
        every = circuits.choices(point_of(choice.spec))
        least = min(one.seconds for one in every)
        alike = [one for one in every if one.seconds <= ALIKE * least]
        assert choice in alike
        assert choice.cells == min(one.cells for one in alike)
        passed_over += sum(one.cells > choice.cells for one in alike)
        assert any(one.cells < choice.cells for one in every), "fewer cells cost more elsewhere"
    assert passed_over


def test_what_is_chosen_is_exact() -> None:
    assert all(choice.exact for choice in tuned(chain(LINE), SCALE))


def test_tensors_of_two_scales_are_read_together() -> None:
    choices = tuned(chain(SKIP), SCALE)
    sent = choices[0].output_scales + choices[1].output_scales
    assert len(set(sent)) == 2
    last = choices[2]
    assert last.input_scales == sent
    assert last.spec.descents == tuple(scale - last.spec.input_scale for scale in sent)
    assert min(last.spec.descents) == 0 or last.spec.input_scale == SCALE


def test_who_takes_care_descends_only_where_scales_differ() -> None:
    slices = chain([conv("one", "x", "a"), add("two", "x", "a", "b"), relu("three", "b", "c")])
    careful = Limits(PLENTY, multiplier=1)
    forced = _Deferring(slices[0].demand, slices[0].limits)
    others = [Circuits(one.demand, careful) for one in slices[1:]]
    first, second, third = tuned([forced, *others], SCALE)
    assert first.output_scales == (16,)
    assert (second.input_scales, second.spec.descents) == ((8, 16), (0, 8))
    assert second.output_scales == third.input_scales == (8,)
    assert third.spec.descents is UNSET


def test_integers_that_have_a_scale_are_a_conflict() -> None:
    reader = relu("two", "a", "b").replace("float[1, 4, 6, 6] a", "int64[1, 4, 6, 6] a")
    with pytest.raises(ScaleConflict, match="slice two reads integers of a scale") as why:
        tuned(chain([conv("one", "x", "a"), reader]), SCALE)
    assert why.value.index == 1


class _Deferring(Circuits):
    """Circuits that never rebase at once."""

    def points(self, start: Point, scale: int, *, last: bool = False) -> tuple[Point, ...]:
        """All but the first."""
        return tuple(one for one in super().points(start, scale, last=last) if one.multiplier > 1)


def test_scales_come_down_where_it_is_cheapest() -> None:
    """Convs that only multiply, and a ReLU that divides, once the next scale would be too large."""
    texts = []
    for n in range(6):
        texts += [linear(f"l{n}", f"x{n}", f"y{n}"), relu(f"r{n}", f"y{n}", f"x{n + 1}")]
    slices = chain(texts, largest=30.0)
    choices = tuned(slices, SCALE)
    for one, other in pairwise(choices):
        assert one.output_scales == other.input_scales
    grown = [one.output_scales[0] - one.input_scales[0] for one in choices[::2]]
    assert grown == [SCALE] * 6, "every Conv hands on its product as it is"
    descents = [one.spec.descents for one in choices]
    assert set(descents[::2]) == {UNSET}
    assert sum(bool(one) for one in descents[1::2]) == 1
    careful = tuned(chain(texts, largest=30.0, limits=Limits(PLENTY, multiplier=1)), SCALE)
    assert {one.spec.descents for one in careful} == {UNSET}
    assert _seconds(choices) < 0.9 * _seconds(careful)
    (where,) = (n for n, one in enumerate(descents) if one)
    (row,) = (
        one for one in explain(slices[where], choices[where]) if one.setting == "entry rescaled by"
    )
    assert row.chosen == f"2**-{choices[where].input_scales[0] - SCALE}"


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


@pytest.mark.parametrize("index", [0, 1])
def test_values_too_large_to_hand_on_are_no_conflict(index: int) -> None:
    """Circuits hold them, but their outputs are beyond 2**53: no link, and nothing to join."""
    slices = chain(LINE)
    large = chain(LINE, largest=2.0**44)[index]
    assert large.choices(Point(SCALE, SCALE, 1)), "a layout holds the values"
    slices[index] = large
    name = ("one", "two")[index]
    with pytest.raises(
        RangeExceeded, match=rf"slice {name}: values up to 1.76e\+13 at scale 8 exceed what EZKL"
    ):
        tuned(slices, SCALE)


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


def test_a_column_holds_what_is_read_at_computed_places() -> None:
    table, header = ", ".join(["0.5"] * 300), '<ir_version: 8, opset_import: ["" : 17]>'
    read = (
        f"{header} words (int64[1, 6] i) => (float[1, 6, 4] y)"
        f" <float[75, 4] table = {{{table}}}> {{ y = Gather (table, i) }}"
    )
    slices = chain([read])
    assert slices[0].counts.table == 300
    assert tuned(slices, SCALE)[0].spec.logrows == 9
    fixed = (
        f"{header} rows (float[75, 4] table) => (float[2, 4] y)"
        " <int64[2] i = {0, 5}> { y = Gather (table, i) }"
    )
    assert chain([fixed])[0].counts.table == 0
    message = r"slice words picks from 300 values at computed places; 2\*\*8 rows hold 248"
    with pytest.raises(TooLarge, match=message):
        tuned(chain([read], limits=Limits(PLENTY, logrows=8)), SCALE)


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
        for point in circuits.points(Point(SCALE, SCALE, 1), SCALE):
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
    """However small the values: to twice scale 30; to four times, were multipliers longer."""
    convs = " ".join(f"c{n + 1} = Conv <{CONV}> (c{n}, w_{n})" for n in range(6))
    deep = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        f"deep (float[1, 4, 6, 6] c0) => (float[1, 4, 6, 6] c6) {{ {convs} }}"
    )

    def furthest() -> int:
        (circuits,) = chain([deep], largest=1e-33)
        return max(point.limit for point in points(circuits, Point(30, 30, 1), last=False))

    assert furthest() == 2 * 30 <= LARGEST_SCALE
    monkeypatch.setattr("zkprep.tune.points.LARGEST_SCALE", 1000)
    assert LARGEST_SCALE < furthest() == 4 * 30 <= LARGEST_DEFERRED_SCALE
    monkeypatch.setattr("zkprep.tune.points.LARGEST_DEFERRED_SCALE", 1000)
    assert furthest() > LARGEST_DEFERRED_SCALE


def test_outputs_too_large_to_leave_are_brought_down_at_the_end_of_a_chain() -> None:
    largest, start = 2.0**36, Point(SCALE, SCALE, 1)
    (circuits,) = chain(LINE[:1], largest=largest)
    (held,) = points(circuits, start, last=False)
    at_once, lowered = points(circuits, start, last=True)
    assert at_once == held == start
    assert lowered.multiplier == 2
    for choice in circuits.choices(lowered):
        (scale,), (bits,) = choice.output_scales, lowered.exits
        assert scale + bits == lowered.limit == choice.spec.limit
        assert 4 * largest * 2.0 ** (scale + 1) == LARGEST_QUOTIENT


def test_nothing_is_divided_to_more_than_ezkl_divides_exactly() -> None:
    """At twice the scale the Conv of the second layer would be divided to 2**54."""
    deep = LINE[0].replace("a = Relu (c_one)", "b = Relu (c_one)  a = Conv <CONV> (b, w_one)")
    (circuits,) = chain([deep.replace("CONV", CONV)], largest=2.0**36)
    start = Point(SCALE, SCALE, 1)
    limits = [point.multiplier for point in points(circuits, start, last=True)]
    assert limits == [1, 3]


def test_an_exit_is_shown_with_what_it_costs() -> None:
    (circuits,) = chain(LINE[:1], largest=2.0**36)
    _, lowered = points(circuits, Point(SCALE, SCALE, 1), last=True)
    (saving,) = (
        one
        for one in explain(circuits, circuits.choices(lowered)[0])
        if one.setting == "outputs rescaled by"
    )
    assert (saving.default, saving.chosen) == ("1", f"2**-{lowered.exits[0]}")
    assert saving.cpu_seconds < 0


def test_only_the_last_slice_brings_down() -> None:
    slices = chain(LINE, largest=2.0**36)
    *inner, _ = tuned(slices, SCALE)
    assert {one.spec.exits for one in inner} == {UNSET}
    assert all(max(one.output_scales) == SCALE for one in inner)


def test_rows_can_be_asked_for() -> None:
    for logrows in (11, 13):
        limits = Limits(PLENTY, logrows=logrows, least=logrows)
        choices = tuned(chain(LINE, limits=limits), SCALE)
        assert {choice.spec.logrows for choice in choices} == {logrows}


def test_precision_is_asked_only_of_slices_that_round_constants() -> None:
    texts = [conv("one", "x", "a"), relu("two", "a", "b"), conv("three", "b", "c")]
    slices, asked = chain(texts, largest=900.0), set[str]()
    for circuits in slices:
        name = circuits.demand.name

        def error_of(_: CircuitSpec, name: str = name) -> float:
            asked.add(name)
            return 0.0

        circuits.demand = replace(circuits.demand, error_of=error_of)
    refined(slices, 14, None, 0.5)
    assert asked == {"one", "three"}


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
