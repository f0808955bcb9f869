"""How a number of the report is written, once for every renderer.

Counts are exact, in groups of three. Measured quantities have three significant digits; bytes are
decimal (1 MB = 10**6 B), as key sizes are quoted in the field. A change is signed and never "-0".
The separator of groups is U+202F (narrow no-break space, ISO 80000-1 7.3.1).
"""

THIN = "\u202f"
MISSING = "-"
PREDICTED = "~"


def count(value: float) -> str:
    """An exact whole number: 1 201 338."""
    return f"{round(value):,}".replace(",", THIN)


def size(value: float) -> str:
    """Bytes: 812 B, 9.42 kB, 227 MB, 1.29 GB."""
    scaled, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if scaled < 999.5:
            break
        scaled, unit = scaled / 1000, larger
    return f"{count(scaled) if unit == 'B' else _three_digits(scaled)} {unit}"


def seconds(value: float) -> str:
    """Seconds: 0.034 s, 8.41 s, 137 s, 2 490 s."""
    if 0 < value < 0.0005:
        return "<0.001 s"
    return f"{value:.3f} s" if 0 < value < 0.9995 else f"{_three_digits(value)} s"


def error(value: float) -> str:
    """An absolute error: 0.00312, 1.2e-05."""
    return f"{value:.3g}"


def share(value: float) -> str:
    """A share as percent: 0.31 %."""
    return f"{100 * value:.3g} %"


def agreement(value: float) -> str:
    """A yes or no."""
    return "yes" if value else "no"


def percent(value: float) -> str:
    """A signed change in percent: -31.2 %, +0.004 %, 0 %; a small change is not shown as none."""
    if value == 0:
        return "0 %"
    if abs(value) < 0.05:
        return f"{value:+.1g} %"
    return f"{value:+,.1f} %".replace(",", THIN)


def plain(text: str) -> str:
    """`text` with ordinary spaces: as wide in a terminal, and in any character set."""
    return text.replace(THIN, " ")


def printable(text: str) -> str:
    """`text`, which may come from the model (untrusted), on one line without control characters."""
    shown = (char if char.isprintable() or char == THIN else ascii(char)[1:-1] for char in text)
    return "".join(shown)


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else count(value)
