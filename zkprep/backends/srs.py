"""Structured reference strings: one file per exact logrows, the ceremony's wherever it can be had.

EZKL takes a larger file too, but recomputes its Lagrange form at every call, for minutes. A file is
the ceremony's by its sha256 alone. Whoever generates a test file could know its tau, and with it
forge any proof; two test files have two different tau, whatever their logrows. So the identity of
an SRS (zkprep.claims.points) is one for all files of the ceremony and another for every test
file: it is pinned per slice.

Source: EZKL 23.0.5 `src/srs_sha.rs` (digests), `tests/assets/kzg1.srs` (the smallest file, which is
all that a verifier needs), `src/execute.rs` get_srs_path (where files lie).
"""

import base64
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zkprep.backends.base import Backend, replacing
from zkprep.backends.srs_file import file_bytes, read_identity, small_file
from zkprep.errors import BackendError, InputError
from zkprep.files import alone, cache_folder, file_digest

Origin = Literal["ceremony", "test"]
Notify = Callable[[str], None]

CEREMONY: dict[int, str] = {
    1: "cafb2aa72c200ddc4e28aacabb8066e829207e2484b8d17059a566232f8a297b",
    2: "8194ec51da5d332d2e17283ade34920644774452c2fadf33742e8c739e275d8e",
    3: "0729e815bce2ac4dfad7819982c6479c3b22c32b71f64dca05e8fdd90e8535ef",
    4: "2c0785da20217fcafd3b12cc363a95eb2529037cc8a9bddf8fb15025cbc8cdc9",
    5: "5b950e3b76e7a9923d69f6d6585ce6b5f9458e5ec57a71c9de5005d32d544692",
    6: "85030b2924111fc60acaf4fb8a7bad89531fbe0271aeab0c21e545f71eee273d",
    7: "e65f95150519fe01c2bedf8f832f5249822ef84c9c017307419e10374ff9eeb1",
    8: "446092fd1d6030e5bb2f2a8368267d5ed0fbdb6a766f6c5e4a4841827ad3106f",
    9: "493d088951882ad81af11e08c791a38a37c0ffff14578cf2c7fb9b7bca654d8b",
    10: "9705d450e5dfd06adb673705f7bc34418ec86339203198beceb2ae7f1ffefedb",
    11: "257fa566ed9bc0767d3e63e92b5e966829fa3347d320a32055dc31ee7d33f8a4",
    12: "28b151069f41abc121baa6d2eaa8f9e4c4d8326ddbefee2bd9c0776b80ac6fad",
    13: "d5d94bb25bdc024f649213593027d861042ee807cafd94b49b54f1663f8f267d",
    14: "c09129f064c08ecb07ea3689a2247dcc177de6837e7d2f5f946e30453abbccef",
    15: "90807800a1c3b248a452e1732c45ee5099f38b737356f5542c0584ec9c3ebb45",
    16: "2a1a494630e71bc026dd5c0eab4c1b9a5dbc656228c1f0d48f5dbd3909b161d3",
    17: "41509f380362a8d14401c5ae92073154922fe23e45459ce6f696f58607655db7",
    18: "d0148475717a2ba269784a178cb0ab617bc77f16c58d4a3cbdfe785b591c7034",
    19: "d1a1655b4366a766d1578beb257849a92bf91cb1358c1a2c37ab180c5d3a204d",
    20: "54ef75911da76d7a6b7ea341998aaf66cb06c679c53e0a88a4fe070dd3add963",
    21: "486e044cf98704e07f41137d2b89698dc03d1fbf34d13b60902fea19a6013b4b",
    22: "1ee9b4396db3e4e2516ac5016626ab6ba967f091d5d23afbdb7df122a0bb9d0c",
    23: "748e48b9b6d06f9c82d26bf551d0af43ee2e801e4be56d7ccb20312e267fd1d6",
    24: "f94fa4afa2f5147680f907d4dd96a8826206c26bd3328cd379feaed614b234de",
    25: "dec49a69893fbcd66cd06296b2d936a6aceb431c130b2e52675fe4274b504f57",
    26: "b198a51d48b88181508d8e4ea9dea39db285e4585663b29b7e4ded0c22a94875",
}
"""sha256 of the ceremony's file by logrows."""

