"""What went wrong in EZKL, told as a BackendError: what happened, and what to do about it.

EZKL's exception often says only "General synthesis error"; the line that helps is on its log, or
in a panic. Both are searched for the messages known here; anything else is quoted as EZKL put it.
The messages are those of EZKL 23.0.5, each provoked once (its tensor, circuit and graph errors,
halo2's NotEnoughRowsAvailable, reqwest's and Rust's own).
"""

import re
import signal
import textwrap
from dataclasses import dataclass

from zkprep.backends.process import Outcome, Refusal
from zkprep.errors import BackendError, Crashed, OutOfMemory, RangeExceeded, TooLarge

_CHECK = "`zkprep check MODEL` names the operator and what to do about it"
_FEWER_ROWS = (
    "raise logrows, with an SRS of exactly that logrows, or cut the model into more slices"
)
_LONGEST_WORDS = 300
_PANIC = "PanicException"
_LESS_MEMORY = "cut the model into more slices, or prove fewer at a time"


@dataclass(frozen=True, slots=True)
class _Known:
    """A message of EZKL's and what it means; {0}, {1}... are the pattern's groups."""

    pattern: str
    error: type[BackendError]
    text: str
    hint: str


_KNOWN = (
    _Known(
        r"decomposition error: integer (-?\d+) is too large to be represented by "
        r"base (\d+) and n (\d+)",
        RangeExceeded,
        "the value {0} does not fit {2} digits of base {1} (largest: {1}**{2} - 1)",
        "raise decomp_legs or decomp_base, or lower the scales",
    ),
    _Known(
        r"value \((-?\d+)\) out of range: \((-?\d+), (-?\d+)\)",
        RangeExceeded,
        "the value {0} lies outside the lookup range {1} to {2}",
        "widen lookup_range",
    ),
    _Known(
        r"k = (\d+) is too small for the given circuit|"
        r"NotEnoughRowsAvailable \{ current_k: (\d+)",
        TooLarge,
        "2**{0} rows are too few for the circuit",
        _FEWER_ROWS,
    ),
    _Known(
        r"extended k is too large .* logrows (\d+)",
        TooLarge,
        "the circuit's degree is too high for 2**{0} rows",
        "use fewer inner columns or a narrower lookup range",
    ),
    _Known(
        r"((?:lookup range|range check) \d+) is too large",
        TooLarge,
        "{0} is too large for the circuit's rows",
        "raise logrows, or lower the scales",
    ),
    _Known(
        r"failed to load srs from (.+)",
        BackendError,
        "there is no SRS at '{0}'",
        "`zkprep srs get K` downloads the ceremony's",
    ),
    _Known(
        r"failed to read srs",
        BackendError,
        "the SRS file is truncated, or no SRS",
        "delete it, then `zkprep srs get K`",
    ),
    _Known(
        r"failed to ser/deser model|failed to load pk",
        BackendError,
        "the circuit or key is truncated, or of another EZKL version",
        "make it again",
    ),
    _Known(
        r"Cannot reshape tensor of length (\d+) to (\[[\d, ]*\])",
        BackendError,
        "{0} values were given where the shape is {1}",
        "give every input as many values as its shape has; if that is so, " + _CHECK,
    ),
    _Known(
        r"a node is missing required params: (\w+)",
        BackendError,
        "an operator does not say its '{0}', which EZKL needs",
        _CHECK,
    ),
    _Known(
        r"Unimplemented\((\w+)\)",
        BackendError,
        "operator {0} is not implemented",
        _CHECK,
    ),
    _Known(
        r"Unknown op: (\w+)",
        BackendError,
        "operator {0} is not supported",
        _CHECK,
    ),
    _Known(
        r"Undetermined symbol in expression",
        BackendError,
        "a dimension of the model is not fixed",
        "give each named dimension a value",
    ),
    _Known(
        r"Failed to import model",
        BackendError,
        "its importer does not take the model",
        _CHECK,
    ),
    _Known(
        r"memory allocation of (\d+) bytes failed",
        OutOfMemory,
        "an allocation of {0} bytes failed",
        _LESS_MEMORY,
    ),
    _Known(
        r"MemoryError|Cannot allocate memory|failed to map segment from shared object",
        OutOfMemory,
        "there is too little memory to begin with",
        _LESS_MEMORY,
    ),
    _Known(
        r"No space left on device|File too large|Disk quota exceeded",
        BackendError,
        "the disk is full",
        "free some space and run again: finished stages are kept",
    ),
    _Known(
        r"error sending request for url \((.+?)\)",
        BackendError,
        "'{0}' cannot be reached",
        "check the network, or use a test SRS",
    ),
)


def failure(stage: str, outcome: Outcome) -> BackendError:
    """The error of a worker that did not succeed at `stage`; its class says the kind of failure."""
    reply, said = outcome.reply, outcome.log
    if isinstance(reply, Refusal):
        said = f"{reply.message}\n{said}"
    for known in _KNOWN:
        if match := re.search(known.pattern, said):
            groups = [group for group in match.groups() if group is not None]
            return known.error(
                f"EZKL {stage}: {known.text.format(*groups)}", stage=stage, hint=known.hint
            )
    if not isinstance(reply, Refusal):
        return _died(stage, outcome)
    kind = Crashed if reply.kind == _PANIC else BackendError
    return kind(f"EZKL {stage} failed: {words(outcome)}", stage=stage)


def words(outcome: Outcome) -> str:
    """EZKL's own words on one line: its exception, and the last error on its log if any."""
    reply = outcome.reply
    if not isinstance(reply, Refusal):
        return _last_line(outcome.log) or "no message"
    said = textwrap.shorten(reply.message, _LONGEST_WORDS)
    if reply.kind == _PANIC:
        return f"panic: {said}"
    logged = [line.strip() for line in outcome.log.splitlines() if line.startswith("[")]
    return f"{said} ({logged[-1]})" if logged else said


def _last_line(log: str) -> str:
    """The last line of `log` that says something."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _died(stage: str, outcome: Outcome) -> BackendError:
    if outcome.exit_code == -signal.SIGKILL:
        return OutOfMemory(
            f"EZKL {stage} was killed, most likely for lack of memory; "
            f"it held {outcome.peak_bytes / 2**20:.0f} MiB when last seen",
            stage=stage,
            hint=_LESS_MEMORY,
        )
    kind = Crashed if outcome.exit_code < 0 else BackendError
    return kind(
        f"EZKL {stage} died with exit code {outcome.exit_code}: {words(outcome)}", stage=stage
    )
