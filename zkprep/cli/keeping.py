"""The verbs about what lies on this machine: runs, clean, calibrate-machine, srs."""

import re
from pathlib import Path
from typing import Annotated

import typer

from zkprep.cli.arguments import JsonOption, VerboseOption
from zkprep.cli.console import answers, backend, show_json, talk
from zkprep.errors import InputError

app = typer.Typer()
srs_app = typer.Typer(help="List, fetch or generate structured reference strings.")
app.add_typer(srs_app, name="srs")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

FoldersArgument = Annotated[
    list[Path] | None,
    typer.Argument(help="runs, or folders of runs; the current one", show_default=False),
]


@app.command()
@answers
def runs(folders: FoldersArgument = None, json: JsonOption = False) -> None:
    """List runs, and what each still needs."""
    from zkprep.report.figures import size
    from zkprep.runs.survey import survey

    found = [survey(run) for run in _runs(folders)]
    if json:
        show_json(found)
        return
    for one in found:
        needs = ""
        if one.state in ("running", "stopped"):
            needs = "not sized yet"
            if one.stages:
                needs = f"{one.stages_left} of {one.stages} stages left"
                needs += f", about {one.cpu_seconds_left:.0f} CPU s"
        typer.echo(
            f"{one.folder}  {one.state:8}  {size(one.bytes)} ({size(one.key_bytes)} of keys)  "
            f"{one.model}  {needs}".rstrip()
        )
    if not found:
        typer.echo("no run here", err=True)


@app.command()
@answers
def clean(
    folders: FoldersArgument = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="only what is older, e.g. 12h or 7d")
    ] = None,
    larger_than: Annotated[
        str | None, typer.Option("--larger-than", help="only what is larger, e.g. 100MB")
    ] = None,
    caches: Annotated[
        bool,
        typer.Option("--caches", help="the ceremony's SRS files, keys cached for Ray, scratch too"),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say it, remove nothing")] = False,
    json: JsonOption = False,
) -> None:
    """Free what can be made again: proving keys, caches."""
    from zkprep.options import parse_memory
    from zkprep.report.figures import size
    from zkprep.runs.survey import free, spare_caches, spare_keys

    older, larger = _seconds(older_than), parse_memory(larger_than) or 0
    found = spare_keys(_runs(folders), older, larger)
    if caches:
        found += spare_caches(older, larger)
    if not dry_run:
        for one in found:
            free(one)
    if json:
        show_json([{"path": str(one.path), "bytes": one.bytes} for one in found])
        return
    for one in found:
        typer.echo(f"{size(one.bytes):>9}  {one.path}")
    done = "would free" if dry_run else "freed"
    typer.echo(f"{done} {size(sum(one.bytes for one in found))}")


@app.command("calibrate-machine")
@answers
def calibrate_machine(json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Measure what proving costs here, for predictions.

    Takes seconds; the first `prove` does it, too.
    """
    import msgspec

    from zkprep.proving.calibrate import calibrate

    found = calibrate(backend(verbose), talk)
    if json:
        show_json(msgspec.to_builtins(found))
        return
    made = found.constants
    typer.echo(f"{found.cpu}, {found.cores} cores, ezkl {found.prover}")
    typer.echo(
        f"CPU seconds: {made.slowness:.2f} of the reference machine's, "
        f"within {100 * found.time_error:.0f} % on {found.probes} circuits"
    )
    typer.echo(
        f"peak memory: {made.memory_start / 1e6:.0f} MB and {made.bulk:.2f} of the reference "
        f"machine's, within {100 * found.memory_error:.0f} %"
    )
    if found.busy:
        typer.echo(f"the machine was busy (load {found.load:.1f}): again when it is quieter")


@srs_app.command("list")
@answers
def srs_list(json: JsonOption = False) -> None:
    """The SRS files on this machine."""
    from zkprep.backends import srs

    found = srs.list_all()
    if json:
        show_json([{"logrows": s.logrows, "origin": s.origin, "path": str(s.path)} for s in found])
        return
    for one in found:
        typer.echo(f"{one.logrows:3d}  {one.origin:8s}  {one.path}")
    if not found:
        typer.echo("no SRS here; `zkprep srs get K` fetches the ceremony's", err=True)


@srs_app.command("get")
@answers
def srs_get(logrows: Annotated[int, typer.Argument(help="log2 of the rows")]) -> None:
    """Fetch the ceremony's SRS of exactly this size."""
    from zkprep.backends import srs

    typer.echo(srs.obtain(logrows, backend(), allow_test=False, notify=talk).path)


@srs_app.command("generate")
@answers
def srs_generate(logrows: Annotated[int, typer.Argument(help="log2 of the rows")]) -> None:
    """Make a test-only SRS: not secure, because this machine knows its secret."""
    from zkprep.backends import srs

    typer.echo(srs.generate(logrows, backend()).path)


def _runs(folders: list[Path] | None) -> list[Path]:
    from zkprep.runs.survey import find_runs

    return [run for folder in folders or [Path()] for run in find_runs(folder)]


def _seconds(text: str | None) -> float:
    """Seconds of "90m", "12h" or "7d"; nothing is no time at all.

    Raises:
        InputError: not an age.
    """
    if text is None:
        return 0.0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip().lower())
    if match is None:
        raise InputError(f"'{text}' is no age: expected such as 90m, 12h or 7d")
    return float(match[1]) * _UNITS[match[2]]
