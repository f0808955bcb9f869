"""Files and bytes, without a word about what is in them: atomic writing, digests, error lines."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import filelock
import platformdirs

from zkprep.errors import InputError


def write_atomically(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write `data`, whole or piece by piece, to a temporary name beside `path`, then rename.

    Raises:
        InputError: the folder cannot be written or the disk is full.
    """
    write_together({path: data})


def write_together(contents: Mapping[Path, bytes | Iterable[bytes]]) -> None:
    """Write several files, each to a temporary name beside it, then rename all, in order.

    Raises:
        InputError: a folder cannot be written or the disk is full; no file has changed.
    """
    written: dict[Path, Path] = {}
    path = next(iter(contents))
    try:
        try:
            for path, data in contents.items():
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
                written[path] = Path(name)
                with os.fdopen(descriptor, "wb") as file:
                    file.writelines([data] if isinstance(data, bytes) else data)
                Path(name).chmod(0o644)
            for path, temporary in written.items():
                temporary.replace(path)
        except BaseException:
            for temporary in written.values():
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror or error}") from None


def require_writable(path: Path) -> None:
    """Refuse before the work what `write_atomically` would refuse after it.

    Raises:
        InputError: nothing can be written to `path`.
    """
    folder = next(one for one in path.absolute().parents if one.exists())
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror or error}") from None


def cache_folder() -> Path:
    """Where zkprep keeps what all runs share; ZKPREP_CACHE moves it."""
    return Path(os.environ.get("ZKPREP_CACHE") or platformdirs.user_cache_dir("zkprep"))


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only process that makes `path`; the lock goes with the process, however that ends.

    Raises:
        InputError: the folder of `path`, or the cache, cannot be written.
    """
    try:
        for folder in (path.parent, locks := cache_folder() / "locks"):
            folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(locks / path.name):
            yield
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror or error}") from None


def digest(data: bytes) -> str:
    """SHA-256 of `data`, lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of the file at `path`, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_line(error: BaseException) -> str:
    """The first line of an error that says something; all of it if that ends in the middle."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return " ".join(lines) if lines[0].endswith(":") else lines[0]
