"""The verbs about a model: check, fuse, slice, measure, prove."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from zkprep.cli.arguments import (
    CircuitOptions,
    CutOptions,
    DimOption,
    Format,
    InputOption,
    JsonOption,
    ModelArgument,
    QuietOption,
    TestSrs,
    VerboseOption,
    WorkplaceOptions,
)
from zkprep.cli.console import (
    answers,
    backend,
    describe_site,
    executed,
    print_text,
    show,
    show_choices,
    show_cut,
    show_json,
    show_profile,
)
from zkprep.cli.grouped import grouped
from zkprep.errors import InputError
from zkprep.options import Baselines

CHECK_WIDTH = 80

app = typer.Typer()


@app.command()
@answers
def check(
    model: ModelArgument,
    dim: DimOption = None,
    json: JsonOption = False,
) -> None:
    """Say what EZKL would reject or get wrong in a model.

    With what zkprep does about it.
    """
    from zkprep.api import check_model
    from zkprep.cli.checked import render
    from zkprep.options import parse_dims

    found = check_model(model, parse_dims(dim or ()))
    if json:
        show_json(found)
    else:
        print_text(render(found), CHECK_WIDTH)
    if not found.provable:
        raise typer.Exit(2)


@app.command()
@answers
def fuse(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="the smaller model")],
    explain: Annotated[
        bool, typer.Option("--explain", help="every place looked at, and why")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a smaller model that computes the same function."""
    from zkprep.fusing import fuse_file
    from zkprep.passes import default_passes

    sites = fuse_file(model, output)
    if json:
        show_json(
            [
                {"pass": s.step, "rule": s.rule, "nodes": list(s.nodes), "reason": s.reason}
                for s in sites
            ]
        )
        return
    fusions = {one.name for one in default_passes()}
    found = [site for site in sites if site.step in fusions]
    if explain:
        for site in sites:
            if site.applied or site in found:
                typer.echo(describe_site(site, fusion=site in found))
    applied = sum(site.applied for site in found)
    typer.echo(f"{output}: {applied} fused, {len(found) - applied} left")


@app.command("slice")
@answers
@grouped
def slice_(
    model: ModelArgument,
    cut: CutOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="folder for the slices")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the cut, write nothing")] = False,
    format: Annotated[
        Format, typer.Option("--format", help="md and html draw the graph")
    ] = Format.TEXT,
    json: JsonOption = False,
) -> None:
    """Cut a model into ONNX slices; show sizes and wires."""
    from zkprep.api import slice_model

    if output is None and not dry_run:
        raise InputError("slice needs --output DIR, or --dry-run to write nothing")
    found = slice_model(model, None if dry_run else output, cut.options())
    if json or format is Format.JSON:
        show_json(found)
    else:
        show_cut(found.model, found.cut, format)


@app.command()
@answers
@grouped
def measure(
    model: ModelArgument,
    *,
    input: InputOption = None,
    cut: CutOptions,
    circuits: CircuitOptions,
    explain: Annotated[
        bool, typer.Option("--explain", help="every setting chosen, and what it saves")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="where the cells go, by operator and cause")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="report.json to write")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Count circuits before and after; makes no keys.

    Predicts what proving them would cost, too.
    """
    from zkprep import pipeline
    from zkprep.cli.progress import progress
    from zkprep.files import require_writable, write_atomically
    from zkprep.report.types import dump

    if circuits.baselines is Baselines.PROVE:
        raise InputError("measure proves nothing: --baselines is 'count' or 'none'")
    options = circuits.added_to(cut.options())
    if output is not None:
        require_writable(output)
    with progress(sys.stderr, quiet=quiet or json) as notify:
        report = pipeline.measure(model, input, options, backend(verbose), notify)
    if output is not None:
        write_atomically(output, dump(report))
    show(report, Format.JSON if json else Format.TEXT)
    if explain and not json:
        show_choices(report)
    if profile and not json:
        show_profile(report)


@app.command()
@answers
@grouped
def prove(
    model: ModelArgument,
    *,
    input: Annotated[
        list[Path],
        typer.Option("--input", help="input to prove the model on, or a batch; may be repeated"),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="run directory; resumed if it is one")
    ],
    cut: CutOptions,
    circuits: CircuitOptions,
    allow_test_srs: TestSrs = True,
    workplace: WorkplaceOptions,
    events: Annotated[
        Path | None, typer.Option("--events", help="file to add every event to, as JSON lines")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Prepare, slice, prove, verify; report what changed."""
    from zkprep import pipeline
    from zkprep.cli.progress import progress

    options = replace(
        circuits.added_to(cut.options()),
        allow_test_srs=allow_test_srs,
        calibrate=workplace.calibrate,
    )
    prover = backend(verbose)
    with (
        executed(workplace, prover, options) as chosen,
        progress(sys.stderr, quiet=quiet or json, events=events) as notify,
    ):
        report = pipeline.prove(model, input, output, options, prover, notify, executor=chosen)
    show(report, Format.JSON if json else Format.TEXT)
    if report.verdict is None or not report.verdict.accepted:
        raise typer.Exit(1)
