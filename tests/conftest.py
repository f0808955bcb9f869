"""What every test gets: a cache of its own, no network, and SRS files made once and kept.

The machine counts as measured, with the reference machine's constants: no test waits for probes.

The folder is ZKPREP_TEST_CACHE, or pytest's own cache, so that a second run makes no SRS again.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from forked import servers

from zkprep.backends import srs
from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.srs import Srs
from zkprep.cost.machine import Calibration, cpu_name, keep
from zkprep.cost.work import REFERENCE

LARGEST_LOGROWS = 13


@pytest.fixture(scope="session", autouse=True)
def kept_cache(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Point zkprep's and EZKL's folders away from the user's own, here and in subprocesses."""
    chosen = os.environ.get("ZKPREP_TEST_CACHE")
    folder = Path(chosen) if chosen else Path(pytestconfig.cache.mkdir("zkprep"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZKPREP_CACHE", str(folder))
        patch.setenv("ZKPREP_OFFLINE", "1")
        patch.setenv("EZKL_REPO_PATH", str(tmp_path_factory.mktemp("ezkl")))
        keep(reference_here(EzklBackend().version.split()[-1]))
        yield folder


def reference_here(prover: str) -> Calibration:
    """What is kept of a machine that is just like the reference machine."""
    return Calibration(
        cpu=cpu_name(),
        cores=psutil.cpu_count() or 1,
        prover=prover,
        constants=REFERENCE,
        probes=0,
        time_error=0.0,
        memory_error=0.0,
    )


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C interrupts, here and in subprocesses, also where a shell started us in background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fake_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the fake prover's SRS files lie: the real prover cannot read them."""
    return tmp_path_factory.mktemp("fake-cache")


@pytest.fixture(autouse=True)
def own_cache(
    request: pytest.FixtureRequest, fake_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests without the real prover leave nothing for those with it."""
    if request.node.get_closest_marker("ezkl") is None:
        monkeypatch.setenv("ZKPREP_CACHE", str(fake_cache))


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for tests of the cache itself."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ZKPREP_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def forked_workers() -> Iterator[None]:
    """EZKL's calls of a module without the start of a process each: see forked."""
    with servers() as run, pytest.MonkeyPatch.context() as patch:
        patch.setattr("zkprep.backends.ezkl.run_worker", run)
        yield


@pytest.fixture(scope="session")
def kept_srs(kept_cache: Path) -> Callable[[int], Srs]:
    """The test SRS of a given logrows, made by EZKL and kept."""

    def of(logrows: int) -> Srs:
        assert logrows <= LARGEST_LOGROWS, "larger SRS files take too long to make in a test"
        return srs.generate(logrows, EzklBackend())

    return of


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Any:
    """A `honest_chain.Example` of real proofs whose tensors are all public (real_chain)."""
    from real_chain import open_chain

    return open_chain(tmp_path_factory.mktemp("open"), kept_srs(10))


@pytest.fixture(scope="session")
def hidden(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Any:
    """One with a private input and committed links."""
    from real_chain import hidden_chain

    return hidden_chain(tmp_path_factory.mktemp("hidden"), kept_srs(10))
