"""The options that several commands share, with their help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zkprep.options import Baselines, InputVisibility


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
        "--input", help='input: EZKL\'s {"input_data": [[...], ...]} JSON, .npz by name, or .npy'
    ),
]
DimOption = Annotated[
    list[str] | None, typer.Option("--dim", help="value of a named dimension, NAME=VALUE")
]
MemoryOption = Annotated[
    str | None, typer.Option("--memory", help="most memory to prove a slice, e.g. 8GiB")
]
LogrowsOption = Annotated[
    int | None, typer.Option("--max-logrows", help="a slice has at most 2**K rows")
]
ProofBytesOption = Annotated[
    int | None, typer.Option("--max-proof-bytes", help="most bytes of all proofs together")
]
SamplesOption = Annotated[
    Path | None,
    typer.Option(
        "--samples",
        help="more inputs to hold: a JSON list of EZKL inputs, or .npz or .npy with one more axis",
    ),
]
BlocksOption = Annotated[int | None, typer.Option("--blocks", help="number of slices")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="cut for that many proving side by side")
]
ScaleOption = Annotated[
    int | None,
    typer.Option("--scale", help="bits after the binary point; as few as the tolerance needs"),
]
ToleranceOption = Annotated[
    float, typer.Option("--tolerance", help="largest error, as a share of the output's range")
]
BaselinesOption = Annotated[
    Baselines, typer.Option("--baselines", help="variants plain and ezkl: prove them too, or count")
]
KeepHeadOption = Annotated[
    bool,
    typer.Option(
        "--keep-head", help="prove a final Softmax or ArgMax too; else the verifier evaluates it"
    ),
]
LinkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--link",
        help="how links are compared: public, as values; polycommit, as commitments that hide "
        "them; or TENSOR=MODE for one",
    ),
]
InputVisibilityOption = Annotated[
    InputVisibility,
    typer.Option("--input-visibility", help="whether a verifier sees the model's inputs"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="the prover's own log, too")]
AllowTestSrs = Annotated[
    bool, typer.Option("--allow-test-srs", help="accept a test-only SRS: not secure")
]
TestSrs = Annotated[
    bool,
    typer.Option(
        "--allow-test-srs/--require-ceremony",
        help="where the ceremony's SRS cannot be had: make a test-only one, not secure, or stop",
    ),
]
