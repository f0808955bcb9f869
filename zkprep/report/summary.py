"""What a report says: rows of figures, slices by pairs, facts, notes, sites, verdict.

Every renderer reads it from here, so text, Markdown and HTML say the same. Names come from the
model and are untrusted: they are printable here, and each renderer escapes them for its format.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from zkprep.report.constants import Constants
from zkprep.report.figures import count, printable, share, size
from zkprep.report.table import Change, Figure, Quantity
from zkprep.report.types import VARIANTS, Report, SiteReport, SliceReport, Variant

PREDICTED_NOTE = (
    "~ predicted from exact counts, not measured; a change marked ~ compares two predictions"
)
TEST_SRS_NOTE = "test SRS, not secure: whoever generated it can forge proofs"
RULES_NOTE = "zkprep proves and verifies only with the Freivalds einsum off and parameters fixed"
Pair = tuple[str, SliceReport | None, SliceReport | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A quantity of the totals: a figure for each of `totals(report)`, and plain to prepared."""

    quantity: Quantity
    figures: tuple[Figure, ...]
    change: Change


def totals(report: Report) -> dict[str, SliceReport | None]:
    """The variants' totals in the order of the table's columns."""
    return {name: report.variants[name].total for name in VARIANTS if name in report.variants}


def total_rows(report: Report, quantities: Iterable[Quantity]) -> list[Row]:
    """The table of totals, without the quantities that no variant has."""
    parts = totals(report)
    rows = (
        Row(
            quantity,
            tuple(quantity.read(part) for part in parts.values()),
            quantity.change(parts.get("plain"), parts.get("prepared")),
        )
        for quantity in quantities
    )
    return [row for row in rows if any(figure.value is not None for figure in row.figures)]


def facts(report: Report) -> list[tuple[str, str]]:
    """What the figures hold for: names and values, the model first."""
    machine = report.machine
    slices = report.variants["prepared"].slices if "prepared" in report.variants else []
    distinct = sum(not part.twin for part in slices)
    return [
        ("model", printable(report.model)),
        ("sha256", printable(report.model_digest)),
        ("prover", printable(report.prover)),
        ("zkprep", printable(report.zkprep)),
        ("scale", f"{report.scale} bits"),
        ("tolerance", f"{share(report.tolerance)} of the output's range"),
        ("slices", f"{count(len(slices))}, of {number(distinct, 'distinct circuit')}"),
        (
            "machine",
            f"{printable(machine.cpu)}, {count(machine.cores)} cores, "
            f"{size(machine.memory_bytes)}, Python {printable(machine.python)}",
        ),
        ("predictions", _predictions(report.constants)),
    ]


def _predictions(made: Constants | None) -> str:
    if made is None:
        return "for zkprep's reference machine; `zkprep calibrate-machine` fits them to yours"
    busy = ", though it was busy: `zkprep calibrate-machine` measures it anew" * made.busy
    return (
        f"fitted to this machine: {made.slowness:.2f} of the reference CPU seconds, "
        f"within {ceil(100 * made.time_error)} %, "
        f"memory within {ceil(100 * made.memory_error)} %{busy}"
    )


def verdict(report: Report) -> str:
    """The report's last line."""
    result = report.verdict
    if result is None:
        return "not proved: nothing to verify"
    if not result.accepted:
        return f"REJECTED: {printable(result.reason)}"
    inputs = f", {number(result.inputs, 'input')}" if result.inputs > 1 else ""
    return f"accepted: {number(result.proofs, 'proof')}, {number(result.links, 'link')}{inputs}"


def known(changes: Iterable[Change]) -> list[Change]:
    """The changes of quantities that are known on a side."""
    return [one for one in changes if (one.before, one.after) != (None, None)]


def notes(report: Report) -> list[str]:
    """What a reader has to know about the variants and their figures."""
    lines = [
        f"{name}: {printable(variant.note)}"
        for name, variant in sorted(report.variants.items())
        if variant.note
    ]
    if any(part is not None and part.measured is None for part in totals(report).values()):
        lines.append(PREDICTED_NOTE)
    return lines


def applied_sites(sites: Iterable[SiteReport]) -> list[tuple[str, list[str]]]:
    """Each rule that was applied and the nodes of its places; the most applied rule first."""
    rules: dict[str, list[str]] = {}
    for site in sites:
        if not site.reason:
            rule = f"{site.rule} ({site.saving})" if site.saving else site.rule
            rules.setdefault(printable(rule), []).append(node_names(site))
    return sorted(rules.items(), key=lambda item: (-len(item[1]), item[0]))


def left_sites(sites: Iterable[SiteReport]) -> list[tuple[str, str, str]]:
    """Rule, nodes and reason of every place that was left as it is."""
    return [
        (printable(site.rule), node_names(site), printable(site.reason))
        for site in sites
        if site.reason
    ]


def node_names(site: SiteReport) -> str:
    """The site's nodes on one line."""
    return ", ".join(printable(node) or "(unnamed)" for node in site.nodes)


def pair_slices(report: Report) -> list[Pair]:
    """Slices of plain and prepared by name, in plain's order, then those only in prepared."""
    plain, prepared = (_by_name(report.variants.get(name)) for name in ("plain", "prepared"))
    return [(name, plain.get(name), prepared.get(name)) for name in plain | prepared]


def saved(quantity: Quantity, value: float) -> str:
    """What a choice saves by prediction, with its unit; negative for what it costs."""
    return "-" * (value < 0) + quantity.write_value(abs(value))


def number(many: int, noun: str) -> str:
    """A count with its noun: 1 proof, 2 proofs."""
    return f"{count(many)} {noun}{'' if many == 1 else 's'}"


def _by_name(variant: Variant | None) -> dict[str, SliceReport]:
    return {part.name: part for part in variant.slices} if variant else {}
