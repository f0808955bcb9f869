"""docs/slicing.md: a row per cut, each of which was run and gave the whole model."""

from benchmarks import slicing


def test_a_case_has_a_row_per_budget_and_none_is_over_it() -> None:
    case = slicing.load("digits")
    rows = {row[1]: row for row in slicing.budgets([case])}
    assert list(rows) == ["4 slices", *slicing.BUDGETS]
    assert rows["4 slices"][2] == "4"
    assert int(rows["4GiB"][2]) < 4


def test_workers_take_less_time_the_more_there_are() -> None:
    (row,) = slicing.against_weighted([slicing.load("digits")])
    assert len(row) == 4 + len(slicing.WORKERS)
    ours = [float(cell.split(" ")[3]) for cell in row[4:]]
    assert ours == sorted(ours, reverse=True)
    assert ours[-1] < ours[0] / 2
