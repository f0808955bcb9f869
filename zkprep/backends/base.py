"""What zkprep asks of a prover: verbs on files, each of which says what it used.

Two implementations: `zkprep.backends.ezkl` (the real one, every call in a worker process) and
`zkprep.backends.fake` (deterministic and fast, for tests). One contract suite runs on both.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import msgspec

from zkprep.circuit import CircuitSpec, Settings
from zkprep.errors import BackendError, InputError, RangeExceeded

VERIFIER_SRS_BYTES = 516
"""Size of the small SRS file that is enough to verify with: an SRS of logrows 1."""


class Usage(msgspec.Struct, frozen=True):
    """What one call used: wall seconds, CPU seconds of the worker, its peak resident bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


NOTHING_USED = Usage(seconds=0.0, cpu_seconds=0.0, peak_bytes=0)
"""Of a stage that is no call of the prover's."""


Watch = Callable[[int], None]
"""Told now and then how many bytes a worker holds; what it raises ends the worker."""


def _unwatched(_bytes: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class Terms:
    """What a prover is held to.

    Attributes:
        threads: per call; None: one per core.
        seconds: wall time a call may take before it is killed; None: the prover's own limit.
        watch: told of the worker's memory.
    """

    threads: int | None = None
    seconds: float | None = None
    watch: Watch = _unwatched


class Witness(msgspec.Struct, frozen=True):
    """The part of EZKL's witness.json that zkprep reads; felts are 64 hex digits.

    `inputs` and `outputs` hold one list per tensor in graph order, row-major.
    """

    inputs: list[list[str]]
    outputs: list[list[str]]
    min_lookup_inputs: int
    max_lookup_inputs: int
    max_range_size: int


class Backend(Protocol):
    """A prover. Paths named `out`, `vk`, `pk` are written; an existing file is overwritten.

    Every verb raises BackendError (or a subclass) when the prover fails, dies or exceeds its time
    limit, and then leaves no half-written output behind and an existing output as it was.
    """

    @property
    def version(self) -> str:
        """The prover's name and version, "ezkl 23.0.5"; settings carry the version alone."""
        ...

    def on(self, terms: Terms) -> Self:
        """The same prover, held to these terms."""
        ...

    def gen_settings(self, model: Path, spec: CircuitSpec, out: Path) -> Usage:
        """Write the canonical settings of `model` (ONNX) under `spec`; they are sound."""
        ...

    def calibrate(self, model: Path, data: Path, spec: CircuitSpec, out: Path) -> Usage:
        """Write the canonical settings EZKL's own calibration (target resources) picks for `data`.

        `spec` gives everything that calibration does not pick; Freivalds is off all the same.
        """
        ...

    def table(self, model: Path, spec: CircuitSpec) -> str:
        """How the prover reads `model`: its own table of nodes, as text."""
        ...

    def compile(self, model: Path, settings: Path, out: Path) -> Usage:
        """Write the compiled circuit of `model` under exactly these settings."""
        ...

    def setup(self, circuit: Path, srs: Path, vk: Path, pk: Path) -> Usage:
        """Write the two keys; deterministic. `srs` has exactly the circuit's logrows."""
        ...

    def witness(self, circuit: Path, data: Path, out: Path) -> Usage:
        """Run the circuit on `data`, `{"input_data": [one list per input]}`.

        Numbers are quantised at the input's scale, strings are felts and pass as they are.

        Raises:
            RangeExceeded: a value lies outside what the settings can represent.
        """
        ...

    def prove(
        self, witness: Path, circuit: Path, pk: Path, srs: Path, settings: Path, out: Path
    ) -> Usage:
        """Write the proof of `witness`; `settings` are those the circuit was compiled with.

        Raises:
            RangeExceeded: the witness looks up a value outside the settings' lookup range.
        """
        ...

    def verify(self, proof: Path, settings: Path, vk: Path, srs: Path) -> Usage:
        """Check one proof. `proof`, `settings` and `vk` are untrusted; `srs` is trusted.

        `srs` may be the small verifier's file, VERIFIER_SRS_BYTES long.

        Raises:
            ProofRejected: the proof is not valid, or a file is missing or malformed.
            BackendError: there is no answer: no SRS, no time or no memory.
        """
        ...

    def gen_srs(self, out: Path, logrows: int) -> Usage:
        """Write a test-only SRS with a random trapdoor known to this machine."""
        ...

    def get_srs(self, out: Path, logrows: int) -> Usage:
        """Download the ceremony's SRS of exactly `logrows`; the caller judges it by its digest."""
        ...


def read_witness(path: Path) -> Witness:
    """The witness file's typed part.

    Raises:
        BackendError: missing, or not a witness.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Witness)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BackendError(f"'{path.name}' is not a witness: {error}", stage="witness") from None


def refuse_deadlock(witness: Witness, settings: Settings) -> None:
    """Refuse a witness that leaves the lookup tables: EZKL's prove would never end.

    Its error is logged from a thread that waits for the lock `prove` holds (zkonduit/ezkl#1029).

    Raises:
        RangeExceeded: the witness looks up a value that the tables lack.
    """
    low, high = settings.run_args.lookup_range
    smallest, largest = witness.min_lookup_inputs, witness.max_lookup_inputs
    if settings.required_lookups and not (low <= smallest and largest <= high):
        raise RangeExceeded(
            f"the witness looks up values from {smallest} to {largest}; "
            f"the circuit's tables hold {low} to {high}",
            stage="prove",
            hint="widen lookup_range, or lower the scales",
        )


@contextmanager
def replacing(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Fresh names beside `targets`, renamed onto them if the block ends well and removed if not.

    Raises:
        InputError: a target's folder cannot be made.
    """
    tag = secrets.token_hex(8)
    drafts = tuple(target.with_name(f".{target.name}.{tag}") for target in targets)
    for target in targets:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write '{target}': {error.strerror}") from None
    try:
        yield drafts
        for draft, target in zip(drafts, targets, strict=True):
            draft.replace(target)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
