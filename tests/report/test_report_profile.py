"""The profile of a report: its table, and its bars in the page."""

from collections.abc import Callable
from typing import Any

import pytest

from zkprep.report import html, profile
from zkprep.report.text import plain_text
from zkprep.report.types import OperatorCells, Report

ROWS = [
    OperatorCells(operator="Conv", multiply=6000, rebase=2000),
    OperatorCells(operator="Relu", activation=1500),
    OperatorCells(operator="boundary", boundary=500),
]


@pytest.fixture
def profiled(change_report: Callable[..., Report]) -> Report:
    return change_report(profile=ROWS)


def rows(report: Report) -> dict[str, list[str]]:
    lines = plain_text(profile.render(report)).splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if line.strip()}


def test_the_table_has_the_causes_that_occur_and_their_sums(profiled: Report) -> None:
    shown = rows(profiled)
    assert shown["operator"] == ["multiply", "rebase", "activation", "boundary", "cells", "share"]
    assert shown["Relu"] == ["1", "500", "1", "500", "15.0", "%"]
    assert shown["together"][-4:] == ["10", "000", "100.0", "%"]


def test_bars_are_shares_of_the_longest(profiled: Report) -> None:
    shares = {one.name: (one.percent, one.length) for one in profile.by_operator(profiled)}
    assert shares == {"Conv": (80, 100), "Relu": (15, 18.75), "boundary": (5, 6.25)}
    assert [one.name for one in profile.by_cause(profiled)][:2] == ["multiply", "rebase"]


def test_many_operators_end_in_one_bar(change_report: Callable[..., Report]) -> None:
    many = [OperatorCells(operator=f"Op{i}", other=100 - i) for i in range(profile.SHOWN + 3)]
    shares = profile.by_operator(change_report(profile=many))
    assert len(shares) == profile.SHOWN + 1
    assert sum(one.cells for one in shares) == sum(one.total for one in many)
    assert "3 others" in {one.name for one in shares}


def test_the_page_has_the_bars_and_the_table(profiled: Report) -> None:
    page = html.render(profiled)
    assert page.count('id="profile"') == 1
    assert 'aria-label="multiply: 6' in page
    assert '<th scope="row">Relu</th>' in page


def test_without_a_profile_there_is_no_section(change_report: Callable[..., Report]) -> None:
    report: Any = change_report(profile=[])
    assert 'id="profile"' not in html.render(report)
    assert rows(report)["together"] == ["0.0", "%"]