CEREMONY_VERIFIER = base64.b64decode(
    "AQAAAJ0Nj8WNQ13TPQvH9SjreAosRnl4b6NuZi/fB5rBdwoOOhseixuHuqZ7Fo7rUdbxFFiM8vDeRt3MXr4PNIPv"
    "FBwphSO+VXYcyFWXojvyjITTDto0JcC87QLLhqMrbI5MCpiJ1KF9qG6J07znQj53ueG2KFrFOdTcitl9QIp/BX0W"
    "AtVzhGYnZG+WT5d0ElqYHgFjrfb/qvy82coGpOy3iQwvOHXl7t1G1GEfebn7CrB2AkgI1hdJQL57sri04KT+LlJK"
    "DPso0HW2JEK6mmBmyEkubWADmEFOja9frDB9pf0rX0UEWtxrngO01+sptyS1snwFlYuwuVIZv73bXjP5LQomILwC"
    "0bWDjnIBe0k1Gevc3xqBl0cmuPs7UJavQThXGUBhTKh9c7SvxNgCWFrdQ2CGL6BS/FDpCWt76jqD8P4U9ulriJ36"
    "nWF4m571l9J//v59GyNiGp7/BkKerut+/SjuVhjHVlsJZLs8fTIi+VfcdhA1M741+VWCZP2T5qCkDRQaB40nvhGp"
    "+1gpBIDGbqb70l5acgIhfSxGWtnugrQveoqjY5w0Hui0hBiDPljmGNEmaRQ7BxuSralNojJdMitjbwkVNq708AIM"
    "PG8Uo/BRnplOPGLCxqNtCNHSyRKVIB9NZz1burzYGe8nvHd9XvARmXvgAjAyph+A9uLgpv0o"
)
"""The ceremony's file for logrows 1, enough to verify with; its digest is CEREMONY[1]."""

# Why the ceremony's host gave nothing, once it has failed to in this process.
_unreachable: list[str] = []


@dataclass(frozen=True, slots=True)
class Srs:
    """An SRS file.

    Attributes:
        path: where it lies.
        logrows: log2 of the rows of the circuits it is for.
        digest: sha256 of the file.
        identity: digest of all that a verifier reads of it (zkprep.claims.points).
        origin: "ceremony", or "test": whoever made it can forge proofs.
    """

    path: Path
    logrows: int
    digest: str
    identity: str
    origin: Origin


def find(logrows: int, origin: Origin | None = None) -> Srs | None:
    """The SRS of exactly `logrows` on this machine; the ceremony's goes before a test one.

    Args:
        logrows: log2 of the rows.
        origin: only an SRS of this origin; None: either.

    Raises:
        InputError: no such logrows, or a damaged file in zkprep's own folder.
    """
    _check_logrows(logrows)
    return next((srs for srs in _found(logrows) if origin in (None, srs.origin)), None)


def list_all() -> list[Srs]:
    """Every SRS on this machine, by logrows, the ceremony's first.

    Raises:
        InputError: a damaged file in zkprep's own folder.
    """
    return [srs for logrows in CEREMONY for srs in _found(logrows)]


def obtain(
    logrows: int, backend: Backend, *, allow_test: bool = True, notify: Notify | None = None
) -> Srs:
    """The SRS of exactly `logrows`: the one found, else the ceremony's, else a new test one.

    Args:
        logrows: log2 of the rows.
        backend: downloads and generates.
        allow_test: whether a test SRS will do.
        notify: is told of every test SRS, and why it is one.

    Raises:
        BackendError: a test SRS will not do, and the ceremony's cannot be downloaded.
        InputError: as `find`.
    """
    tell = notify or (lambda _message: None)
    found = find(logrows, None if allow_test else "ceremony")
    if found is None:
        try:
            return download(logrows, backend)
        except BackendError as error:
            if not allow_test:
                raise
            tell(f"no ceremony SRS of logrows {logrows}: {error}; generating one for tests")
        found = generate(logrows, backend)
    if found.origin == "test":
        tell(f"test SRS of logrows {logrows}, not secure: whoever made it can forge proofs")
    return found


