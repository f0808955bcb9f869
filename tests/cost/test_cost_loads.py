"""Prices of slices by their loads: never above a layout's, never falling, within limits."""

from dataclasses import fields

import numpy as np
import pytest
from cost_samples import make_settings

from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import decomposition, division
from zkprep.cost.circuit import layout
from zkprep.cost.loads import Loads, Prices
from zkprep.cost.work import predict

SPEC = CircuitSpec()
FIELDS = tuple(field.name for field in fields(Loads))


def loads(**given: object) -> Loads:
    """Loads of the fields given, of which some may be arrays; the others are 0."""
    arrays = np.broadcast_arrays(*(np.atleast_1d(given.get(name, 0)) for name in FIELDS))
    return Loads(**{n: a.astype(float) for n, a in zip(FIELDS, arrays, strict=True)})


def products(cells: object, **more: object) -> Loads:
    """Loads of cells and of one range check."""
    return loads(cells=cells, checked=1, **more)


def test_a_price_is_no_dearer_than_any_layout_of_its_cells() -> None:
    ranges = [(-1, 1), (0, 2**13 - 9)]
    settings = make_settings(logrows=13, width=2, cells=65536, constants=1, ranges=ranges)
    least = Prices(SPEC).seconds(products(65536 - decomposition(SPEC)))[0]
    assert 0 < least <= predict(layout(settings)).prove_cpu_seconds


def test_prices_do_not_read_what_is_chosen_later() -> None:
    one = Prices(SPEC).seconds(products(100_000))
    later = CircuitSpec(logrows=20, decomp_base=100, decomp_legs=5)
    assert Prices(later).seconds(products(100_000)) == one
    assert Prices(CircuitSpec(num_inner_cols=4)).seconds(products(100_000)) != one


def test_cells_are_rounded_up_by_less_than_two_percent() -> None:
    exact, rounded = Prices(SPEC).seconds(loads(cells=[1_007_616, 1_000_001]))
    assert exact == rounded
    assert Prices(SPEC).seconds(loads(cells=950_000))[0] < exact


BUSY = {name: 100 for name in FIELDS if name not in ("sorted", "looked_up", "depth")}


@pytest.mark.parametrize("limits", [(None, None), (400_000_000, None), (None, 15)])
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("others", [{}, BUSY, {**BUSY, "checked": 0, "depth": 2}])
def test_prices_never_fall_as_loads_grow(
    limits: tuple[int | None, int | None], name: str, others: dict[str, int]
) -> None:
    prices = Prices(SPEC, *limits)
    grown = loads(**{**others, name: np.r_[0, np.geomspace(1, 1e7, 400)]})
    for answers in (prices.seconds(grown), prices.peaks(grown)):
        finite = answers[np.isfinite(answers)]
        assert np.all(np.diff(finite) >= 0)
        assert np.all(np.isfinite(answers[: len(finite)]))


def test_sorting_and_tables_cost() -> None:
    prices = Prices(SPEC)
    plain = prices.seconds(products(9000))[0]
    assert prices.seconds(products(9000, sorted=64))[0] > 1.3 * plain
    assert prices.seconds(products(9000, looked_up=64))[0] > plain


def test_what_checks_no_range_costs_far_less() -> None:
    prices = Prices(SPEC)
    checked = prices.seconds(products(140_000))[0]
    assert prices.seconds(loads(cells=140_000))[0] < 0.7 * checked
    ranges = make_settings(logrows=12, width=2, cells=140_000, constants=1, ranges=[])
    assert predict(layout(ranges)).prove_cpu_seconds >= prices.seconds(loads(cells=140_000))[0]


def test_products_are_divided_later_or_never_where_that_is_cheaper() -> None:
    prices = Prices(SPEC)
    linear = {"cells": 140_000, "divided": 10_000, "handed_on": 5000}
    never = prices.cells(loads(**linear, depth=1))[0]
    assert never == 140_000
    assert prices.seconds(loads(**linear, depth=1)) > prices.seconds(loads(cells=140_000))
    beside_relu = prices.cells(loads(**linear, depth=1, checked=6000))[0]
    assert never < beside_relu < 140_000 + 10_000 * division(SPEC)


def test_what_a_table_reads_is_divided_and_nothing_else() -> None:
    load = loads(cells=140_000, divided=10_000, depth=1, handed_on=5000, looked_up=[1, 700])
    least = CircuitSpec(decomp_legs=1)
    few, more = Prices(SPEC).cells(load)
    assert more - few >= 699 * division(least)
    assert more < 140_000 + 10_000 * division(least)


def test_far_along_a_chain_one_product_of_several_is_divided() -> None:
    chain = {"cells": 140_000, "divided": 10_000, "checked": 1}
    near, far, farther = Prices(SPEC).cells(loads(**chain, depth=[3, 8, 10_000]))
    at_once = 140_000 + 10_000 * division(CircuitSpec(decomp_legs=1))
    assert near < far < farther < 140_000 + (at_once - 140_000) / 2


def test_no_slice_hands_on_more_bits_than_it_may_put_out() -> None:
    deep = {"cells": 140_000, "divided": 10_000, "handed_on": 5000}
    shallow, far = Prices(SPEC).seconds(loads(**deep, depth=[5, 6]))
    assert far > 1.05 * shallow


def test_a_table_needs_more_rows_at_a_finer_scale() -> None:
    load = products(9000, looked_up=64)
    coarse, fine = (
        Prices(CircuitSpec(input_scale=bits, param_scale=bits)).seconds(load)[0] for bits in (6, 14)
    )
    assert fine > 1.5 * coarse


def test_slices_within_the_memory_have_a_price() -> None:
    room = int(Prices(SPEC).peaks(loads(cells=500_000))[0])
    prices = Prices(SPEC, memory=room)
    assert np.isfinite(prices.seconds(loads(cells=500_000))[0])
    assert prices.seconds(loads(cells=600_000))[0] == np.inf


def test_slices_within_the_rows_have_a_price() -> None:
    prices = Prices(SPEC, max_logrows=15)
    assert np.isfinite(prices.seconds(loads(cells=2 * 2**15))[0])
    assert prices.seconds(loads(cells=2 * 2**15 + 1))[0] == np.inf
    assert prices.peaks(loads(cells=2 * 2**15 + 1))[0] == np.inf
    assert prices.seconds(loads(cells=100, values=2**15 - 8))[0] < np.inf
    assert prices.seconds(loads(cells=100, values=2**15 - 7))[0] == np.inf
