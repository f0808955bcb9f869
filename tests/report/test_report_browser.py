"""The HTML page in a real browser: quiet, alone, right, and readable wherever it is read."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, find, started
from sample_reports import make_report, make_slice

from zkprep.report import html
from zkprep.report.cut import Cut, CutOperator, CutSlice, CutTensor
from zkprep.report.table import QUANTITIES
from zkprep.report.totals import total
from zkprep.report.types import OperatorCells, Report, Variant, dump

pytestmark = pytest.mark.skipif(
    find() is None, reason="no Chromium here: the HTML report was not looked at"
)

LEAST_CONTRAST = 4.5  # WCAG 2.1, 1.4.3
LEAST_FONT = 11  # pixels on a phone
LONG = "a_node_with_a_name_that_is_much_longer_than_a_phone_is_wide_" * 2

PROFILE = [
    OperatorCells(operator="Conv", multiply=300_000, rebase=100_000),
    OperatorCells(operator=LONG, activation=90_000),
    OperatorCells(operator="boundary", boundary=30_481),
]
CONTRAST = """
(() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map(c => c / 255).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = channels(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = 21, where = "", seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    const pair = [channels(getComputedStyle(element).color), behind(element)].map(light);
    const ratio = (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
    seen += 1;
    if (ratio < least) { least = ratio; where = walker.currentNode.textContent; }
  }
  return {least, where, seen};
})()
"""
TOO_WIDE = """
[...document.querySelectorAll("main *")]
  .filter(one => !one.closest(".scroll") || one.matches(".scroll"))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 80))
"""
TOO_SMALL = f"""
[...document.querySelectorAll("main *")]
  .filter(one => parseFloat(getComputedStyle(one).fontSize) < {LEAST_FONT})
  .map(one => one.outerHTML.slice(0, 80))
"""
BEYOND_PAPER = """
[...document.querySelectorAll("main *")]
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 80))
"""
TABLE = """
[...document.querySelectorAll("#total tbody tr")].map(row => [
  row.querySelector("th").textContent,
  ...[...row.querySelectorAll("td")].slice(0, -1)
    .map(cell => cell.querySelector("data")?.value ?? null)
])
"""
SHOWN = "[...document.querySelectorAll({})].map(one => one.value)"


@pytest.fixture(scope="module")
def rich() -> Report:
    """A report of many slices, one with a long name."""
    names = [f"{number:03d}" for number in range(12)] + [LONG]
    plain = [make_slice(name, 90_000 + 7 * len(name), proved=False) for name in names]
    prepared = [make_slice(name, 40_001 + 3 * len(name), proved=True) for name in names]
    report = make_report()
    variants = dict(report.variants)
    fidelity = report.variants["plain"].total
    assert fidelity is not None
    variants["plain"] = Variant(note=LONG, slices=plain, total=total(plain, fidelity.fidelity))
    variants["prepared"] = Variant(
        note="", slices=prepared, total=total(prepared, fidelity.fidelity)
    )
    return make_report(variants=variants, cut=_cut(names[:-1]), profile=PROFILE)


def _cut(names: list[str]) -> Cut:
    """A chain: a slice for each name, of one operator."""
    tensors = ["image", *(f"after {name}" for name in names)]
    slices = [
        CutSlice(
            name=name,
            nodes=[name],
            ops=1,
            inputs=tensors[index : index + 1],
            outputs=tensors[index + 1 : index + 2],
            cells=40_010,
            prove_cpu_seconds=4.4,
            peak_bytes=88_000_000,
        )
        for index, name in enumerate(names)
    ]
    operators = [
        CutOperator(name=name, op="Conv", slice=index, cells=40_010)
        for index, name in enumerate(names)
    ]
    last = len(names)
    between = [
        CutTensor(
            name=tensor,
            elements=64,
            source=index - 1 if index else None,
            readers=[index] if index < last else [],
            leaves=index == last,
        )
        for index, tensor in enumerate(tensors)
    ]
    return Cut(slices=slices, operators=operators, tensors=between)


@pytest.fixture(scope="module")
def browser(rich: Report) -> Iterator[Browser]:
    """The page, open."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(html.render(rich), encoding="utf-8")
        with started(Path(folder) / "profile") as found:
            found.show()
            found.open(page)
            yield found


