import re
from collections.abc import Callable

import msgspec
import pytest

from zkprep.report import markdown
from zkprep.report.compare import compare, exceeded, parse_fail_on
from zkprep.report.figures import plain
from zkprep.report.types import Report, SiteReport

ChangeReport = Callable[..., Report]

START = """\
### zkprep: `digits.onnx`

**`accepted: 2 proofs, 1 link`**\x20\x20
test SRS, not secure: whoever generated it can forge proofs\x20\x20
statement `abababababababababababababababababababababababababababababababab`

| total | ezkl | plain | prepared | change |
| :-- | --: | --: | --: | --: |
| ops | 7 | 7 | 5 | -28.6 % |
| cells | 450 000 | 421 342 | 321 115 | -23.8 % |
"""
HOSTILE = "a|b`c\\|d<img src=x>@user *e*\n| f"


def tables(page: str) -> list[list[str]]:
    """The lines of each table."""
    blocks = re.findall(r"(?:^\|.*\n)+", page + "\n", flags=re.MULTILINE)
    return [block.splitlines() for block in blocks]


def test_the_verdict_and_the_totals_come_first(report: Report) -> None:
    assert plain(markdown.render(report)).startswith(START)


def test_slices_and_sites_follow(report: Report) -> None:
    page = plain(markdown.render(report))
    assert "| `000` | 301 338 -> 201 111 | -33.3 % | 15 -> 14 | ~301 MB -> 201 MB |" in page
    left = "left: `'t3' is also read by 'add1'`"
    assert f"| `BatchNormalization into Conv` | `conv3, bn3` | {left} |" in page
    assert page.count("<details>") == page.count("</details>") == 3


@pytest.mark.parametrize("hostile", [HOSTILE, "``", "", " ", "\\"])
def test_a_name_stays_in_its_cell_and_in_code(change_report: ChangeReport, hostile: str) -> None:
    site = SiteReport(rule=hostile, nodes=[hostile], reason=hostile or "left")
    report = change_report(model=hostile, sites=[site])
    tame = change_report(sites=[SiteReport(rule="r", nodes=["n"], reason="left")])
    page = markdown.render(report)
    shape = [[line.count("|") for line in table] for table in tables(page)]
    assert shape == [[line.count("|") for line in table] for table in tables(markdown.render(tame))]
    outside = re.sub(r"<code>[^<`|\\@*]*</code>|`[^`\n]+`", "", page)
    assert not set("`@*\\<") & set(re.sub(r"</?(details|summary)>|\*\*", "", outside))


def test_a_long_list_of_sites_is_cut(change_report: ChangeReport) -> None:
    sites = [SiteReport(rule="fold", nodes=[f"bn{i}"]) for i in range(markdown.SITES_SHOWN + 2)]
    page = markdown.render(change_report(sites=sites))
    assert len(tables(page)[-1]) == markdown.SITES_SHOWN + 2
    assert "\n\nand 2 more\n\n</details>" in page


def test_a_comparison_names_what_exceeds(report: Report) -> None:
    worse = msgspec.structs.replace(report, variants={"prepared": report.variants["plain"]})
    comparison = compare(report, worse)
    messages = exceeded(comparison, parse_fail_on("cells:+2%"))
    page = plain(markdown.render_comparison(comparison, messages))
    assert page.startswith(
        "### zkprep compare\n\n"
        "- before: `digits.onnx (4f4f4f4f), zkprep 0.1.0, prover 23.0.5`\n"
        "- after: `digits.onnx (4f4f4f4f), zkprep 0.1.0, prover 23.0.5`\n\n"
        "- **`cells: 321 115 -> 421 342, +31.2 %; the limit is +2.0 %`**\n\n"
        "| total | before | after | difference | change |\n"
    )
    assert "\n| cells | 321 115 | 421 342 | +100 227 | +31.2 % |\n" in page
    assert "\n| `000` | +49.8 % | ~+49.8 % | ~+49.8 % | ~+49.8 % |\n" in page
    assert "\n| setup | 16.1 s | - | - | - |\n" in page


def test_a_quantity_that_neither_side_knows_is_left_out(report: Report) -> None:
    counted = msgspec.structs.replace(report, variants={"prepared": report.variants["plain"]})
    page = markdown.render_comparison(compare(counted, counted))
    assert "| setup |" not in page
    assert "| setup CPU |" in page
