"""Where the command line meets the user: output, errors, exit codes, the prover's log."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import typer

from zkprep.cli.arguments import Format, Where, WorkplaceOptions
from zkprep.errors import InputError, VerificationError, ZkprepError
from zkprep.report.figures import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from zkprep.backends.base import Backend
    from zkprep.execute.task import Executor
    from zkprep.options import Options
    from zkprep.passes.base import Site
    from zkprep.report.compare import Comparison
    from zkprep.report.cut import Cut
    from zkprep.report.types import Report

P = ParamSpec("P")
PLAIN_WIDTH = 100


def answers(command: Callable[P, None]) -> Callable[P, None]:
    """Turn zkprep's errors into one clear message and the exit code they stand for."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except ZkprepError as error:
            label = "rejected" if isinstance(error, VerificationError) else "error"
            # A name in a rejected file may not forge a line; our own refusals may have several.
            lines = [str(error)] if label == "rejected" else str(error).split("\n")
            typer.echo(f"{label}: " + "\n".join(map(printable, lines)), err=True)
            if error.hint:
                typer.echo(f"  {error.hint}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("interrupted; the same command goes on from here", err=True)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # The reader of stdout went away: nothing is left to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    return wrapped


def backend(verbose: bool = False) -> "Backend":
    """The real prover; its own log is shown when `verbose`."""
    from zkprep.backends.ezkl import EzklBackend

    logging.basicConfig(format="%(message)s", level=logging.DEBUG if verbose else logging.WARNING)
    return EzklBackend()


@contextmanager
def executed(
    workplace: WorkplaceOptions, prover: "Backend", options: "Options"
) -> "Iterator[Executor]":
    """What makes keys and proofs, for as long as that lasts.

    Raises:
        InputError: an address without a cluster, no Ray, or no cluster at the address.
    """
    if workplace.executor is Where.RAY:
        from zkprep.execute.cluster import ray_executor

        with ray_executor(prover, workplace.address) as executor:
            yield executor
        return
    if workplace.address is not None:
        raise InputError("--address is of a Ray cluster: it goes with --executor ray")
    from zkprep.execute.local import local_executor

    yield local_executor(prover, options)


def show(found: "Report", format: Format) -> None:
    """Print a report; text is coloured and as wide as the terminal, where there is one."""
    if format is Format.TEXT and sys.stdout.isatty():
        from rich.console import Console

        from zkprep.report import text

        console = Console(highlight=False)
        console.print(text.render(found, console.width))
    else:
        typer.echo(rendered(found, format).rstrip("\n"))


def print_text(found: "RenderableType", width: int) -> None:
    """Print what rich can show, coloured on a terminal, `width` columns wide elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(found)
    else:
        from zkprep.report.text import plain_text

        typer.echo(plain_text(found, width), nl=False)


def rendered(found: "Report", format: Format) -> str:
    """A report as text in that format."""
    from zkprep.report import html, markdown, text, types

    match format:
        case Format.TEXT:
            return text.plain_text(text.render(found, PLAIN_WIDTH), PLAIN_WIDTH)
        case Format.MARKDOWN:
            return markdown.render(found)
        case Format.HTML:
            return html.render(found)
        case Format.JSON:
            return types.dump(found).decode()


def rendered_comparison(found: "Comparison", beyond: Sequence[str], format: Format) -> str:
    """A comparison as text in that format.

    Raises:
        InputError: there is no such format of a comparison.
    """
    from zkprep.report import markdown, text, types

    match format:
        case Format.TEXT:
            return text.plain_text(text.render_comparison(found, beyond), PLAIN_WIDTH)
        case Format.MARKDOWN:
            return markdown.render_comparison(found, beyond)
        case Format.JSON:
            return types.dump(found).decode()
        case Format.HTML:
            raise InputError("a comparison has no HTML; --format is text, md or json")


def show_choices(found: "Report") -> None:
    """Print every setting chosen for the prepared slices, and what each saves."""
    from zkprep.report import choices, text

    typer.echo(text.plain_text(choices.render(found), PLAIN_WIDTH).rstrip("\n"))


def show_cut(name: str, cut: "Cut", format: Format) -> None:
    """Print a cut: its table in text, its picture too in Markdown and HTML."""
    from zkprep.report import cut_table, html, markdown

    if format is Format.TEXT:
        print_text(cut_table.render(cut), PLAIN_WIDTH)
        return
    write = markdown.render_cut if format is Format.MARKDOWN else html.render_cut
    typer.echo(write(name, cut).rstrip("\n"))


def show_profile(found: "Report") -> None:
    """Print where the cells of the prepared slices go."""
    from zkprep.report import profile, text

    typer.echo(text.plain_text(profile.render(found), PLAIN_WIDTH).rstrip("\n"))


def show_json(document: object) -> None:
    """Print one JSON document."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())


def talk(message: str) -> None:
    """Tell the user something that is no result."""
    typer.echo(message, err=True)


def describe_site(found: "Site", *, fusion: bool) -> str:
    """One line about a place that a pass looked at; passes other than fusions only tidy up."""
    if not found.applied:
        return f"left: {found.reason}"
    names = f": {', '.join(found.nodes)}" if found.nodes else ""
    return f"{'fused:' if fusion else 'tidied:'} {found.rule}{names}"
