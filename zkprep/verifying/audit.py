"""Anyone's side: read RUN/public, which is untrusted, anchor it, and verify the whole chain."""

import os
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zkprep.backends import srs
from zkprep.backends.base import Backend
from zkprep.claims import statement
from zkprep.claims.statement import Statement
from zkprep.errors import InputError, ProofRejected, StatementError, VerificationError
from zkprep.models.input_file import read_tensors
from zkprep.verifying import chain
from zkprep.verifying.public import read_public, read_statement
from zkprep.verifying.trust import SrsFiles
from zkprep.verifying.verdict import Obligation, Policy, Verdict

if TYPE_CHECKING:
    from zkprep.verifying.rebuild import Rebuilt

_INPUT_FOLDER = re.compile(r"\d{3,}", re.ASCII)


def verify(
    public: Path,
    backend: Backend,
    *,
    expect: str | None = None,
    model: Path | None = None,
    allow_test_srs: bool = False,
    told: Path | None = None,
) -> Verdict:
    """Verify every proof and every link of RUN/public against an anchor.

    Args:
        public: the public folder, or the run that holds it (untrusted).
        backend: the prover, to check single proofs (trusted).
        expect: digest of the statement (trusted).
        model: ONNX file, from which the statement is rebuilt, keys included (trusted).
        allow_test_srs: accept an SRS that is not the ceremony's.
        told: file of the model's inputs that the proofs have to be about (trusted).

    Raises:
        InputError: not exactly one anchor, an unusable model, or inputs that do not fit.
        VerificationError: the proofs do not prove the expected statement.
    """
    _require_one_anchor(expect, model)
    files = read_public(_public_folder(public))
    rebuilt = _rebuilt(files.statement, model, backend) if model is not None else None
    policy = Policy(
        expected=rebuilt.statement if rebuilt is not None else str(expect),
        ceremony=srs.CEREMONY[1],
        allow_test_srs=allow_test_srs,
        claimed=_claimed(files.statement, told) if told is not None else {},
    )
    shown = SrsFiles(ceremony=srs.CEREMONY_VERIFIER, test=files.test_srs)
    check = partial(check_proofs, backend)
    verdict = chain.verify(files.statement, files.bundle, shown, policy, check)
    return replace(verdict, assumed=rebuilt.assumed if rebuilt is not None else None)


def verify_all(
    public: Path,
    backend: Backend,
    *,
    expect: str | None = None,
    model: Path | None = None,
    allow_test_srs: bool = False,
    told: Path | None = None,
) -> dict[str, Verdict]:
    """`verify` for every input of a run: verdicts by the name of its folder.

    The first statement that is accepted is the anchor of all others: it names the same function,
    and a model is rebuilt once.

    Raises:
        InputError: as `verify`, or one input is told and there are several.
        VerificationError: as `verify`; names the input if there are several.
    """
    verdicts: dict[str, Verdict] = {}
    several = folders(public)
    if told is not None and len(several) > 1:
        raise InputError(
            f"'{public}' holds proofs of {len(several)} inputs, and one is told",
            hint=f"verify the folder of that input, such as '{several[0]}'",
        )
    for folder in several:
        try:
            found = verify(
                folder,
                backend,
                expect=expect,
                model=model,
                allow_test_srs=allow_test_srs,
                told=told,
            )
        except VerificationError as error:
            if len(several) == 1:
                raise
            raise type(error)(f"input {folder.name}: {error}", hint=error.hint) from None
        verdicts[folder.name] = found
        expect, model = found.digest, None
    first = next(iter(verdicts.values()))
    return {name: replace(one, assumed=first.assumed) for name, one in verdicts.items()}


def claim_of(public: Path) -> Statement:
    """The statement of RUN/public (untrusted), well-formed but not verified.

    Raises:
        InputError: not a folder.
        StatementError: no statement, not well-formed, or not the same for every input.
    """
    claims = {read_statement(folder) for folder in folders(public)}
    if len(claims) > 1:
        raise StatementError(f"the inputs of '{public}' have different statements")
    return statement.load(claims.pop())


def folders(public: Path) -> list[Path]:
    """The public folder of every input of a run: the one given, or those inside it.

    Raises:
        InputError: not a folder.
    """
    outer = _public_folder(public)
    if (outer / "statement.json").is_file():
        return [outer]
    inner = sorted(path for path in outer.iterdir() if _INPUT_FOLDER.fullmatch(path.name))
    return inner or [outer]


def _require_one_anchor(expect: str | None, model: Path | None) -> None:
    if (expect is None) == (model is None):
        raise InputError(
            "verification needs one anchor that says which function was proved",
            hint="give --expect DIGEST of a statement you trust, or --model MODEL to rebuild it",
        )
    if expect is not None and not re.fullmatch(r"[0-9a-f]{64}", expect):
        raise InputError(f"'{expect}' is no digest: expected 64 lower-case hex digits")


def _public_folder(given: Path) -> Path:
    """RUN/public, also where RUN was given."""
    if not given.is_dir():
        raise InputError(f"'{given}' is not a folder", hint="give RUN/public")
    inner = given / "public"
    return inner if inner.is_dir() and not (given / "statement.json").is_file() else given


def _rebuilt(claim: bytes, model: Path, backend: Backend) -> "Rebuilt":
    from zkprep.verifying.rebuild import rebuild

    return rebuild(statement.load(claim), model, backend)


@dataclass(frozen=True, slots=True)
class _Told:
    """A model input as a file has to hold it."""

    name: str
    static_shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _claimed(data: bytes, told: Path) -> dict[str, list[int]]:
    """The integers of the inputs in the file `told`, as the statement (untrusted) quantises them.

    Its scales are those the proofs were made at, or it is not the expected one.
    """
    claim = statement.load(data)
    ports = {outer.tensor: claim.target(outer.ports[0]) for outer in claim.inputs}
    specs = [
        _Told(name, port.shape, np.dtype(np.float32 if port.scale else np.int64))
        for name, port in ports.items()
    ]
    tensors = read_tensors(told, specs)
    return {
        name: chain.quantised(claim, name, array.astype(np.float64))
        for name, array in tensors.items()
    }


def check_proofs(backend: Backend, obligations: Sequence[Obligation]) -> None:
    """The prover's check of every proof, in a scratch folder, side by side on all cores.

    Raises:
        ProofRejected: a proof is not valid; says which.
    """
    with tempfile.TemporaryDirectory(prefix="zkprep-verify-") as scratch:
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            list(pool.map(lambda one: _check(backend, Path(scratch), one), obligations))
        finally:
            pool.shutdown(cancel_futures=True)  # one bad proof is enough


def _check(backend: Backend, scratch: Path, one: Obligation) -> None:
    folder = scratch / f"{one.slice:03d}"
    folder.mkdir()
    files = {"proof": one.proof, "settings": one.settings, "vk": one.vk, "srs": one.srs}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        backend.verify(folder / "proof", folder / "settings", folder / "vk", folder / "srs")
    except VerificationError as error:
        raise ProofRejected(f"slice {one.slice}: {error}") from None
