"""Prices of slices by their loads: never above a layout's, never falling, within limits."""

import numpy as np
import pytest
from cost_samples import make_settings

from zkprep.circuit import CircuitSpec
from zkprep.cost.circuit import layout
from zkprep.cost.loads import Loads, Prices
from zkprep.cost.work import predict

SPEC = CircuitSpec()


def loads(cells: float, values: float = 0, sorted_: float = 0, looked_up: float = 0) -> Loads:
    return Loads(*(np.array([one], dtype=float) for one in (cells, values, sorted_, looked_up)))


def test_a_price_is_no_dearer_than_any_layout_of_its_cells() -> None:
    ranges = [(-1, 1), (0, 2**13 - 9)]
    settings = make_settings(logrows=13, width=2, cells=65536, constants=1, ranges=ranges)
    least = Prices(SPEC).seconds(loads(65536))[0]
    assert 0 < least <= predict(layout(settings)).prove_cpu_seconds


def test_prices_do_not_read_what_is_chosen_later() -> None:
    one = Prices(SPEC).seconds(loads(100_000))
    assert Prices(CircuitSpec(logrows=20, decomp_base=100)).seconds(loads(100_000)) == one
    assert Prices(CircuitSpec(num_inner_cols=4)).seconds(loads(100_000)) != one


def test_cells_are_rounded_up_by_less_than_two_percent() -> None:
    exact, rounded = Prices(SPEC).seconds(Loads.of_cells([1_007_616, 1_000_001]))
    assert exact == rounded
    assert Prices(SPEC).seconds(loads(950_000))[0] < exact


@pytest.mark.parametrize("limits", [(None, None), (400_000_000, None), (None, 15)])
def test_prices_never_fall_as_loads_grow(limits: tuple[int | None, int | None]) -> None:
    cells = np.geomspace(1, 1e7, 400)
    prices = Prices(SPEC, *limits)
    for grown in (
        Loads.of_cells(cells),
        Loads(np.full(400, 5000.0), np.geomspace(1, 1e6, 400), np.zeros(400), np.zeros(400)),
    ):
        for answers in (prices.seconds(grown), prices.peaks(grown)):
            finite = answers[np.isfinite(answers)]
            assert np.all(np.diff(finite) >= 0)
            assert np.all(np.isfinite(answers[: len(finite)]))


def test_sorting_and_tables_cost() -> None:
    prices = Prices(SPEC)
    plain = prices.seconds(loads(9000))[0]
    assert prices.seconds(loads(9000, sorted_=64))[0] > 1.3 * plain
    assert prices.seconds(loads(9000, looked_up=64))[0] > plain


def test_slices_within_the_memory_have_a_price() -> None:
    room = int(Prices(SPEC).peaks(loads(500_000))[0])
    prices = Prices(SPEC, memory=room)
    assert np.isfinite(prices.seconds(loads(500_000))[0])
    assert prices.seconds(loads(600_000))[0] == np.inf


def test_slices_within_the_rows_have_a_price() -> None:
    prices = Prices(SPEC, max_logrows=15)
    assert np.isfinite(prices.seconds(loads(2 * 2**15))[0])
    assert prices.seconds(loads(2 * 2**15 + 1))[0] == np.inf
    assert prices.peaks(loads(2 * 2**15 + 1))[0] == np.inf
    assert prices.seconds(loads(100, values=2**15 - 8))[0] < np.inf
    assert prices.seconds(loads(100, values=2**15 - 7))[0] == np.inf
