"""How the answer of `zkprep check` looks: what stands in the way, what is fine, what EZKL says."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zkprep.checking.check import REFUSED, CheckReport, Finding
from zkprep.checking.opinion import Opinion


def render(report: CheckReport) -> RenderableType:
    """The report as a table and a few lines; nothing in it is read as markup."""
    parts: list[RenderableType] = []
    if report.findings:
        parts += [_findings(report.findings), Text("")]
    if report.fine:
        fine = ", ".join(f"{count} {operator}" for operator, count in report.fine.items())
        parts.append(Text(f"as they are: {fine}"))
    parts += [Text(f"left to the verifier: {head}") for head in report.heads]
    if report.ezkl is not None:
        parts.append(Text(f"EZKL: {_opinion(report.ezkl)}"))
    verdict = "can be proved" if report.provable else "cannot be proved"
    parts.append(Text(f"{verdict}: {report.model}", "bold", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def _findings(findings: list[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in ("operator", "node", "in EZKL", "zkprep"):
        table.add_column(heading, overflow="fold")
    for one in findings:
        refused = one.action == REFUSED
        done = "refused" if refused else one.rewrite
        table.add_row(
            Text(one.operator), Text(one.node), Text(one.problem), Text(done, "red" * refused)
        )
    return table


def _opinion(found: Opinion) -> str:
    parts = [found.answer]
    if found.cells is not None:
        parts.append(f"{found.cells:,} cells in one circuit")
    if found.error is not None:
        parts.append(f"error {100 * found.error:.2g} % of the output's range")
    return ", ".join(parts)
