import re
from collections.abc import Callable
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from zkprep.report import text
from zkprep.report.totals import total
from zkprep.report.types import Report, SiteReport, SliceReport, Variant, Verdict

ChangeReport = Callable[..., Report]
SliceOf = Callable[..., SliceReport]

END = """\
slice                cells    change   logrows       pk   prove_cpu     peak
────────────────────────────────────────────────────────────────────────────
000     301 338 -> 201 111   -33.3 %        14   201 MB      22.3 s   442 MB
001                120 004       0 %        15   120 MB      13.3 s   264 MB
logrows to peak: the prepared slice's

ezkl: the whole model as EZKL calibrates it: does not fit
plain: counted only
~ predicted from exact counts, not measured; a change marked ~ compares two
predictions

rewrites applied at 2 places
  2 x BatchNormalization into Conv: conv1, bn1; conv2, bn2
rewrites left at 1 place
  left: BatchNormalization into Conv at conv3, bn3: 't3' is also read by 'add1'

statement abababababababababababababababababababababababababababababababab
test SRS, not secure: whoever generated it can forge proofs
accepted: 2 proofs, 1 link
"""


def shown(report: Report, width: int = 80) -> str:
    return text.plain_text(text.render(report, width), width)


def test_slices_sites_and_verdict_end_the_report(report: Report) -> None:
    assert shown(report).endswith(END)


def row(page: str, label: str) -> list[str]:
    """The cells of the first row of that label."""
    line = next(line for line in page.splitlines() if line.startswith(label + "  "))
    return re.split(r" {2,}", line)[1:]


def test_totals_are_the_figures_of_the_json(report: Report) -> None:
    page = shown(report)
    assert row(page, "cells") == ["450 000", "421 342", "321 115", "-23.8 %"]
    assert row(page, "prove CPU") == ["~45.0 s", "~42.1 s", "35.7 s", "~-23.8 %"]
    assert row(page, "prove") == ["-", "-", "17.8 s", "-"]
    assert row(page, "argmax agrees") == ["-", "yes", "yes", "same"]


def test_a_wide_terminal_shows_both_variants_in_every_cell(report: Report) -> None:
    wide = shown(report, 120)
    assert "15 -> 14   ~301 MB -> 201 MB   ~30.1 s -> 22.3 s   ~693 MB -> 442 MB" in wide
    assert "the prepared slice's" not in wide


@pytest.mark.parametrize("width", [80, 120])
def test_large_figures_fit(slice_of: SliceOf, change_report: ChangeReport, width: int) -> None:
    slices = {
        name: Variant(
            note="", slices=(parts := [slice_of("000", n, proved=True)]), total=total(parts, None)
        )
        for name, n in [("plain", 16_429_385), ("prepared", 11_376_712)]
    }
    lines = shown(change_report(variants=slices), width).splitlines()
    assert any("16 429 385 -> 11 376 712" in line for line in lines)
    assert not any("…" in line for line in lines)
    assert max(map(len, lines)) <= width


def test_no_change_is_never_negative(report: Report) -> None:
    same = dict.fromkeys(("plain", "prepared"), report.variants["prepared"])
    page = shown(msgspec.structs.replace(report, variants=same))
    assert "-0" not in page
    assert page.count(" 0 %") >= 20


@pytest.mark.parametrize(
    ("verdict", "last"),
    [
        (None, "not proved: nothing to verify"),
        (
            Verdict(
                accepted=False,
                proofs=0,
                links=0,
                statement="ab",
                test_srs=False,
                reason="wire 't1'\nends in other values",
            ),
            "REJECTED: wire 't1'\\nends in other values",
        ),
        (
            Verdict(accepted=True, proofs=6, links=5, statement="ab", test_srs=False),
            "accepted: 6 proofs, 5 links",
        ),
    ],
)
def test_the_verdict_is_the_last_line(
    change_report: ChangeReport, verdict: Verdict | None, last: str
) -> None:
    page = shown(change_report(verdict=verdict))
    assert page.splitlines()[-1] == last
    assert "test SRS" not in page


def test_a_variant_that_could_not_be_counted_shows_its_reason(report: Report) -> None:
    ezkl = Variant(note="calibration failed: constants too large", slices=[], total=None)
    page = shown(msgspec.structs.replace(report, variants=report.variants | {"ezkl": ezkl}))
    assert "ezkl: calibration failed: constants too large" in page
    assert row(page, "cells") == ["-", "421 342", "321 115", "-23.8 %"]


def test_of_those_applied_the_first_are_listed_of_those_left_all(
    change_report: ChangeReport,
) -> None:
    sites = [SiteReport(rule="fold", nodes=[f"bn{i}"]) for i in range(9)]
    sites += [SiteReport(rule="fold", nodes=["", f"n{i}"], reason="shared") for i in range(5)]
    page = shown(change_report(sites=sites))
    assert "  9 x fold: bn0; bn1; bn2; ...\n" in page
    assert [f"  left: fold at (unnamed), n{i}: shared" in page for i in range(5)] == [True] * 5
    kept = SiteReport(rule="fold", nodes=["a"], reason="kept 'a' apart from 'b': 't' is read")
    assert "  left: kept 'a' apart from 'b': 't' is read\n" in shown(change_report(sites=[kept]))


def test_names_neither_style_nor_move_the_cursor(change_report: ChangeReport) -> None:
    report = change_report(model="[red]a[/red]\x1b[2Jb.onnx")
    file = StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system="standard")
    console.print(text.render(report, 80))
    assert "[red]a[/red]\\x1b[2Jb.onnx" in file.getvalue()
    assert "\x1b[2J" not in file.getvalue()
    assert "\x1b[32m" in file.getvalue()
