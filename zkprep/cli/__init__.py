"""The command line: the only package that prints or picks an exit code.

stdout is the result (a table, or one JSON document with --json), stderr is progress and talk.
Exit codes: 0 yes or done; 1 no; 2 could not answer; 130 interrupted.
"""

from typing import Annotated

import typer

from zkprep import __version__
from zkprep.cli import checking, keeping, preparing

app = typer.Typer(
    name="zkprep",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(preparing.app)
app.add_typer(checking.app)
app.add_typer(keeping.app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zkprep {__version__}")
        raise typer.Exit


@app.callback()
def describe(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="show it and leave"),
    ] = False,
) -> None:
    """Prepare ONNX models for EZKL: smaller circuits, slices that fit, proofs that chain."""


def main() -> None:
    """Entry point of the `zkprep` command."""
    app()
