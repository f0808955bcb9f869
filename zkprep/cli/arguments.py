"""The options that several commands share, with their help; those that belong together as one."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zkprep.options import (
    TOLERANCE,
    Baselines,
    InputVisibility,
    Options,
    parse_dims,
    parse_links,
    parse_memory,
)


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"


class Where(StrEnum):
    """Where keys and proofs are made."""

    LOCAL = "local"
    RAY = "ray"


ModelArgument = Annotated[Path, typer.Argument(help="ONNX model", show_default=False)]
InputOption = Annotated[
    Path | None,
    typer.Option(
        "--input",
        help='input: EZKL\'s {"input_data": [[...], ...]} JSON, .npz by name, or .npy; '
        "seeded random numbers where there is none",
    ),
]
DimOption = Annotated[
    list[str] | None, typer.Option("--dim", help="value of a named dimension, NAME=VALUE")
]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="the prover's own log, too")]
TestSrs = Annotated[
    bool,
    typer.Option(
        "--allow-test-srs/--require-ceremony",
        help="where the ceremony's SRS cannot be had: make a test-only one, not secure, or stop",
    ),
]


@dataclass(frozen=True, slots=True)
class WorkplaceOptions:
    """Where keys and proofs are made."""

    executor: Annotated[
        Where, typer.Option("--executor", help="prove in workers here, or on a Ray cluster")
    ] = Where.LOCAL
    address: Annotated[
        str | None, typer.Option("--address", help="the Ray cluster's; auto: the one this is in")
    ] = None
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate/--no-calibrate",
            help="measure what proofs cost on this machine, if that was never done: some seconds",
        ),
    ] = True


@dataclass(frozen=True, slots=True)
class CutOptions:
    """What the cut of a model depends on."""

    memory: Annotated[
        str | None, typer.Option("--memory", help="most memory to prove a slice, e.g. 8GiB")
    ] = None
    max_logrows: Annotated[
        int | None, typer.Option("--max-logrows", help="a slice has at most 2**K rows")
    ] = None
    blocks: Annotated[int | None, typer.Option("--blocks", help="number of slices")] = None
    workers: Annotated[
        int | None, typer.Option("--workers", help="cut for that many proving side by side")
    ] = None
    dim: DimOption = None
    keep_head: Annotated[
        bool,
        typer.Option(
            "--keep-head",
            help="prove a final Softmax or ArgMax too; else the verifier evaluates it",
        ),
    ] = False

    def options(self) -> Options:
        """These, and the defaults of all others.

        Raises:
            InputError: one of them is not usable.
        """
        return Options(
            dims=parse_dims(self.dim or ()),
            memory=parse_memory(self.memory),
            max_logrows=self.max_logrows,
            blocks=self.blocks,
            workers=self.workers,
            keep_head=self.keep_head,
        )


@dataclass(frozen=True, slots=True)
class CircuitOptions:
    """What the circuits of the slices depend on, and what they are compared with."""

    scale: Annotated[
        int | None,
        typer.Option("--scale", help="bits after the binary point; as few as the tolerance needs"),
    ] = None
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="largest error, as a share of the output's range")
    ] = TOLERANCE
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples",
            help="more inputs to hold: a JSON list of EZKL inputs, or .npz or .npy with one more "
            "axis",
        ),
    ] = None
    max_proof_bytes: Annotated[
        int | None, typer.Option("--max-proof-bytes", help="most bytes of all proofs together")
    ] = None
    link: Annotated[
        list[str] | None,
        typer.Option(
            "--link",
            help="how links are compared: public, as values; polycommit, as commitments that hide "
            "them; or TENSOR=MODE for one",
        ),
    ] = None
    input_visibility: Annotated[
        InputVisibility,
        typer.Option("--input-visibility", help="whether a verifier sees the model's inputs"),
    ] = InputVisibility.PUBLIC
    baselines: Annotated[
        Baselines,
        typer.Option("--baselines", help="variants plain and ezkl: prove them too, or count"),
    ] = Baselines.COUNT

    def added_to(self, options: Options) -> Options:
        """`options` and these.

        Raises:
            InputError: one of them is not usable.
        """
        return replace(
            options,
            scale=self.scale,
            tolerance=self.tolerance,
            samples=self.samples,
            max_proof_bytes=self.max_proof_bytes,
            links=parse_links(self.link or ()),
            input_visibility=self.input_visibility,
            baselines=self.baselines,
        )
