"""The report's types, `zkprep.report/1`: what each variant's slices cost, counted and measured.

Counts are EZKL's own and exact: `cells` is its total_assignments, `rows` its num_rows. What was
measured (seconds, CPU seconds, peak memory) is volatile and kept apart. A quantity that was not
counted or measured is None, never 0. Reading is strict: unknown fields are refused.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from zkprep.errors import InputError
from zkprep.report.constants import Constants
from zkprep.report.cut import Cut
from zkprep.report.figures import printable

FORMAT: Final = "zkprep.report/1"
VARIANTS = ("ezkl", "plain", "prepared")
REPORT_FILE = "report.json"
ERROR_EDGES = (*(digit * 10.0**power for power in range(-5, 0) for digit in (1, 2, 5)), 1.0)
"""Upper ends of the bins of `Fidelity.errors`, in shares of an output's range; one is above."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What EZKL counts, and what follows from it exactly by EZKL's layout.

    Attributes:
        ops: ONNX nodes.
        cells: EZKL's total_assignments.
        rows: EZKL's num_rows.
        constants: EZKL's total_const_size.
        logrows: log2 of the circuit's rows (largest of the slices in a total).
        inner_columns: EZKL's num_inner_cols (largest in a total).
        blocks: column blocks.
        area: blocks * inner_columns * 2**logrows.
        degree: degree of the constraint system (largest in a total).
        lookups: lookup arguments.
    """

    ops: Count
    cells: Count
    rows: Count
    constants: Count
    logrows: Count
    inner_columns: Count
    blocks: Count
    area: Count
    degree: Count
    lookups: Count


class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Computed from the counts before any key exists; bytes and CPU seconds."""

    pk_bytes: Count
    vk_bytes: Count
    proof_bytes: Count
    setup_cpu_seconds: Amount
    prove_cpu_seconds: Amount
    peak_bytes: Count


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Read off the finished stages; `peak_bytes` is the largest of setup and prove."""

    setup_seconds: Amount
    setup_cpu_seconds: Amount
    prove_seconds: Amount
    prove_cpu_seconds: Amount
    verify_seconds: Amount
    verify_cpu_seconds: Amount
    peak_bytes: Count
    pk_bytes: Count
    vk_bytes: Count
    proof_bytes: Count


class Fidelity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The circuit's outputs against the original model's on the given input.

    Attributes:
        max_error: largest absolute error over all outputs.
        relative_error: largest error over the range (max - min) of the output it occurs in; over
            the magnitude of an output of one value.
        argmax_agrees: whether the largest element of every output is at the same place.
        errors: how many elements of all outputs are that far off, by the bins of ERROR_EDGES;
            empty where it was not counted.
    """

    max_error: Amount
    relative_error: Amount
    argmax_agrees: bool
    errors: list[Count] = []

    def __post_init__(self) -> None:
        if self.errors and len(self.errors) != len(ERROR_EDGES) + 1:
            raise ValueError(f"a histogram of errors has {len(ERROR_EDGES) + 1} bins")


class ChoiceReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A setting that was chosen for a slice, and what it saves by prediction; negative: costs.

    Attributes:
        setting: in words.
        default: what EZKL would have it.
        chosen: what it is.
        prove_cpu_seconds: saved, on the machine of zkprep's own figures, after the choices before.
        pk_bytes: saved.
    """

    setting: str
    default: str
    chosen: str
    prove_cpu_seconds: float
    pk_bytes: int


class CircuitReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a slice's soundness and precision rest on, as EZKL's settings have it.

    Attributes:
        freivalds: whether einsums are only spot-checked; zkprep never lets that be.
        parameters: visibility of the weights: "fixed" binds them by the verifying key.
        inputs: visibility of the slice's inputs.
        outputs: of its outputs.
        checks_boundary: whether the circuit range-checks its public values; else the verifier does.
        input_scale: bits after the binary point of the inputs.
        param_scale: of the constants.
        base: of the digits that values are decomposed into.
        legs: how many digits; a value lies within base**legs - 1.
    """

    freivalds: bool
    parameters: str
    inputs: str
    outputs: str
    checks_boundary: bool
    input_scale: Count
    param_scale: Count
    base: Count
    legs: Count


class SliceReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One slice of one variant, or a variant's total (`name` is then "total").

    A slice's fidelity compares its circuit with its own model on its own inputs; a total's compares
    the whole chain with the original model on the user's input. `twin` names an earlier slice whose
    circuit is equal, and whose keys serve this one too.
    """

    name: str
    counts: Counts
    predicted: Prediction
    measured: Measured | None = None
    fidelity: Fidelity | None = None
    choices: list[ChoiceReport] = []
    circuit: CircuitReport | None = None
    twin: str = ""


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`ezkl`, `plain` or `prepared`; `note` says what it is or why something is missing.

    `total` is None when nothing could be counted. Slices are told apart by their names.
    """

    note: str
    slices: list[SliceReport]
    total: SliceReport | None = None

    def __post_init__(self) -> None:
        names = [part.name for part in self.slices]
        if len(set(names)) != len(names):
            raise ValueError("two slices of a variant have the same name")


class SiteReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One place a pass looked at: applied, perhaps with its saving, or left with its reason."""

    rule: str
    nodes: list[str]
    reason: str = ""
    saving: str = ""


class OperatorCells(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Predicted cells of one operator type in the prepared slices, by what they are for.

    The row called "boundary" holds the cells of the slices' inputs and outputs.
    """

    operator: str
    multiply: Count = 0
    rebase: Count = 0
    activation: Count = 0
    pooling: Count = 0
    other: Count = 0
    boundary: Count = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, cause) for cause in CAUSES)


CAUSES = OperatorCells.__struct_fields__[1:]
"""What cells are for."""


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The chain's verification at the end of the run; proofs and links are those of all inputs."""

    accepted: bool
    proofs: Count
    links: Count
    statement: str
    test_srs: bool
    reason: str = ""
    inputs: Count = 1


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the times were measured."""

    cpu: str
    cores: Count
    memory_bytes: Count
    python: str


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a run or a measurement found; `verdict` is None when nothing was proved.

    `cut` says where the prepared model was cut; the cells of its operators are predictions.
    `constants` are those of its predictions; None: the reference machine's.
    """

    format: Literal["zkprep.report/1"] = FORMAT
    zkprep: str
    prover: str
    model: str
    model_digest: str
    scale: Count
    tolerance: Amount
    machine: Machine
    variants: dict[str, Variant]
    sites: list[SiteReport]
    cut: Cut | None = None
    profile: list[OperatorCells] = []
    constants: Constants | None = None
    verdict: Verdict | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.variants) - set(VARIANTS))
        if unknown:
            raise ValueError(f"variants {unknown} are none of {list(VARIANTS)}")


def dump(document: msgspec.Struct) -> bytes:
    """Canonical indented JSON: fields as declared, other keys sorted, one final newline.

    Raises:
        ValueError: the JSON would not read back, as when a figure is NaN or infinite.
    """
    encoded = msgspec.json.encode(document, order="deterministic")
    msgspec.json.decode(encoded, type=type(document))
    return msgspec.json.format(encoded) + b"\n"


def read_report(path: Path) -> Report:
    """The report at `path`: a report.json, or the folder of a run that holds one.

    Raises:
        InputError: missing, unreadable, or not a report of this format.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    hint = f"give a {REPORT_FILE}, or the folder of a run that holds one"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except OSError as error:
        message = f"report '{file}' cannot be read: {(error.strerror or str(error)).lower()}"
    except ValueError as error:
        message = f"'{file}' is not a report of format '{FORMAT}': {printable(str(error))}"
    raise InputError(message, hint=hint)
