"""The real prover: EZKL, every call in a worker process with a time limit.

Rules kept here, on top of EZKL's own behaviour (docs/soundness.md):
1. settings are written with Freivalds off and parameters fixed, in canonical order, and refused
   if EZKL made them otherwise;
2. no EZKL_* variable is inherited and EZKL's table folder is fresh for every call;
3. outputs appear whole or not at all;
4. a proof is not started whose lookups leave the tables: EZKL would wait for ever;
5. whatever is wrong with a proof, its key or its settings is a rejection, not an error.
"""

import importlib.metadata
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from zkprep.backends.base import (
    VERIFIER_SRS_BYTES,
    Terms,
    Usage,
    read_witness,
    refuse_deadlock,
    replacing,
)
from zkprep.backends.failures import failure, words
from zkprep.backends.process import Answer, Outcome, Refusal, run_worker
from zkprep.circuit import CircuitSpec, canonical_settings, read_settings, unsound
from zkprep.errors import BackendError, OutOfMemory, ProofRejected, StatementError
from zkprep.files import write_atomically

_REJECTIONS = ("RuntimeError", "PanicException")
_CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_ANSWER_SECONDS = 15.0
_LIMITS = {"verify": 600.0}  # a verifier does not wait an hour for a stranger's proof
_SLOW_BYTES_PER_SECOND = 250_000


@dataclass(frozen=True, slots=True)
class EzklBackend:
    """EZKL as installed beside zkprep.

    Attributes:
        seconds: wall time a call may take before it is killed.
        limits: the same for single verbs ("prove": 120.0), which go first.
        terms: what it is held to besides; its time limit goes before `seconds`.
    """

    seconds: float = 3600.0
    limits: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_LIMITS))
    terms: Terms = field(default_factory=Terms)

    @property
    def version(self) -> str:
        """See Backend."""
        return f"ezkl {importlib.metadata.version('ezkl')}"

    def on(self, terms: Terms) -> Self:
        """See Backend."""
        return replace(self, terms=terms)

    def gen_settings(self, model: Path, spec: CircuitSpec, out: Path) -> Usage:
        """See Backend. In one thread, because several race for where a dot product starts.

        What it costs depends on that with an odd number of inner columns, and equal specs would
        have different keys (EZKL `src/circuit/ops/region.rs` dummy_loop).
        """
        alone = replace(self, terms=replace(self.terms, threads=1))
        return alone._settings("gen_settings", {"model": model}, spec, out)

    def calibrate(self, model: Path, data: Path, spec: CircuitSpec, out: Path) -> Usage:
        """See Backend. EZKL's own choice of scales and rows, but with Freivalds off."""
        return self._settings("calibrate", {"model": model, "data": data}, spec, out)

    def table(self, model: Path, spec: CircuitSpec) -> str:
        """See Backend. A Conv that EZKL misreads says `data_format=CHW`, a right one NCHW."""
        _require("table", {"model": model})
        outcome = self._call("table", {"model": model}, run_args=run_args(spec))
        return str(_answer("table", outcome).value)

    def compile(self, model: Path, settings: Path, out: Path) -> Usage:
        """See Backend. Refuses unsound settings."""
        _require("compile", {"settings": settings})
        _sound_settings("compile", settings.read_bytes())
        return self._run("compile", {"model": model, "settings": settings}, {"out": out})

    def setup(self, circuit: Path, srs: Path, vk: Path, pk: Path) -> Usage:
        """See Backend."""
        return self._run("setup", {"circuit": circuit, "srs": srs}, {"vk": vk, "pk": pk})

    def witness(self, circuit: Path, data: Path, out: Path) -> Usage:
        """See Backend."""
        return self._run("witness", {"circuit": circuit, "data": data}, {"out": out})

    def prove(
        self, witness: Path, circuit: Path, pk: Path, srs: Path, settings: Path, out: Path
    ) -> Usage:
        """See Backend."""
        _require("prove", {"witness": witness, "settings": settings})
        pinned = _sound_settings("prove", settings.read_bytes())
        refuse_deadlock(read_witness(witness), read_settings(pinned))
        reads = {"witness": witness, "circuit": circuit, "pk": pk, "srs": srs}
        return self._run("prove", reads, {"out": out})

    def verify(self, proof: Path, settings: Path, vk: Path, srs: Path) -> Usage:
        """See Backend."""
        _require("verify", {"srs": srs})
        for path in (proof, settings, vk):
            if not path.is_file():
                raise ProofRejected(f"'{path.name}' is missing")
        reads = {"proof": proof, "settings": settings, "vk": vk, "srs": srs}
        reduced = srs.stat().st_size == VERIFIER_SRS_BYTES
        outcome = self._call("verify", reads, reduced_srs=reduced)
        if _is_rejection(outcome):
            raise ProofRejected(f"proof '{proof.name}' is not valid: {words(outcome)}")
        return _answer("verify", outcome).usage

    def gen_srs(self, out: Path, logrows: int) -> Usage:
        """See Backend."""
        return self._run("gen_srs", {}, {"out": out}, logrows=logrows)

    def get_srs(self, out: Path, logrows: int) -> Usage:
        """See Backend. EZKL deletes what it finds in the way, so it only ever sees a fresh name.

        The time allowed is that of a slow line, unless `limits` has "get_srs".
        """
        seconds = _ANSWER_SECONDS + 128 * 2**logrows / _SLOW_BYTES_PER_SECOND
        patient = self.on(replace(self.terms, seconds=seconds))
        return patient._run("get_srs", {}, {"out": out}, logrows=logrows)

    def _settings(
        self, verb: str, reads: Mapping[str, Path], spec: CircuitSpec, out: Path
    ) -> Usage:
        with tempfile.TemporaryDirectory(prefix="zkprep-settings-") as folder:
            raw = Path(folder) / "settings.json"
            usage = self._run(verb, reads, {"out": raw}, run_args=run_args(spec))
            settings = _sound_settings(verb, raw.read_bytes())
        write_atomically(out, settings)
        return usage

    def _run(
        self, verb: str, reads: Mapping[str, Path], writes: Mapping[str, Path], **options: Any
    ) -> Usage:
        """Call `verb` with its outputs under fresh names, which appear if all went well."""
        _require(verb, reads)
        with replacing(*writes.values()) as drafts:
            named = dict(zip(writes, drafts, strict=True))
            usage = _answer(verb, self._call(verb, {**reads, **named}, **options)).usage
            for name, draft in named.items():
                if not draft.is_file() or draft.stat().st_size == 0:
                    raise _nothing_written(verb, writes[name])
        return usage

    def _call(self, verb: str, paths: Mapping[str, Path], **options: Any) -> Outcome:
        arguments = {name: str(path.absolute()) for name, path in paths.items()} | options
        seconds = self.limits.get(verb, self.terms.seconds or self.seconds)
        return run_worker(verb, arguments, replace(self.terms, seconds=seconds))


