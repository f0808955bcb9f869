"""The quantities of a report: their names, where each is found, how it is written and compared.

Every renderer, and `--fail-on`, reads this one list. Like is compared with like: where one side was
measured and the other only predicted, the change is that of the two predictions, and is marked so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec

from zkprep.report import figures
from zkprep.report.types import SliceReport

Kind = Literal["count", "extent", "bytes", "seconds", "error", "share", "agreement"]
Judgement = Literal["better", "worse", ""]

NOISE = 2.0  # percent; a smaller change of a time or of a memory peak says nothing

_WRITERS: Mapping[Kind, Callable[[float], str]] = {
    "count": figures.count,
    "extent": figures.count,
    "bytes": figures.size,
    "seconds": figures.seconds,
    "error": figures.error,
    "share": figures.share,
    "agreement": figures.agreement,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A quantity's value (None: not known), and whether it was predicted instead of measured."""

    value: float | None
    predicted: bool = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity before and after; values are None when they are not known.

    Attributes:
        quantity: the quantity's key.
        before: its value.
        after: its value.
        absolute: after - before; None when a side is not known.
        percent: the same in percent of `before`; None too from 0 to another value, and for a yes
            or no.
        predicted: the sides that are known are predictions.
    """

    quantity: str
    before: bool | float | None
    after: bool | float | None
    absolute: float | None
    percent: float | None
    predicted: bool


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the table.

    Attributes:
        key: what the user calls it in `--fail-on`, and its name in a comparison.
        label: what the table calls it.
        section: where a SliceReport holds it; "measured" falls back on the prediction.
        field: its name there.
        kind: how it is written.
        better: the direction that is; "" for what is no cost in itself, as logrows, which trades
            against blocks.
        detail: left out of the summary.
    """

    key: str
    label: str
    section: Literal["counts", "measured", "fidelity"]
    field: str
    kind: Kind
    better: Literal["lower", "higher", ""] = "lower"
    detail: bool = False

    @property
    def volatile(self) -> bool:
        """Whether it differs from run to run and from machine to machine; all else is exact."""
        return self.kind == "seconds" or self.field == "peak_bytes"

    def read(self, part: SliceReport | None) -> Figure:
        """The measured figure of a slice or total, or the predicted one, or None."""
        section = getattr(part, self.section, None)
        if self.section == "measured" and section is None:
            return self.predict(part)
        return Figure(getattr(section, self.field, None))

    def read_alike(self, parts: Sequence[SliceReport | None]) -> tuple[Figure, ...]:
        """The figures of `parts`: all measured or, where only some are, all predicted."""
        read = tuple(self.read(part) for part in parts)
        kinds = {one.predicted for one in read if one.value is not None}
        return read if len(kinds) < 2 else tuple(self.predict(part) for part in parts)

    def predict(self, part: SliceReport | None) -> Figure:
        """The figure predicted for a slice or total, or None."""
        value = getattr(getattr(part, "predicted", None), self.field, None)
        return Figure(value, predicted=value is not None)

    def write(self, figure: Figure) -> str:
        """The figure with its unit; "~" before a prediction, "-" for what is not known."""
        if figure.value is None:
            return figures.MISSING
        return self.write_value(figure.value, predicted=figure.predicted)

    def write_value(self, value: float, *, predicted: bool = False) -> str:
        """A known value with its unit."""
        return figures.PREDICTED * predicted + _WRITERS[self.kind](value)

    def write_both(self, before: SliceReport | None, after: SliceReport | None) -> str:
        """`before -> after` of the sides there are; once when both read the same."""
        sides = [self.write(self.read(part)) for part in (before, after) if part is not None]
        return " -> ".join(dict.fromkeys(sides)) or figures.MISSING

    def change(self, before: SliceReport | None, after: SliceReport | None) -> Change:
        """From `before` to `after`, like with like."""
        first, second = self.read_alike((before, after))
        absolute = percent = None
        if first.value is not None and second.value is not None:
            absolute = second.value - first.value
            if self.kind != "agreement" and (first.value != 0 or absolute == 0):
                percent = 100 * absolute / (first.value or 1)
        return Change(
            quantity=self.key,
            before=first.value,
            after=second.value,
            absolute=absolute,
            percent=percent,
            predicted=first.predicted or second.predicted,
        )

    def write_change(self, change: Change) -> str:
        """Percent with its sign; the difference where percent says little; "-" for not known."""
        if change.absolute is None:
            return figures.MISSING
        if self.kind == "agreement":
            return {-1: "lost", 0: "same", 1: "gained"}[round(change.absolute)]
        mark = figures.PREDICTED * change.predicted
        if change.absolute and (self.kind == "extent" or change.percent is None):
            return mark + self.write_difference(change)
        return mark + figures.percent(change.percent or 0)

    def write_sides(self, change: Change) -> tuple[str, str]:
        """The figures before and after, as `write` writes them."""
        return (
            self.write(Figure(change.before, change.predicted)),
            self.write(Figure(change.after, change.predicted)),
        )

    def write_difference(self, change: Change) -> str:
        """The difference after - before with its sign and unit; "0" for none, "-" for not known."""
        if change.absolute is None:
            return figures.MISSING
        if change.absolute == 0:
            return "0"
        return ("-" if change.absolute < 0 else "+") + self.write_value(abs(change.absolute))

    def judge(self, change: Change) -> Judgement:
        """Whether the change is for the better; "" when it is neither, or within the noise."""
        if not change.absolute or not self.better:
            return ""
        if self.volatile and change.percent is not None and abs(change.percent) < NOISE:
            return ""
        return "better" if (change.absolute < 0) == (self.better == "lower") else "worse"


