"""Does a circuit compute its model's function? The gate that every slice passes before any key.

A witness is compared with ONNX Runtime on the very values the circuit was given. What exceeds the
tolerance is either quantisation, which more bits lower by as much as they add, or disagreement,
which they do not: the slice is witnessed again with FINER_BITS more to tell one from the other.
Where constants are less than a bit they are lost, and the error is as large as the output whatever
the bits, until these bring the constants back: so bits are added up to COARSEST times.
Where rebases are deferred, so many bits more may be more than EZKL can hold; then a circuit that
defers none decides, unless it is better at the same bits, too: then deferring is what is wrong.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from zkprep.backends.base import Backend, Witness, read_witness
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.claims.felts import decode
from zkprep.errors import BackendError, Disagreement, Imprecise, RangeExceeded, ZkprepError
from zkprep.models.model import Feeds, Runner, serialize
from zkprep.options import TOLERANCE
from zkprep.proving.sized import Sized, data_of, inputs_of, outputs_of
from zkprep.report.types import ERROR_EDGES, Fidelity
from zkprep.tune import LARGEST_OUTPUT
from zkprep.tune.descent import entered

FINER_BITS = 4
COARSEST = 3
FINER_LEGS = 5
TIED = 1e-6
"""Of an output's range: what ONNX Runtime itself may round otherwise."""

LOWERED = 4.0
"""Quantisation error that FINER_BITS more bits do not divide by this is none."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How far a chain is from its model: each slice from its own, and all from the original."""

    slices: tuple[Fidelity, ...]
    chain: Fidelity


def worst(found: Sequence[Errors]) -> Errors:
    """The largest of the errors on several inputs, slice by slice; all counted."""
    slices = zip(*(one.slices for one in found), strict=True)
    return Errors(tuple(_worst(list(row)) for row in slices), _worst([one.chain for one in found]))


def _worst(found: Sequence[Fidelity]) -> Fidelity:
    return Fidelity(
        max_error=max(one.max_error for one in found),
        relative_error=max(one.relative_error for one in found),
        argmax_agrees=all(one.argmax_agrees for one in found),
        errors=[sum(row) for row in zip(*(one.errors for one in found), strict=True)],
    )


def require_faithful(backend: Backend, one: Sized, made: Witness, tolerance: float) -> None:
    """Let a witness pass only if it is its model's output, within `tolerance` of its range.

    Raises:
        Disagreement: the circuit computes something else.
        Imprecise: it computes the model's function too coarsely.
        RangeExceeded: EZKL rounded the witness, and a proof of it would not verify.
    """
    _refuse_rounded(one, made)
    error = compare(one, made)
    if error.relative_error > tolerance:
        raise _blame(backend, one, inputs_of(one, made), error, tolerance)


def require_chain_faithful(
    outputs: Mapping[str, NDArray[Any]],
    expected: Mapping[str, NDArray[Any]],
    tolerance: float,
    *,
    argmax: bool,
) -> None:
    """Let a chain's outputs pass only within `tolerance` of their range and, if so asked, argmax.

    Raises:
        Imprecise: they are further from the original model's, or their largest element is another.
    """
    require_within(errors(outputs, expected), tolerance, argmax=argmax)


def require_within(error: Fidelity, tolerance: float, *, argmax: bool) -> None:
    """Let a chain's error pass only within `tolerance` of the range and, if so asked, argmax.

    Raises:
        Imprecise: it is larger, or the largest element is another than the model's.
    """
    if error.relative_error > tolerance:
        raise Imprecise(
            f"the chain is too coarse: error {error.max_error:.3g}, "
            f"{_percent(error.relative_error)} of the output's range; "
            f"the tolerance is {_percent(tolerance)}",
            hint="a larger --scale or --tolerance",
            bits=_bits(error, tolerance),
        )
    if argmax and not error.argmax_agrees:
        raise Imprecise(
            "the chain is too coarse: its largest output is another than the model's",
            hint=f"a larger --scale, or a --tolerance above {TOLERANCE:g}, which lets it differ",
        )


def compare(one: Sized, made: Witness) -> Fidelity:
    """A slice's witness against ONNX Runtime on the values the circuit itself was given."""
    return errors(outputs_of(one, made), Runner(one.model)(inputs_of(one, made)))


def errors(outputs: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]) -> Fidelity:
    """How far `outputs` are from `expected`.

    The range of an output is max - min; of one value, or of equal ones, its magnitude, else 1.
    Elements that differ by less than TIED of it are equally large.
    """
    worst, share, agrees = 0.0, 0.0, True
    bins = np.zeros(len(ERROR_EDGES) + 1, dtype=np.int64)
    for name, reference in expected.items():
        wanted = np.asarray(reference, dtype=np.float64)
        off = np.abs(outputs[name] - wanted)
        error = float(np.max(off, initial=0.0))
        span = float(np.ptp(wanted)) or float(np.max(np.abs(wanted))) or 1.0
        worst, share = max(worst, error), max(share, error / span)
        agrees = agrees and _is_largest(wanted, outputs[name], TIED * span)
        bins += np.bincount(np.searchsorted(ERROR_EDGES, off.ravel() / span), minlength=len(bins))
    return Fidelity(
        max_error=worst, relative_error=share, argmax_agrees=agrees, errors=bins.tolist()
    )


