"""The statement of a model rebuilt by a verifier: preparation, cut, settings, keys.

The splits, the cut and the circuits' specifications are taken from the prover's statement. None can
make a wrong statement right: any split of an operator and any cut of the model's graph compute the
model's function, a specification decides precision and cost, and unsound ones are refused. A
proof's size is taken as claimed too: it keeps trailing bytes out and says nothing of what is
proved. All else is made anew and compared.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zkprep.backends import srs
from zkprep.backends.base import Backend
from zkprep.circuit import Settings, read_settings
from zkprep.claims.statement import Slice as Claimed
from zkprep.claims.statement import Statement
from zkprep.cost.circuit import layout, table_columns
from zkprep.cost.machine import constants
from zkprep.cost.work import predict
from zkprep.errors import BackendError, InputError, RangeExceeded, StatementError, ZkprepError
from zkprep.models.model import serialize
from zkprep.options import Options, memory_limit
from zkprep.prepare import prepare
from zkprep.proving.compose import Keyed, compose
from zkprep.proving.sized import Sized, with_twins
from zkprep.proving.wrapping import unbounded
from zkprep.runs.store import SliceFiles
from zkprep.slicing.slices import Slice, Slicing, apply_cut
from zkprep.slicing.splitting import split
from zkprep.tune.descent import entered

_MOST_TABLE_COLUMNS = 256
"""Columns of lookup tables; each raises the degree, and two are dear."""
_FEWEST_LOGROWS = 4
"""With fewer, blinding leaves no row of a table."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a verifier made of the model.

    Attributes:
        statement: as honest preparation gives it, cut and specified as claimed.
        assumed: where it is assumed that no value leaves the field; elsewhere none can.
    """

    statement: Statement
    assumed: tuple[str, ...]


def rebuild(claim: Statement, model: Path, backend: Backend) -> Rebuilt:
    """The statement that honest preparation of `model` gives, cut and specified as in `claim`.

    Args:
        claim: the prover's statement (untrusted).
        model: the ONNX file (trusted).
        backend: the prover (trusted).

    Raises:
        InputError: the model is unusable, or the SRS of the claimed keys is not on this machine.
        StatementError: the claimed cut or specifications do not fit the model, or let values wrap.
    """
    slicing = _slicing(claim, model)
    if len(slicing.slices) != len(claim.slices):
        raise StatementError("the statement's slices are not those of its cut")
    with tempfile.TemporaryDirectory(prefix="zkprep-rebuild-") as scratch:
        sized = [
            _sized(piece, claimed, Path(scratch), backend)
            for piece, claimed in zip(slicing.slices, claim.slices, strict=True)
        ]
        try:
            assumed = unbounded(sized, slicing.wires, backend)
        except RangeExceeded as error:
            raise StatementError(str(error)) from None
        keyed: list[Keyed] = []
        for one, claimed in zip(sized, claim.slices, strict=True):
            keyed.append(_keys(one, claimed, backend, keyed))
        return Rebuilt(compose(slicing, keyed, backend.version), assumed)


def _slicing(claim: Statement, model: Path) -> Slicing:
    prepared = prepare(model, dict(claim.preparation.dims), keep_head=claim.preparation.keep_head)
    try:
        return apply_cut(split(prepared, claim.preparation.splits or ()), claim.preparation.cut)
    except ZkprepError as error:
        raise StatementError(f"the statement's cut does not fit the model: {error}") from None


def _sized(piece: Slice, claimed: Claimed, scratch: Path, backend: Backend) -> Sized:
    """The slice with its settings."""
    folder = scratch / piece.name
    folder.mkdir()
    files, path = SliceFiles(folder, folder), folder / "slice.onnx"
    if len(claimed.inputs) != len(piece.prepared.graph.inputs):
        raise StatementError(f"slice {piece.name} has other inputs than claimed")
    if len(claimed.outputs) != len(piece.prepared.graph.outputs):
        raise StatementError(f"slice {piece.name} has other outputs than claimed")
    path.write_bytes(serialize(entered(piece.prepared, claimed.spec)))
    try:
        backend.gen_settings(path, claimed.spec, files.settings)
    except BackendError as error:
        raise StatementError(f"slice {piece.name} cannot be built as claimed: {error}") from None
    settings = read_settings(files.settings.read_bytes())
    _require_tables(piece.name, settings)
    return Sized(piece, piece.prepared, path, files, claimed.spec, settings)


def _keys(one: Sized, claimed: Claimed, backend: Backend, known: Sequence[Keyed]) -> Keyed:
    """The slice's keys, made anew unless an equal circuit before it has them."""
    name, files = one.piece.name, one.files
    found = srs.find(claimed.spec.logrows, claimed.srs.origin)
    if found is None or found.identity != claimed.srs.identity:
        raise InputError(
            f"slice {name}: the SRS its key was made with (logrows {claimed.spec.logrows}, "
            f"{claimed.srs.origin}) is not on this machine",
            hint="run `zkprep srs get K`; a test SRS exists only where it was made: use --expect",
        )
    one = with_twins([*(other.sized for other in known if other.srs == found), one])[-1]
    try:
        if one.twin is None:
            _require_room(name, one.settings)
            backend.compile(one.path, files.settings, files.circuit)
            backend.setup(files.circuit, found.path, files.vk, files.pk)
            files.pk.unlink()
    except BackendError as error:
        raise StatementError(f"slice {name} cannot be built as claimed: {error}") from None
    return Keyed(one, found, claimed.proof_bytes)


def _require_room(name: str, settings: Settings) -> None:
    """The claim chose the circuit's size: do not let it take the verifier's machine."""
    work = predict(layout(settings), constants(settings.version))
    need, room = work.peak_bytes, memory_limit(Options())
    if need > room:
        raise InputError(
            f"slice {name}: making its key again needs {need / 1e9:.1f} GB of memory, "
            f"{room / 1e9:.1f} GB are free",
            hint="verify against a digest you trust: --expect DIGEST",
        )


def _require_tables(name: str, settings: Settings) -> None:
    """Where tables have columns by the million, already to predict what they take is too much."""
    logrows = settings.run_args.logrows
    if logrows < _FEWEST_LOGROWS:
        raise StatementError(f"slice {name}: no table fits 2**{logrows} rows")
    columns = table_columns(settings)
    if columns > _MOST_TABLE_COLUMNS:
        raise StatementError(
            f"slice {name}: its tables take {columns} columns of 2**{logrows} rows, "
            f"the most is {_MOST_TABLE_COLUMNS}"
        )
