import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import msgspec
import pytest

from zkprep.report import html
from zkprep.report.table import QUANTITIES
from zkprep.report.types import CircuitReport, Report, SiteReport, Variant, Verdict, dump

ChangeReport = Callable[..., Report]
VOID = {"meta", "rect"}
HOSTILE = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"


class Page(HTMLParser):
    """Elements, text, and the table of totals; fails on an element closed out of order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.totals: dict[str, list[str | None]] = {}
        self._row: list[str | None] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self._row.append(None)
        if tag == "data" and self.open[-2] == "td":
            self._row[-1] = dict(attrs)["value"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if [tag for tag in self.open if tag != "a"][-3:] == ["tbody", "tr", "th"]:
            self._row = self.totals.setdefault(data, [])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_figures_are_those_of_the_json(report: Report) -> None:
    page = Page(html.render(report))
    variants = json.loads(dump(report))["variants"]
    for quantity in QUANTITIES:
        shown = page.totals[quantity.label][:-1]
        for name, value in zip(("ezkl", "plain", "prepared"), shown, strict=True):
            total = variants[name]["total"]
            section = total[quantity.section]
            if quantity.section == "measured" and section is None:
                section = total["predicted"]
            expected = (section or {}).get(quantity.field)
            assert value == (None if expected is None else json.dumps(expected))


def test_slices_show_their_own_figures(report: Report) -> None:
    page = Page(html.render(report))
    prepared = report.variants["prepared"].slices[0]
    assert page.totals["000"][:2] == ["301338", "201111"]
    assert prepared.measured is not None
    assert page.totals["000"][4] == str(prepared.measured.pk_bytes)


def test_bars_share_a_scale_and_compare_like_with_like(report: Report) -> None:
    bars = re.findall(
        r'aria-label="(plain|prepared): ([^"]*)"><rect width="([^"]*)"', html.render(report)
    )
    slices = [(name, text, float(width)) for name, text, width in bars[8:12]]
    assert slices == [
        ("plain", "301\u202f338", 100.0),
        ("prepared", "201\u202f111", 66.74),
        ("plain", "120\u202f004", 39.82),
        ("prepared", "120\u202f004", 39.82),
    ]
    assert [text for _, text, _ in bars[12:16]] == ["~30.1 s", "~20.1 s", "~12.0 s", "~12.0 s"]


@pytest.mark.parametrize("place", ["model", "slice", "site", "note", "verdict", "machine"])
def test_a_hostile_name_stays_text(report: Report, place: str) -> None:
    tame = Page(html.render(report))
    page = Page(html.render(spoil(report, place)))
    assert HOSTILE in " ".join(page.words)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in tame.elements]


def spoil(report: Report, place: str) -> Report:
    """The report with a hostile text in one place."""
    replace = msgspec.structs.replace
    if place == "model":
        return replace(report, model=HOSTILE)
    if place == "machine":
        return replace(report, machine=replace(report.machine, cpu=HOSTILE))
    if place == "verdict":
        assert report.verdict is not None
        return replace(report, verdict=replace(report.verdict, statement=HOSTILE))
    if place == "site":
        site = SiteReport(rule=HOSTILE, nodes=[HOSTILE], reason=HOSTILE)
        return replace(report, sites=[*report.sites[:-1], site])
    plain, prepared = report.variants["plain"], report.variants["prepared"]
    if place == "note":
        return replace(report, variants=report.variants | {"plain": replace(plain, note=HOSTILE)})
    renamed = {
        name: replace(
            variant, slices=[replace(variant.slices[0], name=HOSTILE), *variant.slices[1:]]
        )
        for name, variant in (("plain", plain), ("prepared", prepared))
    }
    return replace(report, variants=report.variants | renamed)


def test_the_page_asks_for_nothing(report: Report) -> None:
    page = Page(html.render(report))
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    )
    attributes = {name for _, attrs in page.elements for name in attrs}
    assert attributes.isdisjoint({"src", "xlink:href", "style", "onload", "onerror"})
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert any(attrs.get("content") == policy for _, attrs in page.elements)
    assert not re.search(r"https?:|url\(|@import", html.render(report))


def test_links_lead_to_a_part_of_the_page(report: Report) -> None:
    page = Page(html.render(report))
    places = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    links = [str(attrs["href"]) for _, attrs in page.elements if "href" in attrs]
    assert len(places) == len(set(places))
    assert len(links) > len(QUANTITIES)
    assert all(link.startswith("#") and link[1:] in places for link in links)


def test_the_page_suits_light_dark_print_and_phone(report: Report) -> None:
    source = html.render(report)
    for query in ("(prefers-color-scheme: dark)", "print", "(max-width: 40rem)"):
        assert f"@media {query} {{" in source
    assert "width=device-width" in source


def test_a_rejected_run_does_not_vouch_for_its_srs(change_report: ChangeReport) -> None:
    verdict = Verdict(
        accepted=False,
        proofs=0,
        links=0,
        statement="ab",
        test_srs=False,
        reason="proof 0 is not valid",
    )
    words = Page(html.render(change_report(verdict=verdict))).words
    assert words.count("REJECTED: proof 0 is not valid") == 2
    assert "SRS" not in words


def test_a_report_without_slices_sites_or_verdict_has_a_page(change_report: ChangeReport) -> None:
    empty = Variant(note="the model could not be counted", slices=[], total=None)
    page = Page(html.render(change_report(variants={"ezkl": empty}, sites=[], verdict=None)))
    assert "ezkl: the model could not be counted" in page.words
    assert "not proved: nothing to verify" in page.words
    assert page.totals == {}


def test_choices_that_changed_something_are_shown_with_what_they_save(report: Report) -> None:
    words = Page(html.render(report)).words
    assert words.count("digits; rows") == 2
    assert "inner columns" not in words[words.index("Settings chosen") :]
    assert words.count("\u22120.500 s") == 2
    assert words.count("\u22129.00 kB") == 2


def test_circuits_show_what_soundness_rests_on(report: Report) -> None:
    page = Page(html.render(report))
    words = page.words[page.words.index("Soundness") :]
    for said in ("off", "fixed", "public", "the verifier", "3 of 1\u202f016"):
        assert said in words
    circuit = report.variants["prepared"].slices[0].circuit
    assert circuit is not None
    careless = msgspec.structs.replace(circuit, freivalds=True, checks_boundary=True)
    words = Page(html.render(_with_circuit(report, careless))).words
    assert {"on", "the circuit"} <= set(words)


def _with_circuit(report: Report, circuit: CircuitReport) -> Report:
    prepared = report.variants["prepared"]
    slices = [msgspec.structs.replace(part, circuit=circuit) for part in prepared.slices]
    changed = msgspec.structs.replace(prepared, slices=slices)
    return msgspec.structs.replace(report, variants=report.variants | {"prepared": changed})
