"""Every setting that was chosen for a slice: what it replaced and what it saves, by prediction."""

from rich.table import Table
from rich.text import Text

from zkprep.report.types import Report


def render(report: Report) -> Table:
    """The choices behind the prepared slices, one row each, with the sum of each slice.

    What a choice saves is counted after those above it; a minus says what it costs.
    """
    table = Table("slice", "setting", "ezkl", "chosen", box=None, pad_edge=False)
    table.add_column("prove CPU saved", justify="right")
    table.add_column("key saved", justify="right")
    for part in report.variants["prepared"].slices:
        for choice in part.choices:
            said = (part.name, choice.setting, choice.default, choice.chosen)
            table.add_row(*map(Text, said), *_saved(choice.prove_cpu_seconds, choice.pk_bytes))
        seconds = sum(choice.prove_cpu_seconds for choice in part.choices)
        key = sum(choice.pk_bytes for choice in part.choices)
        table.add_row(Text(part.name), "together", "", "", *_saved(seconds, key), end_section=True)
    return table


def _saved(seconds: float, key: int) -> tuple[str, str]:
    return f"~{seconds:.2f} s", f"~{key / 1e6:.1f} MB"