def download(logrows: int, backend: Backend) -> Srs:
    """Fetch the ceremony's file into zkprep's folder; a host that fails is asked once per process.

    Raises:
        BackendError: it cannot be fetched, or what came is not the ceremony's.
        InputError: no such logrows.
    """
    _check_logrows(logrows)
    if os.environ.get("ZKPREP_OFFLINE"):
        raise BackendError("no network is used: ZKPREP_OFFLINE is set", stage="get_srs")
    _reach(backend)
    path = _own_place(logrows)
    with alone(path), replacing(path) as (draft,):
        if path.exists():
            return _own_ceremony(path, logrows)
        backend.get_srs(draft, logrows)
        digest = file_digest(draft)
        if digest != CEREMONY[logrows]:
            raise BackendError(
                f"the downloaded SRS of logrows {logrows} is not the ceremony's: "
                f"sha256 {digest}, expected {CEREMONY[logrows]}",
                stage="get_srs",
                hint="try again; the file that came was thrown away",
            )
    return _describe(path, logrows, "ceremony")


def generate(logrows: int, backend: Backend) -> Srs:
    """The test SRS of `logrows`, made now unless there is one.

    It is never replaced: keys made with it would be worth nothing. Of two processes that want one
    at once, the second waits for the first.

    Raises:
        BackendError: the prover cannot make it.
        InputError: no such logrows, or the file that is there is damaged.
    """
    _check_logrows(logrows)
    path = _test_place(logrows)
    if not path.exists():
        with alone(path):
            if not path.exists():
                backend.gen_srs(path, logrows)
    return _describe(path, logrows, "test")


def verifier_file(srs: Srs) -> bytes:
    """The 516 bytes that are enough to verify proofs made with `srs`: an SRS of logrows 1.

    The ceremony's is its own file of logrows 1.

    Raises:
        InputError: the file is damaged.
    """
    if srs.origin == "ceremony":
        return CEREMONY_VERIFIER
    return small_file(srs.path, srs.logrows)


def _found(logrows: int) -> Iterator[Srs]:
    """Files of `logrows`, the ceremony's first."""
    if (own := _own_place(logrows)).exists():
        yield _own_ceremony(own, logrows)
    elif _is_ceremony(ezkl := _ezkl_place(logrows), logrows):
        yield _describe(ezkl, logrows, "ceremony")
    if (test := _test_place(logrows)).exists():
        yield _describe(test, logrows, "test")


def _own_ceremony(path: Path, logrows: int) -> Srs:
    found = _describe(path, logrows, "ceremony")
    if found.digest != CEREMONY[logrows]:
        raise InputError(
            f"'{path}' is not the ceremony's SRS: sha256 {found.digest}, "
            f"expected {CEREMONY[logrows]}",
            hint=f"delete it, then `zkprep srs get {logrows}`",
        )
    return found


def _is_ceremony(path: Path, logrows: int) -> bool:
    """Whether somebody else's file is the ceremony's; whatever else it is does not concern us."""
    return (
        path.is_file()
        and path.stat().st_size == file_bytes(logrows)
        and _digest(path) == CEREMONY[logrows]
    )


def _describe(path: Path, logrows: int, origin: Origin) -> Srs:
    return Srs(path, logrows, _digest(path), read_identity(path, logrows), origin)


def _digest(path: Path) -> str:
    """sha256 of the file, computed once per process as long as the file stays as it is."""
    state = path.stat()
    return _digest_of(path, state.st_ino, state.st_size, state.st_mtime_ns)


@functools.lru_cache
def _digest_of(path: Path, *_state: int) -> str:
    return file_digest(path)


def _reach(backend: Backend) -> None:
    """Find out by the smallest file whether the ceremony's host answers, before a large one."""
    if not _unreachable:
        with tempfile.TemporaryDirectory(prefix="zkprep-srs-") as folder:
            try:
                backend.get_srs(Path(folder) / "kzg1.srs", 1)
            except BackendError as error:
                _unreachable.append(str(error))
    if _unreachable:
        raise BackendError(_unreachable[0], stage="get_srs", hint="check the network")


def _check_logrows(logrows: int) -> None:
    if logrows not in CEREMONY:
        raise InputError(f"logrows {logrows} is outside {min(CEREMONY)} to {max(CEREMONY)}")


def _own_place(logrows: int) -> Path:
    return _own_folder() / f"kzg{logrows}.srs"


def _test_place(logrows: int) -> Path:
    return _own_folder() / "test" / f"kzg{logrows}.test.srs"


def _ezkl_place(logrows: int) -> Path:
    folder = os.environ.get("EZKL_REPO_PATH") or Path.home() / ".ezkl"
    return Path(folder) / "srs" / f"kzg{logrows}.srs"


def _own_folder() -> Path:
    return cache_folder() / "srs"
