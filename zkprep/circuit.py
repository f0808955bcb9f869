"""What a circuit is asked to be (CircuitSpec) and what EZKL says it is (Settings).

Three rules hold always, on the prover's and on the verifier's side (docs/soundness.md):
Freivalds is off, because EZKL's Freivalds einsum does not tie its result to the circuit;
parameters are fixed, because only then does the verification key bind the weights;
the circuit leaves range checks to the verifier for values alone that the verifier sees.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from zkprep.errors import StatementError

BLINDING_ROWS = 6
"""Rows at the end of every column that no cell can use."""

VISIBILITIES = {"public": "Public", "private": "Private", "polycommit": "KZGCommit"}
"""What a specification can ask for, and EZKL's names of it."""

# What parsing and walking untrusted JSON can raise.
_MALFORMED = (
    msgspec.MsgspecError,
    UnicodeError,
    RecursionError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
)


class CircuitSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything EZKL's gen_settings is told; defaults are EZKL's own, made sound.

    Attributes:
        input_scale: bits after the binary point of the slice's inputs.
        param_scale: bits after the binary point of the constants.
        scale_rebase_multiplier: a node is rebased when its scale exceeds this times the base scale.
        decomp_base: base b of range-checked digits; one table column when b <= 2**logrows - 8.
        decomp_legs: digits L; range-checked values satisfy |v| <= b**L - 1.
        num_inner_cols: cells per row of one column block.
        logrows: log2 of the rows.
        lookup_range: inclusive bounds of static lookup tables.
        input_visibility: of all inputs: "public", "private" or "polycommit".
        output_visibility: of all outputs: "public" or "polycommit".
        checks_boundary: the circuit range-checks what is public or private at its boundary; if
            False the verifier has to. Committed tensors EZKL never checks.
        integer_constants: all-integer constants are taken at scale 0.
        descents: for each input the bits by which its own scale exceeds `input_scale`, taken off
            by a Mul at its entry (zkprep.tune.descent); left out where none has any.
        exits: for each output the bits by which the circuit's scale exceeds its own, because it
            is brought down at its exit (zkprep.tune.descent); left out where none is.
        landings: tensors that are divided inside, each by its place among the slice's inputs and
            what its nodes put out, and the scale it is divided to (zkprep.tune.descent); left out
            where
            there is none.
    """

    input_scale: int = 7
    param_scale: int = 7
    scale_rebase_multiplier: int = 1
    decomp_base: int = 16384
    decomp_legs: int = 2
    num_inner_cols: int = 2
    logrows: int = 17
    lookup_range: tuple[int, int] = (-32768, 32768)
    input_visibility: str = "public"
    output_visibility: str = "public"
    checks_boundary: bool = True
    integer_constants: bool = False
    descents: tuple[int, ...] | UnsetType = UNSET
    exits: tuple[int, ...] | UnsetType = UNSET
    landings: tuple[tuple[int, int], ...] | UnsetType = UNSET

    @property
    def limit(self) -> int:
        """The scale beyond which EZKL rebases, and to which."""
        return self.scale_rebase_multiplier * max(self.input_scale, self.param_scale)

    @property
    def largest_value(self) -> int:
        """Largest |v| the circuit's range checks accept: b**L - 1."""
        return int(self.decomp_base**self.decomp_legs) - 1

    def own_scales(self, taken: Sequence[int]) -> tuple[int, ...]:
        """The inputs' own scales, of those that EZKL takes them for."""
        by = self.descents or (0,) * len(taken)
        return tuple(scale + bits for scale, bits in zip(taken, by, strict=True))

    def made_scales(self, said: Sequence[int]) -> tuple[int, ...]:
        """The outputs' own scales, of those that EZKL says."""
        by = self.exits or (0,) * len(said)
        return tuple(scale - bits for scale, bits in zip(said, by, strict=True))