def test_the_page_says_nothing_and_asks_for_nothing(browser: Browser) -> None:
    told = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert [event for event in browser.events if event["method"] in told] == []
    asked = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) == 1
    assert asked[0].startswith("file://")


def test_the_totals_shown_are_those_of_the_json(browser: Browser, rich: Report) -> None:
    variants = json.loads(dump(rich))["variants"]
    rows = {row[0]: row[1:] for row in browser.evaluate(TABLE)}
    assert set(rows) == {quantity.label for quantity in QUANTITIES}
    for quantity in QUANTITIES:
        for name, shown in zip(("ezkl", "plain", "prepared"), rows[quantity.label], strict=True):
            whole = variants[name]["total"]
            section = whole[quantity.section]
            if quantity.section == "measured" and section is None:
                section = whole["predicted"]
            expected = (section or {}).get(quantity.field)
            assert shown == (None if expected is None else json.dumps(expected)), quantity.key


@pytest.mark.parametrize(
    ("place", "read"),
    [
        ("#slice-3 td:nth-of-type(2) data", lambda one: [one["counts"]["cells"]]),
        ("#slice-3 td:nth-of-type(6) data", lambda one: [one["measured"]["prove_cpu_seconds"]]),
        (
            "#forecast-peak .group:nth-of-type(4) data",
            lambda one: [one["measured"]["peak_bytes"]],
        ),
    ],
)
def test_a_slice_shows_its_own_figures(
    browser: Browser, rich: Report, place: str, read: Callable[[Any], list[float]]
) -> None:
    fourth = json.loads(dump(rich))["variants"]["prepared"]["slices"][3]
    shown = browser.evaluate(SHOWN.format(json.dumps(place)))
    assert shown == [json.dumps(value) for value in read(fourth)]


def test_every_section_is_there_and_linked(browser: Browser) -> None:
    linked = browser.evaluate("[...document.querySelectorAll('nav a')].map(one => one.hash)")
    there = browser.evaluate(
        "[...document.querySelectorAll('section[id]')].map(one => '#' + one.id)"
    )
    assert linked == there
    assert {"#cut", "#profile", "#forecasts", "#errors", "#soundness"} <= set(there)


def test_the_histogram_shows_every_element(browser: Browser, rich: Report) -> None:
    fidelity = rich.variants["prepared"].total
    assert fidelity is not None
    assert fidelity.fidelity is not None
    shown = browser.evaluate(SHOWN.format(json.dumps("#errors-prepared data")))
    assert [int(value) for value in shown] == fidelity.fidelity.errors[3:9]


@pytest.mark.parametrize(
    ("scheme", "media"), [("light", "screen"), ("dark", "screen"), ("light", "print")]
)
def test_every_word_can_be_read(browser: Browser, scheme: str, media: str) -> None:
    browser.show(scheme=scheme, media=media)
    found = browser.evaluate(CONTRAST)
    assert found["seen"] > 300
    assert found["least"] >= LEAST_CONTRAST, found["where"]


def test_light_and_dark_differ_and_print_is_light(browser: Browser) -> None:
    def background(**how: str) -> Any:
        browser.show(**how)
        return browser.evaluate("getComputedStyle(document.body).backgroundColor")

    assert background(scheme="light") == "rgb(255, 255, 255)"
    assert background(scheme="dark") == "rgb(15, 20, 24)"
    assert background(scheme="dark", media="print") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_it_without_sideways_scrolling(browser: Browser, width: int) -> None:
    browser.show(width=width)
    assert browser.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [width] * 2
    assert browser.evaluate(TOO_WIDE) == []
    assert browser.evaluate(TOO_SMALL) == []


def test_print_keeps_every_column_and_leaves_the_links(browser: Browser) -> None:
    browser.show(width=688, media="print")  # A4 at 96 dots per inch within its margins
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.evaluate(BEYOND_PAPER) == []
    assert browser.printed().startswith(b"%PDF-")


def test_a_link_of_the_table_leads_to_its_part(browser: Browser) -> None:
    browser.show()
    browser.evaluate("document.querySelector('#total a[href=\"#forecast-peak\"]').click()")
    assert browser.evaluate("location.hash") == "#forecast-peak"
    place = browser.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert 0 <= place < 900
