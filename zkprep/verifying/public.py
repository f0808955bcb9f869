"""RUN/public as bytes: what is there and nothing else, plain files, each of a bounded size.

All of it is untrusted. What a file may be called and how long it may be is settled before it is
opened, so that no link, device or absurd size can hold up or fill a verifier's machine.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zkprep.claims.statement import LARGEST_STATEMENT
from zkprep.errors import ProofRejected, StatementError
from zkprep.verifying.evidence import SliceFiles
from zkprep.verifying.trust import SMALL_SRS_BYTES

_STATEMENT = "statement.json"
_SLICE_FILE = re.compile(r"slices/(\d{3}|[1-9]\d{3,4})/(settings\.json|vk|proof\.json)", re.ASCII)
_FOLDER = re.compile(r"slices(/\d{3,5})?|srs", re.ASCII)
_SRS_FILE = re.compile(r"srs/([1-9]\d?)\.srs", re.ASCII)
_LARGEST = {"settings.json": 2**26, "vk": 2**31, "proof.json": 2**30}
_LARGEST_FOLDER = 2**32
_MOST_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class Public:
    """The files of RUN/public (untrusted): statement, those of each slice, test SRS by logrows."""

    statement: bytes
    bundle: list[SliceFiles]
    test_srs: dict[int, bytes]


def read_public(folder: Path) -> Public:
    """Everything in RUN/public.

    Raises:
        StatementError: no statement, something that does not belong there, or too large.
        ProofRejected: a slice's file is missing.
    """
    with _readable(folder):
        names = _plain_files(folder)
        limits = {name: _limit(name) for name in names}
        room, files = _LARGEST_FOLDER, {}
        for name, most in limits.items():
            files[name] = _read_at_most(folder, name, min(most, room))
            room -= len(files[name])
    slices: dict[int, dict[str, bytes]] = {}
    test_srs: dict[int, bytes] = {}
    for name, data in files.items():
        if found := _SLICE_FILE.fullmatch(name):
            slices.setdefault(int(found[1]), {})[found[2]] = data
        elif found := _SRS_FILE.fullmatch(name):
            test_srs[int(found[1])] = data
    if sorted(slices) != list(range(len(slices))):
        raise ProofRejected(f"the folder holds slices {sorted(slices)}, with a gap")
    bundle = [_slice_files(index, slices[index]) for index in range(len(slices))]
    return Public(files[_STATEMENT], bundle, test_srs)


def read_statement(folder: Path) -> bytes:
    """statement.json alone.

    Raises:
        StatementError: missing, not a plain file, or too large.
    """
    with _readable(folder):
        return _read_at_most(folder, _STATEMENT, _limit(_STATEMENT))


@contextlib.contextmanager
def _readable(folder: Path) -> Iterator[None]:
    if not (folder / _STATEMENT).is_file():
        raise StatementError(f"'{folder}' holds no {_STATEMENT}: it is not a run's public folder")
    try:
        yield
    except OSError as error:
        raise StatementError(f"'{folder}' cannot be read: {error.strerror or error}") from None


def _plain_files(folder: Path) -> list[str]:
    """Names of the files below `folder`; whatever else is there, a link or a device, is refused.

    So is a folder in which nothing of ours lies: nesting has no limit, recursion has.
    """
    names: list[str] = []
    waiting, count = [""], 0
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder / inside) as entries:
            for entry in entries:
                count += 1
                if count > _MOST_ENTRIES:
                    raise StatementError(f"'{folder}' holds more than {_MOST_ENTRIES} files")
                name = f"{inside}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if not _FOLDER.fullmatch(name):
                        raise StatementError(f"'{name}' does not belong into a public folder")
                    waiting.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    names.append(name)
                else:
                    raise StatementError(f"'{folder / name}' is not a plain file")
    return sorted(names)


def _limit(name: str) -> int:
    """Most bytes that a file of this name may have."""
    if found := _SLICE_FILE.fullmatch(name):
        return _LARGEST[found[2]]
    if _SRS_FILE.fullmatch(name):
        return SMALL_SRS_BYTES
    if name == _STATEMENT:
        return LARGEST_STATEMENT
    raise StatementError(f"'{name}' does not belong into a public folder")


def _read_at_most(folder: Path, name: str, most: int) -> bytes:
    """The file's bytes; neither a link nor a pipe that has since taken its place is followed."""
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StatementError(f"'{name}' is not a plain file")
        if status.st_size > most:
            raise StatementError(f"'{name}' is too large: {status.st_size} bytes, at most {most}")
        return file.read(most)


def _slice_files(index: int, files: dict[str, bytes]) -> SliceFiles:
    for name in _LARGEST:
        if name not in files:
            raise ProofRejected(f"slice {index} has no {name}")
    return SliceFiles(files["settings.json"], files["vk"], files["proof.json"])
