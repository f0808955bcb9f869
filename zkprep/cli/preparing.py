"""The verbs that make something: fuse, slice, measure, prove."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from zkprep.cli.arguments import (
    BaselinesOption,
    BlocksOption,
    DimOption,
    Format,
    InputOption,
    InputVisibilityOption,
    JsonOption,
    KeepHeadOption,
    LinkOption,
    LogrowsOption,
    MemoryOption,
    ModelArgument,
    ProofBytesOption,
    QuietOption,
    SamplesOption,
    ScaleOption,
    TestSrs,
    ToleranceOption,
    VerboseOption,
    Where,
    WorkersOption,
)
from zkprep.cli.console import (
    answers,
    backend,
    describe_site,
    executed,
    show,
    show_choices,
    show_cut,
    show_json,
    show_profile,
    talk,
)
from zkprep.errors import InputError
from zkprep.options import Baselines, InputVisibility

app = typer.Typer()


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
def slice_(
    model: ModelArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="folder for the slices")
    ] = None,
    memory: MemoryOption = None,
    max_logrows: LogrowsOption = None,
    blocks: BlocksOption = None,
    workers: WorkersOption = None,
    dim: DimOption = None,
    keep_head: KeepHeadOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the cut, write nothing")] = False,
    format: Annotated[
        Format, typer.Option("--format", help="md and html draw the graph")
    ] = Format.TEXT,
    json: JsonOption = False,
) -> None:
    """Cut a model into ONNX slices and show what each takes and how they are wired."""
    from zkprep.api import slice_model
    from zkprep.options import Options, parse_dims, parse_memory

    if output is None and not dry_run:
        raise InputError("slice needs --output DIR, or --dry-run to write nothing")
    options = Options(
        dims=parse_dims(dim or ()),
        memory=parse_memory(memory),
        max_logrows=max_logrows,
        blocks=blocks,
        workers=workers,
        keep_head=keep_head,
    )
    found = slice_model(model, None if dry_run else output, options)
    if json or format is Format.JSON:
        show_json(found)
    else:
        show_cut(found.model, found.cut, format)


@app.command()
@answers
def measure(
    model: ModelArgument,
    input: InputOption = None,
    memory: MemoryOption = None,
    max_logrows: LogrowsOption = None,
    blocks: BlocksOption = None,
    workers: WorkersOption = None,
    max_proof_bytes: ProofBytesOption = None,
    scale: ScaleOption = None,
    tolerance: ToleranceOption = 0.01,
    samples: SamplesOption = None,
    dim: DimOption = None,
    keep_head: KeepHeadOption = False,
    link: LinkOption = None,
    input_visibility: InputVisibilityOption = InputVisibility.PUBLIC,
    baselines: BaselinesOption = Baselines.COUNT,
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
    """Count the circuits before and after, and predict their cost; makes no keys."""
    from zkprep import pipeline
    from zkprep.files import write_atomically
    from zkprep.options import Options, parse_dims, parse_links, parse_memory
    from zkprep.progress import progress
    from zkprep.report.types import dump

    if baselines is Baselines.PROVE:
        raise InputError("measure proves nothing: --baselines is 'count' or 'none'")
    options = Options(
        dims=parse_dims(dim or ()),
        scale=scale,
        tolerance=tolerance,
        memory=parse_memory(memory),
        max_logrows=max_logrows,
        blocks=blocks,
        workers=workers,
        max_proof_bytes=max_proof_bytes,
        samples=samples,
        links=parse_links(link or ()),
        input_visibility=input_visibility,
        baselines=baselines,
        keep_head=keep_head,
    )
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
def prove(
    model: ModelArgument,
    input: Annotated[
        list[Path],
        typer.Option("--input", help="input to prove the model on, or a batch; may be repeated"),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="run directory; resumed if it is one")
    ],
    memory: MemoryOption = None,
    max_logrows: LogrowsOption = None,
    blocks: BlocksOption = None,
    workers: WorkersOption = None,
    max_proof_bytes: ProofBytesOption = None,
    scale: ScaleOption = None,
    tolerance: ToleranceOption = 0.01,
    samples: SamplesOption = None,
    dim: DimOption = None,
    keep_head: KeepHeadOption = False,
    link: LinkOption = None,
    input_visibility: InputVisibilityOption = InputVisibility.PUBLIC,
    baselines: BaselinesOption = Baselines.COUNT,
    allow_test_srs: TestSrs = True,
    executor: Annotated[
        Where, typer.Option("--executor", help="prove in workers here, or on a Ray cluster")
    ] = Where.LOCAL,
    address: Annotated[
        str | None, typer.Option("--address", help="the Ray cluster's; auto: the one this is in")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", help="file to add every event to, as JSON lines")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Prepare, slice, prove and verify a model on inputs, and report what changed."""
    from zkprep import pipeline
    from zkprep.options import Options, parse_dims, parse_links, parse_memory
    from zkprep.progress import progress

    options = Options(
        dims=parse_dims(dim or ()),
        scale=scale,
        tolerance=tolerance,
        memory=parse_memory(memory),
        max_logrows=max_logrows,
        blocks=blocks,
        workers=workers,
        max_proof_bytes=max_proof_bytes,
        samples=samples,
        links=parse_links(link or ()),
        input_visibility=input_visibility,
        baselines=baselines,
        keep_head=keep_head,
        allow_test_srs=allow_test_srs,
    )
    prover = backend(verbose)
    with (
        executed(executor, address, prover, options) as chosen,
        progress(sys.stderr, quiet=quiet or json, events=events) as notify,
    ):
        report = pipeline.prove(model, input, output, options, prover, notify, executor=chosen)
    show(report, Format.JSON if json else Format.TEXT)
    if report.verdict is None or not report.verdict.accepted:
        raise typer.Exit(1)


@app.command("calibrate-machine")
@answers
def calibrate_machine(json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Measure what proving costs here, in about a minute; predictions use it from then on."""
    import msgspec

    from zkprep.calibrate import calibrate

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