def _is_largest(wanted: NDArray[Any], found: NDArray[Any], tied: float) -> bool:
    """Whether the largest element of `found` is the largest of `wanted`, or as good as it."""
    if not wanted.size:
        return True
    return bool(wanted.flat[np.argmax(found)] >= np.max(wanted) - tied)


def _refuse_rounded(one: Sized, made: Witness) -> None:
    largest = max((abs(decode(felt)) for felts in made.outputs for felt in felts), default=0)
    if largest >= LARGEST_OUTPUT:
        raise RangeExceeded(
            f"{one.shown} puts out integers up to {largest:.3g}; "
            f"EZKL keeps them exact below {LARGEST_OUTPUT:.3g}",
            stage="witness",
            slice_name=one.piece.name,
            hint="lower --scale",
        )


def _blame(
    backend: Backend, one: Sized, feeds: Feeds, error: Fidelity, tolerance: float
) -> ZkprepError:
    found = f"error {error.max_error:.3g}, {_percent(error.relative_error)} of its output's range"
    finer = _finer(backend, one, feeds, error)
    if finer is not None:
        bits, better = finer
        off = better.relative_error / tolerance
        enough = bits + (ceil(log2(off)) if off > 1 else 0)
        return Imprecise(
            f"{one.shown} is too coarse: {found}; the tolerance is {_percent(tolerance)}, "
            f"{bits} bits more give {_percent(better.relative_error)}",
            hint=f"--scale {one.spec.param_scale + enough} or so, or a larger --tolerance",
            bits=_bits(error, tolerance),
        )
    return Disagreement(
        f"{one.shown} computes something else than its model: {found}; more bits do not lower it",
        hint="`zkprep check MODEL` says what EZKL makes of each operator",
    )


def _finer(
    backend: Backend, one: Sized, feeds: Feeds, error: Fidelity
) -> tuple[int, Fidelity] | None:
    """The fewest bits more that lower the slice's error, and what it is then; None if none do."""
    deferred = one.spec.scale_rebase_multiplier
    if deferred > 1:
        finer = _error_at(backend, one, feeds, FINER_BITS, deferred)
        if finer is not None and _is_lower(finer, error):
            return FINER_BITS, finer
        at_once = _error_at(backend, one, feeds, 0, 1)
        if at_once is not None and _is_lower(at_once, error):
            return None
    for bits in range(FINER_BITS, COARSEST * FINER_BITS + 1, FINER_BITS):
        finer = _error_at(backend, one, feeds, bits, 1)
        if finer is None:
            break
        if _is_lower(finer, error):
            return bits, finer
    return None


def _is_lower(one: Fidelity, error: Fidelity) -> bool:
    return one.max_error * LOWERED <= error.max_error


def _error_at(
    backend: Backend, one: Sized, feeds: Feeds, bits: int, multiplier: int
) -> Fidelity | None:
    """The slice's error with more bits, in digits enough for any value; None if EZKL fails."""
    plain = CircuitSpec()
    spec = changed(
        one.spec,
        input_scale=one.spec.input_scale + bits,
        param_scale=one.spec.param_scale + bits,
        scale_rebase_multiplier=multiplier,
        decomp_base=plain.decomp_base,
        decomp_legs=FINER_LEGS,
        logrows=plain.logrows,
        lookup_range=plain.lookup_range,
        exits=UNSET,  # what leaves is compared here, and nothing is proved of it
        landings=_finer_landings(one.spec, bits, multiplier),
    )
    with tempfile.TemporaryDirectory(prefix="zkprep-finer-") as folder:
        model, settings, circuit, data, made = (
            Path(folder) / name for name in ("model", "settings", "circuit", "input", "witness")
        )
        model.write_bytes(serialize(entered(one.model, spec)))
        data.write_bytes(data_of(one, feeds, {}))
        try:
            backend.gen_settings(model, spec, settings)
            backend.compile(model, settings, circuit)
            backend.witness(circuit, data, made)
        except BackendError:
            return None
        finer = replace(one, spec=spec, settings=read_settings(settings.read_bytes()))
        return compare(finer, read_witness(made))


def _finer_landings(
    spec: CircuitSpec, bits: int, multiplier: int
) -> tuple[tuple[int, int], ...] | UnsetType:
    """Without any rebase put off there is nothing to land."""
    if multiplier == 1 or not spec.landings:
        return UNSET
    return tuple((place, scale + bits) for place, scale in spec.landings)


def _bits(error: Fidelity, tolerance: float) -> int:
    """More bits that are needed at least: a bit halves the error, or less."""
    return max(1, int(log2(error.relative_error / tolerance)))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
