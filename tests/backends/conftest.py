"""Fixtures of the prover tests: a tiny slice, and both provers with an SRS each can use."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_slice import Files, MakeFiles, Prover, new_files

from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.fake import FakeBackend
from zkprep.backends.srs import Srs
from zkprep.backends.srs_file import read_identity


@pytest.fixture
def make_files(tmp_path: Path) -> MakeFiles:
    """A folder with a tiny model and an input for it."""

    def make(name: str = "slice", *, seed: int = 0, activation: str = "Relu") -> Files:
        return new_files(tmp_path / name, seed=seed, activation=activation)

    return make


@pytest.fixture(scope="module", params=["fake", pytest.param("ezkl", marks=pytest.mark.ezkl)])
def prover(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    kept_srs: Callable[[int], Srs],
) -> Prover:
    """Each prover in turn."""
    if request.param == "ezkl":
        return Prover(EzklBackend(seconds=120), kept_srs(10))
    fake = FakeBackend()
    path = tmp_path_factory.mktemp("fake") / "kzg10.srs"
    fake.gen_srs(path, 10)
    return Prover(fake, Srs(path, 10, "", read_identity(path, 10), "test"))


@pytest.fixture(scope="module")
def proved_once(prover: Prover, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A proved slice; tests that touch its files take `proved`."""
    files = new_files(tmp_path_factory.mktemp("proved") / "slice")
    prover.prove_all(files)
    return files


@pytest.fixture
def proved(proved_once: Files, tmp_path: Path) -> Files:
    """A copy of the proved slice."""
    folder = tmp_path / "proved"
    shutil.copytree(proved_once.folder, folder)
    return Files(folder)


@pytest.fixture(scope="module")
def ezkl_prover(kept_srs: Callable[[int], Srs]) -> Prover:
    """The real one."""
    return Prover(EzklBackend(seconds=120), kept_srs(10))
