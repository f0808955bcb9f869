"""RUN/public as an attacker may hand it over: links, devices, absurd sizes and names."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from honest_chain import honest

from zkprep.errors import ProofRejected, StatementError, VerificationError
from zkprep.verifying import public
from zkprep.verifying.public import read_public, read_statement

HONEST = honest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The honest toy run as files."""
    return HONEST.write(tmp_path / "public")


def test_what_is_there_is_read(folder: Path) -> None:
    (folder / "srs").mkdir()
    (folder / "srs/10.srs").write_bytes(b"srs")
    found = read_public(folder)
    assert (found.statement, found.bundle) == (HONEST.statement, list(HONEST.bundle))
    assert found.test_srs == {10: b"srs"}
    assert read_statement(folder) == HONEST.statement


def grow(path: Path, size: int) -> None:
    """A file that says it has `size` bytes and takes none on disk."""
    with path.open("r+b") as file:
        file.truncate(size)


def replaced_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        path = root / "slices/001/vk"
        path.unlink()
        make(path)

    return damage


def placed(name: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")

    return damage


def linked_folder(root: Path) -> None:
    (root / "slices/002").rename(root.parent / "elsewhere")
    (root / "slices/002").symlink_to(root.parent / "elsewhere")


STRANGE: dict[str, tuple[Callable[[Path], object], type[VerificationError], str]] = {
    "link to a file": (
        replaced_by(lambda p: p.symlink_to("/etc/passwd")),
        StatementError,
        "slices/001/vk' is not a plain file",
    ),
    "link to nothing": (
        replaced_by(lambda p: p.symlink_to("nowhere")),
        StatementError,
        "is not a plain file",
    ),
    "link in a circle": (
        replaced_by(lambda p: p.symlink_to("vk")),
        StatementError,
        "is not a plain file",
    ),
    "linked folder": (linked_folder, StatementError, "slices/002' is not a plain file"),
    "pipe": (replaced_by(os.mkfifo), StatementError, "slices/001/vk' is not a plain file"),
    "folder for a file": (
        replaced_by(Path.mkdir),
        StatementError,
        "'slices/001/vk' does not belong into a public folder",
    ),
    "an empty folder": (
        lambda r: (r / "slices/000/a").mkdir(),
        StatementError,
        "'slices/000/a' does not belong into a public folder",
    ),
    "missing file": (replaced_by(lambda _: None), ProofRejected, "slice 1 has no vk"),
    "statement as a pipe": (
        lambda r: ((r / "statement.json").unlink(), os.mkfifo(r / "statement.json")),
        StatementError,
        "holds no statement.json",
    ),
    "no statement": (
        lambda r: (r / "statement.json").unlink(),
        StatementError,
        "holds no statement.json",
    ),
    "endless statement": (
        lambda r: grow(r / "statement.json", 2**40),
        StatementError,
        "'statement.json' is too large: 1099511627776 bytes, at most 16777216",
    ),
    "endless proof": (
        lambda r: grow(r / "slices/000/proof.json", 2**40),
        StatementError,
        "'slices/000/proof.json' is too large",
    ),
    "endless settings": (
        lambda r: grow(r / "slices/000/settings.json", 2**27),
        StatementError,
        "'slices/000/settings.json' is too large",
    ),
    "a gap": (placed("slices/004/vk"), ProofRejected, "slices [0, 1, 2, 4], with a gap"),
    "a stranger": (placed("slices/000/pk"), StatementError, "'slices/000/pk' does not belong"),
    "a hidden file": (placed(".git/config"), StatementError, "'.git' does not belong"),
    "a slice in other digits": (
        placed("slices/\u0660\u0660\u0663/vk"),
        StatementError,
        "does not belong into a public folder",
    ),
    "a slice of two names": (
        placed("slices/0001/vk"),
        StatementError,
        "does not belong into a public folder",
    ),
    "a slice of huge number": (
        placed(f"slices/{'9' * 200}/vk"),
        StatementError,
        "does not belong into a public folder",
    ),
    "a large SRS": (
        lambda r: (placed("srs/10.srs")(r), grow(r / "srs/10.srs", 517)),
        StatementError,
        "'srs/10.srs' is too large: 517 bytes, at most 516",
    ),
}


@pytest.mark.parametrize(("damage", "error", "message"), STRANGE.values(), ids=STRANGE)
def test_strange_files_are_refused(
    folder: Path, damage: Callable[[Path], object], error: type[Exception], message: str
) -> None:
    damage(folder)
    with pytest.raises(error, match=re.escape(message)):
        read_public(folder)


def test_folders_deeper_than_python_recurses_are_refused(folder: Path) -> None:
    inside = os.open(folder / "slices/000", os.O_RDONLY)
    for _ in range(sys.getrecursionlimit() + 500):
        os.mkdir("a", dir_fd=inside)
        deeper = os.open("a", os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = deeper
    os.close(inside)
    try:
        with pytest.raises(StatementError, match="'slices/000/a' does not belong"):
            read_public(folder)
    finally:  # which pytest could not: it recurses
        subprocess.run(["rm", "-r", folder / "slices/000/a"], check=True)


def test_the_whole_is_bounded_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "_LARGEST_FOLDER", 3000)
    with pytest.raises(StatementError, match="is too large"):
        read_public(folder)
    monkeypatch.setattr(public, "_MOST_ENTRIES", 5)
    with pytest.raises(StatementError, match="holds more than 5 files"):
        read_public(folder)


def test_a_file_that_becomes_a_link_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and opening, somebody swaps the file."""
    names = public._plain_files(folder)
    monkeypatch.setattr(public, "_plain_files", lambda _: names)
    path = folder / "slices/001/vk"
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(StatementError, match="cannot be read"):
        read_public(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StatementError, match="'slices/001/vk' is not a plain file"):
        read_public(folder)


def test_no_public_folder(tmp_path: Path) -> None:
    for read in (read_public, read_statement):
        with pytest.raises(StatementError, match="holds no statement.json"):
            read(tmp_path / "none")