class RunArgs(msgspec.Struct, frozen=True):
    """The part of EZKL's run_args that zkprep reads."""

    input_scale: int
    param_scale: int
    scale_rebase_multiplier: int
    lookup_range: tuple[int, int]
    logrows: int
    num_inner_cols: int
    input_visibility: Any
    output_visibility: Any
    param_visibility: Any
    decomp_base: int
    decomp_legs: int
    ignore_range_check_inputs_outputs: bool
    rebase_frac_zero_constants: bool
    disable_freivalds: bool


class EinsumParams(msgspec.Struct, frozen=True):
    """EZKL's einsum chip parameters; a positive column size turns the Freivalds chip on."""

    total_einsum_col_size: int


class ModuleSizes(msgspec.Struct, frozen=True):
    """Sizes of EZKL's polycommit and Poseidon modules."""

    polycommit: list[int]
    poseidon: tuple[int, list[int]]


class Settings(msgspec.Struct, frozen=True):
    """The fields of settings.json that zkprep reads (EZKL `src/graph/mod.rs` GraphSettings)."""

    run_args: RunArgs
    num_rows: int
    total_assignments: int
    total_const_size: int
    total_dynamic_col_size: int
    num_dynamic_lookups: int
    num_shuffles: int
    total_shuffle_col_size: int
    einsum_params: EinsumParams
    model_instance_shapes: list[list[int]]
    model_output_scales: list[int]
    model_input_scales: list[int]
    module_sizes: ModuleSizes
    required_lookups: list[Any]
    required_range_checks: list[tuple[int, int]]
    version: str

    @property
    def instances(self) -> int:
        """Public values of a proof: hashes first, then public inputs, then public outputs."""
        total = sum(self.module_sizes.poseidon[1])
        for shape in self.model_instance_shapes:
            size = 1
            for dim in shape:
                size *= dim
            total += size
        return total


def column_blocks(cells: int, inner_columns: int, logrows: int) -> int:
    """Blocks that hold `cells`, with room for one repeated cell per block (`src/tensor/var.rs`).

    A committed tensor takes as many columns as blocks of one inner column, and each is a point.
    """
    capacity = ((1 << logrows) - BLINDING_ROWS) * inner_columns
    return (cells + cells // capacity + 1) // capacity + 1


def read_settings(data: bytes) -> Settings:
    """Parse settings.json bytes (untrusted).

    Raises:
        StatementError: not EZKL settings as version 23 writes them.
    """
    try:
        return msgspec.json.decode(data, type=Settings)
    except _MALFORMED as error:
        raise StatementError(f"settings are not EZKL settings: {error}") from None


def canonical_settings(data: bytes) -> bytes:
    """The same settings in one fixed order, so that equal circuits have equal keys.

    EZKL writes range checks, lookups and einsum axes in hash-map order and a timestamp; a
    different order gives a different verification key.

    Raises:
        StatementError: not a settings object.
    """
    try:
        document = msgspec.json.decode(data)
        document["required_range_checks"].sort()
        document["required_lookups"].sort(key=_canonical)
        for equation in document["einsum_params"]["equations"]:
            equation[1] = dict(sorted(equation[1].items()))
        document["einsum_params"]["equations"].sort(key=_canonical)
        document["timestamp"] = 0
        return msgspec.json.encode(document)
    except _MALFORMED as error:
        raise StatementError(f"settings are not EZKL settings: {error!r}") from None


def unsound(settings: Settings) -> str:
    """Why these settings must be refused, or "" when they are sound."""
    if not settings.run_args.disable_freivalds:
        return "the Freivalds einsum is on (disable_freivalds is false)"
    if settings.einsum_params.total_einsum_col_size != 0:
        return "the circuit has Freivalds einsum columns"
    if settings.run_args.param_visibility != "Fixed":
        return f"parameters are {settings.run_args.param_visibility!r}, not 'Fixed'"
    unchecked = settings.run_args.ignore_range_check_inputs_outputs
    if unchecked and settings.run_args.input_visibility == "Private":
        return "neither the circuit nor a verifier, who does not see them, checks private inputs"
    return ""


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
