"""The verbs about a run: verify, statement, report, compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkprep.cli.arguments import (
    Format,
    JsonOption,
    VerboseOption,
)
from zkprep.cli.console import (
    answers,
    backend,
    rendered,
    rendered_comparison,
    show,
    show_json,
)
from zkprep.report.figures import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zkprep.verifying.verdict import Verdict

app = typer.Typer()


@app.command()
@answers
def verify(
    public: Annotated[Path, typer.Argument(help="RUN/public", show_default=False)],
    expect: Annotated[str | None, typer.Option("--expect", help="digest of the statement")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="ONNX model to rebuild it from")
    ] = None,
    input: Annotated[
        Path | None, typer.Option("--input", help="the input that the proofs have to be about")
    ] = None,
    allow_test_srs: Annotated[
        bool, typer.Option("--allow-test-srs", help="accept a test-only SRS: not secure")
    ] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Verify every proof and every link of a run.

    Against the digest of a statement that you trust, or against the model itself.
    """
    from zkprep.verifying import audit

    verdicts = audit.verify_all(
        public,
        backend(verbose),
        expect=expect,
        model=model,
        allow_test_srs=allow_test_srs,
        told=input,
    )
    if json:
        import msgspec

        found = [{"accepted": True, **msgspec.to_builtins(one)} for one in verdicts.values()]
        show_json(found[0] if len(found) == 1 else dict(zip(verdicts, found, strict=True)))
        return
    _show_accepted(verdicts)


def _show_accepted(verdicts: "Mapping[str, Verdict]") -> None:
    """What was proved, and by how many proofs; all verdicts are of one statement."""
    from zkprep.report.summary import number

    for name, verdict in verdicts.items():
        if len(verdicts) > 1:
            typer.echo(f"input {name}")
        _show_values(verdict)
    proofs, links, hidden = (
        sum(getattr(one, name) for one in verdicts.values())
        for name in ("proofs", "links", "committed")
    )
    inputs = f", {len(verdicts)} inputs" if len(verdicts) > 1 else ""
    committed = f", {hidden} of them by commitment" if hidden else ""
    typer.echo(f"statement {verdict.digest}")
    for line in verdict.assumed or ():
        typer.echo(f"assumed: no value leaves the field in {printable(line)}", err=True)
    if verdict.assumed == ():
        typer.echo("checked: no value can leave the field in any slice")
    if any(one.test_srs for one in verdicts.values()):
        typer.echo("warning: test SRS, not secure: whoever made it can prove anything", err=True)
    proved, linked = number(proofs, "proof"), number(links, "link")
    typer.echo(f"accepted: {proved}, {linked}{committed}{inputs}")


def _show_values(verdict: "Verdict") -> None:
    """The values that a chain puts out, and those computed from them."""
    for name, tensor in verdict.outputs.items():
        shown = ", ".join(f"{value / 2**tensor.scale:.6g}" for value in tensor.values[:16])
        more = ", ..." if len(tensor.values) > 16 else ""
        typer.echo(f"{printable(name)} {list(tensor.shape)} = {shown}{more}")
    for name, head in verdict.heads.items():
        shown = ", ".join(f"{value:.6g}" for value in head.values[:16])
        more = ", ..." if len(head.values) > 16 else ""
        here = printable(f"computed here: {head.function}")
        typer.echo(f"{printable(name)} {list(head.shape)} = {shown}{more}  ({here})")
    for name in verdict.private:
        typer.echo(f"{printable(name)} is private: the prover knows such an input")


@app.command()
@answers
def statement(
    public: Annotated[Path, typer.Argument(help="RUN/public", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Say what a run claims; verifies nothing."""
    from zkprep.claims.statement import summary
    from zkprep.verifying import audit

    claim = audit.claim_of(public)
    if json:
        show_json(claim)
        return
    said = summary(claim)
    for name in ("model", "zkprep", "prover"):
        typer.echo(f"{name:9} {printable(getattr(said, name))}")
    for name in ("inputs", "slices", "outputs", "heads"):
        for line in getattr(said, name):
            typer.echo(f"{name[:-1]:9} {printable(line)}")
    typer.echo(f"statement {said.digest}")


@app.command()
@answers
def report(
    run: Annotated[
        Path, typer.Argument(help="run directory, or a report.json", show_default=False)
    ],
    format: Annotated[Format, typer.Option("--format", help="how to write it")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file to write")] = None,
) -> None:
    """Show what the preparation changed."""
    from zkprep.files import write_atomically
    from zkprep.report.types import read_report

    found = read_report(run)
    if output is None:
        show(found, format)
    else:
        write_atomically(output, rendered(found, format).encode())


@app.command()
@answers
def compare(
    before: Annotated[Path, typer.Argument(help="report or run directory", show_default=False)],
    after: Annotated[Path, typer.Argument(help="report or run directory", show_default=False)],
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help="e.g. cells:+2%,prove_cpu:+10%: exit 1 beyond")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="compare what differs in kind")] = False,
    format: Annotated[Format, typer.Option("--format", help="text, md or json")] = Format.TEXT,
    json: JsonOption = False,
) -> None:
    """Compare two reports, per slice and in total."""
    from zkprep.report import compare as comparing
    from zkprep.report.types import read_report

    limits = comparing.parse_fail_on(fail_on) if fail_on else ()
    found = comparing.compare(read_report(before), read_report(after), force=force)
    beyond = comparing.exceeded(found, limits)
    text = rendered_comparison(found, beyond, Format.JSON if json else format)
    typer.echo(text.rstrip("\n"))
    if beyond:
        raise typer.Exit(1)
