"""Anyone's side: read RUN/public, which is untrusted, anchor it, and verify the whole chain."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zkprep import chain, srs, statement
from zkprep.backends.base import Backend
from zkprep.errors import InputError, ProofRejected, StatementError, VerificationError
from zkprep.evidence import SliceFiles
from zkprep.statement import Statement
from zkprep.store import read_public

_SLICE_FILE = re.compile(r"slices/(\d{3,})/(settings\.json|vk|proof\.json)")
_SRS_FILE = re.compile(r"srs/([1-9]\d?)\.srs")


def verify(
    public: Path,
    backend: Backend,
    *,
    expect: str | None = None,
    model: Path | None = None,
    allow_test_srs: bool = False,
) -> chain.Verdict:
    """Verify every proof and every link of RUN/public against an anchor.

    Args:
        public: the public folder, or the run that holds it (untrusted).
        backend: the prover, to check single proofs (trusted).
        expect: digest of the statement (trusted).
        model: ONNX file, from which the statement is rebuilt, keys included (trusted).
        allow_test_srs: accept an SRS that is not the ceremony's.

    Raises:
        InputError: not exactly one anchor, or an unusable model.
        VerificationError: the proofs do not prove the expected statement.
    """
    if (expect is None) == (model is None):
        raise InputError(
            "verification needs one anchor that says which function was proved",
            hint="give --expect DIGEST of a statement you trust, or --model MODEL to rebuild it",
        )
    if expect is not None and not re.fullmatch(r"[0-9a-f]{64}", expect):
        raise InputError(f"'{expect}' is no digest: expected 64 lower-case hex digits")
    files = read_public(_public_folder(public))
    bundle, test_srs = _sorted_out(files)
    expected = expect if expect is not None else _rebuilt(files, model, backend)
    return chain.verify(
        files["statement.json"],
        bundle,
        chain.SrsFiles(ceremony=srs.CEREMONY_VERIFIER, test=test_srs),
        chain.Policy(expected=expected, ceremony=srs.CEREMONY[1], allow_test_srs=allow_test_srs),
        _Checker(backend),
    )


def claim_of(public: Path) -> Statement:
    """The statement of RUN/public (untrusted), well-formed but not verified.

    Raises:
        InputError: not a folder.
        StatementError: no statement, or not well-formed.
    """
    return statement.load(read_public(_public_folder(public))["statement.json"])


def _public_folder(given: Path) -> Path:
    """RUN/public, also where RUN was given."""
    if not given.is_dir():
        raise InputError(f"'{given}' is not a folder", hint="give RUN/public")
    inner = given / "public"
    return inner if (inner / "statement.json").is_file() else given


def _rebuilt(files: Mapping[str, bytes], model: Path | None, backend: Backend) -> Statement:
    from zkprep.rebuild import rebuild

    assert model is not None
    return rebuild(statement.load(files["statement.json"]), model, backend)


def _sorted_out(files: Mapping[str, bytes]) -> tuple[list[SliceFiles], dict[int, bytes]]:
    """The files of each slice and the test SRS files by logrows; nothing else may be there."""
    slices: dict[int, dict[str, bytes]] = {}
    test_srs: dict[int, bytes] = {}
    for name, data in files.items():
        if found := _SLICE_FILE.fullmatch(name):
            slices.setdefault(int(found[1]), {})[found[2]] = data
        elif found := _SRS_FILE.fullmatch(name):
            test_srs[int(found[1])] = data
        elif name != "statement.json":
            raise StatementError(f"'{name}' does not belong into a public folder")
    if sorted(slices) != list(range(len(slices))):
        raise ProofRejected(f"the folder holds slices {sorted(slices)}, with a gap")
    return [_slice_files(index, slices[index]) for index in range(len(slices))], test_srs


def _slice_files(index: int, files: Mapping[str, bytes]) -> SliceFiles:
    for name in ("settings.json", "vk", "proof.json"):
        if name not in files:
            raise ProofRejected(f"slice {index} has no {name}")
    return SliceFiles(files["settings.json"], files["vk"], files["proof.json"])


class _Checker:
    """The prover's check of every proof, in a scratch folder, side by side on all cores."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __call__(self, obligations: Sequence[chain.Obligation]) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="zkprep-verify-") as scratch,
            ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            list(pool.map(lambda one: self._check(Path(scratch), one), obligations))

    def _check(self, scratch: Path, one: chain.Obligation) -> None:
        folder = scratch / f"{one.slice:03d}"
        folder.mkdir()
        files = {"proof": one.proof, "settings": one.settings, "vk": one.vk, "srs": one.srs}
        for name, data in files.items():
            (folder / name).write_bytes(data)
        try:
            self._backend.verify(
                folder / "proof", folder / "settings", folder / "vk", folder / "srs"
            )
        except VerificationError as error:
            raise ProofRejected(f"slice {one.slice}: {error}") from None
