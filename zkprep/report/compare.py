"""Two reports side by side, per slice and in total, and whether a change exceeds what CI allows.

Figures can be compared only where the rest is equal: reports whose prover version or tolerance
differ are refused unless forced. Another scale is a note: a circuit has the bits that its tolerance
needs, and what they cost is part of what changed. Predictions by the constants of two machines are
compared as the reference machine's. Limits are compared in rational numbers, so that a change of
exactly the limit never exceeds it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from zkprep.errors import InputError
from zkprep.report import alike
from zkprep.report.figures import percent, plain, printable
from zkprep.report.table import BY_KEY, QUANTITIES, Change
from zkprep.report.types import Report, SliceReport, Variant

_LIMIT = re.compile(r"(?P<key>\w+):(?P<percent>[+-]?\d{1,9}(\.\d{1,9})?)%", re.ASCII)
_MUST_AGREE = ("prover", "tolerance")
_LIMITED = tuple(one.key for one in QUANTITIES if one.kind != "agreement")


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One slice, or the total, before and after: a change for every quantity of the table."""

    name: str
    changes: list[Change]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What changed from one report to another.

    Attributes:
        variant: which variant of both.
        before: model and versions of the first report.
        after: of the second.
        notes: what a reader must bear in mind.
        slices: by name; empty when the slices do not correspond.
        total: the whole variant.
    """

    format: str = "zkprep.comparison/1"
    variant: str
    before: str
    after: str
    notes: list[str]
    slices: list[Compared]
    total: Compared


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest change of a quantity's total that is allowed, in percent of before."""

    quantity: str
    percent: Fraction


def compare(
    before: Report, after: Report, *, force: bool = False, variant: str = "prepared"
) -> Comparison:
    """Compare one variant of two reports; `force` turns refusals into notes.

    Raises:
        InputError: prover or tolerance differ, or a report has no such variant.
    """
    differences = [
        f"{field} differs: {getattr(before, field)} before, {getattr(after, field)} after"
        for field in _MUST_AGREE
        if getattr(before, field) != getattr(after, field)
    ]
    if differences and not force:
        raise InputError(
            f"the reports are not comparable: {printable('; '.join(differences))}",
            hint="make both reports alike, or compare them anyway with --force",
        )
    first, second = _variant(before, variant, "before"), _variant(after, variant, "after")
    if alike.differ(before, after):
        first = alike.at_reference(first, before.constants)
        second = alike.at_reference(second, after.constants)
    names = [part.name for part in first.slices]
    after_slices = {part.name: part for part in second.slices}
    corresponds = set(names) == set(after_slices)
    return Comparison(
        variant=variant,
        before=_title(before),
        after=_title(after),
        notes=[*map(printable, differences), *_notes(before, after, corresponds=corresponds)],
        slices=[_compared(part, after_slices[part.name]) for part in first.slices]
        if corresponds
        else [],
        total=_compared(_total(first, variant, "before"), _total(second, variant, "after")),
    )


def parse_fail_on(text: str) -> tuple[Limit, ...]:
    """Limits from `cells:+2%,prove_cpu:+10%`; a negative one asks for a decrease.

    Raises:
        InputError: malformed, unknown or repeated quantity.
    """
    limits: dict[str, Limit] = {}
    for item in text.split(","):
        match = _LIMIT.fullmatch(item.strip())
        if match is None:
            raise InputError(
                f"--fail-on: '{printable(item.strip())}' is not a limit",
                hint="write a quantity and a percentage, as in cells:+2%,prove_cpu:+10%",
            )
        key = match["key"]
        if key not in _LIMITED:
            raise InputError(
                f"--fail-on: '{key}' is not a quantity", hint=f"known are {', '.join(_LIMITED)}"
            )
        if key in limits:
            raise InputError(f"--fail-on: '{key}' has two limits", hint="give one")
        limits[key] = Limit(key, Fraction(match["percent"]))
    return tuple(limits.values())


def exceeded(comparison: Comparison, limits: Iterable[Limit]) -> list[str]:
    """One message per limit that the total exceeds; a change of exactly the limit does not.

    Raises:
        InputError: a limited quantity is missing on a side, so there is no answer.
    """
    changes = {change.quantity: change for change in comparison.total.changes}
    return [message for limit in limits if (message := _exceeded(changes[limit.quantity], limit))]


def _exceeded(change: Change, limit: Limit) -> str:
    quantity = BY_KEY[limit.quantity]
    if change.before is None or change.after is None:
        sides = [name for name in ("before", "after") if getattr(change, name) is None]
        raise InputError(
            f"--fail-on: '{limit.quantity}' is not known {' and '.join(sides)}",
            hint="measure it on both sides, or limit another quantity",
        )
    first, second = Fraction(change.before), Fraction(change.after)
    if (second - first) * 100 <= limit.percent * first:
        return ""
    return plain(
        f"{limit.quantity}: {' -> '.join(quantity.write_sides(change))}, "
        f"{quantity.write_change(change)}; the limit is {percent(float(limit.percent))}"
    )


def _compared(before: SliceReport, after: SliceReport) -> Compared:
    return Compared(
        name=before.name, changes=[quantity.change(before, after) for quantity in QUANTITIES]
    )


def _variant(report: Report, variant: str, side: str) -> Variant:
    if variant not in report.variants:
        raise InputError(
            f"the report {side} has no variant '{printable(variant)}'",
            hint=f"it has {', '.join(sorted(report.variants)) or 'none'}",
        )
    return report.variants[variant]


def _total(variant: Variant, name: str, side: str) -> SliceReport:
    if variant.total is None:
        raise InputError(
            f"variant '{name}' of the report {side} holds no figures: {printable(variant.note)}"
        )
    return variant.total


def _title(report: Report) -> str:
    digest = report.model_digest[:8]
    return printable(f"{report.model} ({digest}), zkprep {report.zkprep}, prover {report.prover}")


def _notes(before: Report, after: Report, *, corresponds: bool) -> list[str]:
    notes = []
    if before.model_digest != after.model_digest:
        notes.append("the models differ")
    if before.scale != after.scale:
        notes.append(f"the scale differs: {before.scale} bits before, {after.scale} after")
    if alike.differ(before, after):
        notes.append(alike.NOTE)
    if not corresponds:
        notes.append("the slices' names differ: only the totals are compared")
    if (before.machine.cpu, before.machine.cores) != (after.machine.cpu, after.machine.cores):
        notes.append("the machines differ: times and memory say little")
    return notes