QUANTITIES = (
    Quantity("ops", "ops", "counts", "ops", "count", better=""),
    Quantity("cells", "cells", "counts", "cells", "count"),
    Quantity("rows", "rows", "counts", "rows", "count"),
    Quantity("constants", "constants", "counts", "constants", "count", detail=True),
    Quantity("logrows", "logrows", "counts", "logrows", "extent", better=""),
    Quantity("blocks", "blocks", "counts", "blocks", "count", better=""),
    Quantity(
        "inner_columns",
        "inner columns",
        "counts",
        "inner_columns",
        "extent",
        better="",
        detail=True,
    ),
    Quantity("area", "area", "counts", "area", "count", detail=True),
    Quantity("degree", "degree", "counts", "degree", "extent"),
    Quantity("lookups", "lookups", "counts", "lookups", "count", detail=True),
    Quantity("pk", "proving key", "measured", "pk_bytes", "bytes"),
    Quantity("vk", "verifying key", "measured", "vk_bytes", "bytes"),
    Quantity("proof", "proof", "measured", "proof_bytes", "bytes"),
    Quantity("setup", "setup", "measured", "setup_seconds", "seconds"),
    Quantity("setup_cpu", "setup CPU", "measured", "setup_cpu_seconds", "seconds"),
    Quantity("prove", "prove", "measured", "prove_seconds", "seconds"),
    Quantity("prove_cpu", "prove CPU", "measured", "prove_cpu_seconds", "seconds"),
    Quantity("verify", "verify", "measured", "verify_seconds", "seconds"),
    Quantity("verify_cpu", "verify CPU", "measured", "verify_cpu_seconds", "seconds"),
    Quantity("peak", "peak memory", "measured", "peak_bytes", "bytes"),
    Quantity("max_error", "max error", "fidelity", "max_error", "error"),
    Quantity("relative_error", "error / range", "fidelity", "relative_error", "share"),
    Quantity("argmax", "argmax agrees", "fidelity", "argmax_agrees", "agreement", "higher"),
)
BY_KEY: Mapping[str, Quantity] = MappingProxyType({one.key: one for one in QUANTITIES})
SUMMARY = tuple(one for one in QUANTITIES if not one.detail)
PER_SLICE = tuple(BY_KEY[key] for key in ("logrows", "pk", "prove_cpu", "peak"))
PER_CHANGE = tuple(BY_KEY[key] for key in ("cells", "pk", "prove_cpu", "peak"))