def run_args(spec: CircuitSpec) -> dict[str, Any]:
    """EZKL's PyRunArgs attributes for `spec`, with what zkprep never leaves to choice."""
    return {
        "input_scale": spec.input_scale,
        "param_scale": spec.param_scale,
        "scale_rebase_multiplier": spec.scale_rebase_multiplier,
        "decomp_base": spec.decomp_base,
        "decomp_legs": spec.decomp_legs,
        "num_inner_cols": spec.num_inner_cols,
        "logrows": spec.logrows,
        "lookup_range": spec.lookup_range,
        "input_visibility": spec.input_visibility,
        "output_visibility": spec.output_visibility,
        "ignore_range_check_inputs_outputs": not spec.checks_boundary,
        "rebase_frac_zero_constants": spec.integer_constants,
        "disable_freivalds": True,
        "param_visibility": "fixed",
    }


def _answer(verb: str, outcome: Outcome) -> Answer:
    if isinstance(outcome.reply, Answer):
        return outcome.reply
    raise failure(verb, outcome)


def _is_rejection(outcome: Outcome) -> bool:
    """Whether EZKL said no, or fell over the bytes it was given, rather than had no answer."""
    reply = outcome.reply
    if isinstance(reply, Answer):
        return reply.value is not True
    if isinstance(reply, Refusal):
        return reply.kind in _REJECTIONS and "[srs]" not in reply.message
    crashed = -outcome.exit_code in _CRASHES
    return crashed and not isinstance(failure("verify", outcome), OutOfMemory)


def _require(verb: str, files: Mapping[str, Path]) -> None:
    for name, path in files.items():
        if not path.is_file():
            raise BackendError(f"EZKL {verb}: there is no {name} at '{path}'", stage=verb)


def _sound_settings(verb: str, data: bytes) -> bytes:
    """The settings in canonical order.

    Raises:
        BackendError: they are unsound, or not settings.
    """
    try:
        canonical = canonical_settings(data)
        reason = unsound(read_settings(canonical))
    except StatementError as error:
        raise BackendError(f"EZKL {verb}: {error}", stage=verb) from None
    if reason:
        raise BackendError(f"EZKL {verb}: the settings are unsound: {reason}", stage=verb)
    return canonical


def _nothing_written(verb: str, target: Path) -> BackendError:
    return BackendError(
        f"EZKL {verb} succeeded but wrote nothing to '{target}'",
        stage=verb,
        hint="look whether the disk is full: EZKL does not say so",
    )
