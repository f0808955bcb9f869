"""What only the real prover can get wrong: processes, environment, panics, leftovers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from tiny_slice import SPEC, Files, MakeFiles, Prover

from zkprep.backends import ezkl, process
from zkprep.backends.base import Terms, Usage
from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.process import Answer, Outcome, Refusal
from zkprep.errors import BackendError, Crashed, OutOfMemory, ProofRejected, TimedOut, TooLarge

pytestmark = pytest.mark.ezkl

# Takes EZKL seconds, so that there is time to disturb it.
SLOW_LOGROWS = 15
PATIENCE_SECONDS = 20.0


@pytest.fixture
def settled(ezkl_prover: Prover, make_files: MakeFiles) -> Files:
    files = make_files()
    ezkl_prover.settle(files)
    return files


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@contextmanager
def once_a_worker_runs(act: Callable[[], None]) -> Iterator[None]:
    """Run the block, and `act` beside it as soon as there is a worker."""

    def watch() -> None:
        if wait_for(lambda: bool(workers())):
            act()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        watcher.join()


def test_a_call_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    hasty = EzklBackend(limits={"gen_srs": 0.3})
    with pytest.raises(TimedOut, match=r"gen_srs did not finish within 0\.3 s and was stopped"):
        hasty.gen_srs(tmp_path / "srs", SLOW_LOGROWS)
    assert workers() == []
    assert list(tmp_path.iterdir()) == []


def test_a_deadlocked_proof_is_told_by_its_standing_still(
    ezkl_prover: Prover, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    # zkonduit/ezkl#1029, behind the check that keeps it from being met.
    files = make_files(activation="Sigmoid")
    spec = msgspec.structs.replace(SPEC, lookup_range=(-10, 10))
    ezkl_prover.settle(files, spec)
    ezkl_prover.witness(files)
    ezkl_prover.key(files)
    monkeypatch.setattr(ezkl, "refuse_deadlock", lambda *_: None)
    monkeypatch.setattr(process, "STILL_SECONDS", 2.0)
    with pytest.raises(TimedOut, match="prove stood still for 2 s and was stopped"):
        ezkl_prover.prove(files)
    assert not files.proof.exists()
    assert workers() == []


def test_a_worker_that_works_is_not_taken_for_standing_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STILL_SECONDS", 0.8)
    usage = EzklBackend().on(Terms(threads=1)).gen_srs(tmp_path / "srs", 12)
    assert usage.seconds > 0.8, "too quick to tell: more rows"


def test_terms_are_kept(tmp_path: Path) -> None:
    held: list[int] = []
    terms = Terms(threads=1, seconds=60.0, watch=held.append)
    usage = EzklBackend().on(terms).gen_srs(tmp_path / "srs", 12)
    assert max(held) > 10**6
    assert usage.cpu_seconds < 1.2 * usage.seconds, "one thread"


def test_what_a_watch_raises_ends_the_worker(tmp_path: Path) -> None:
    def watch(bytes: int) -> None:
        if bytes > 10**6:
            raise OutOfMemory("over the limit")

    with pytest.raises(OutOfMemory, match="over the limit"):
        EzklBackend().on(Terms(watch=watch)).gen_srs(tmp_path / "srs", SLOW_LOGROWS)
    assert workers() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.2])
def test_an_interrupt_leaves_no_worker(tmp_path: Path, delay: float) -> None:
    backend = EzklBackend()

    def interrupt() -> None:
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGINT)

    with (
        once_a_worker_runs(interrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        backend.gen_srs(tmp_path / "srs", SLOW_LOGROWS)
    assert wait_for(lambda: not workers())
    assert list(tmp_path.iterdir()) == []


def test_a_killed_worker_is_out_of_memory(tmp_path: Path) -> None:
    def kill() -> None:
        for worker in workers():
            worker.kill()

    with (
        once_a_worker_runs(kill),
        pytest.raises(OutOfMemory, match=r"gen_srs was killed, most likely for lack of memory"),
    ):
        EzklBackend().gen_srs(tmp_path / "srs", SLOW_LOGROWS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from zkprep.backends.ezkl import EzklBackend; "
        f"EzklBackend().gen_srs(Path({str(tmp_path / 'srs')!r}), {SLOW_LOGROWS + 2})"
    )
    # A parent that is killed cannot remove its scratch folder: it is made in ours.
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    observed = psutil.Process(parent.pid)
    assert wait_for(lambda: bool(observed.children()))
    (worker,) = observed.children()
    assert wait_for(lambda: _has_loaded_ezkl(worker))
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def _has_loaded_ezkl(worker: psutil.Process) -> bool:
    return any("ezkl" in mapping.path for mapping in worker.memory_maps())


def test_a_panic_is_an_error_in_its_own_words(ezkl_prover: Prover, make_files: MakeFiles) -> None:
    files = make_files()
    spec = msgspec.structs.replace(SPEC, num_inner_cols=0)
    with pytest.raises(BackendError, match=r"gen_settings failed: panic: attempt to .* zero"):
        ezkl_prover.backend.gen_settings(files.model, spec, files.settings)
    assert not files.settings.exists()


def test_an_srs_of_too_few_rows_is_named(
    ezkl_prover: Prover, settled: Files, tmp_path: Path
) -> None:
    small = tmp_path / "small.srs"
    ezkl_prover.backend.gen_srs(small, 6)
    with pytest.raises(TooLarge, match=r"setup: 2\*\*6 rows are too few") as caught:
        ezkl_prover.backend.setup(settled.circuit, small, settled.vk, settled.pk)
    assert "raise logrows" in caught.value.hint
    assert not settled.vk.exists()
    assert not settled.pk.exists()


def test_nothing_of_the_callers_ezkl_environment_reaches_the_circuit(
    ezkl_prover: Prover, settled: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ezkl_prover.key(settled)
    clean = settled.vk.read_bytes()
    folder = tmp_path / "repository"
    monkeypatch.setenv("EZKL_REPO_PATH", str(folder))
    with monkeypatch.context() as inheriting:
        inheriting.setattr(process, "_environment", lambda *_: dict(os.environ))
        ezkl_prover.key(settled)
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert kept, "EZKL no longer keeps tables in its folder: this test tests nothing"
    for path in kept:
        path.write_bytes(b"damaged")
    monkeypatch.setenv("EZKL_KEY_FORMAT", "processed")
    ezkl_prover.key(settled)
    assert settled.vk.read_bytes() == clean
    assert {path.read_bytes() for path in kept} == {b"damaged"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"disable_freivalds": False}, "the Freivalds einsum is on"),
        ({"param_visibility": "private"}, "parameters are 'Private', not 'Fixed'"),
    ],
)
def test_unsound_settings_are_never_written(
    ezkl_prover: Prover,
    make_files: MakeFiles,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    reason: str,
) -> None:
    files = make_files()
    asked = ezkl.run_args(SPEC) | change
    monkeypatch.setattr(ezkl, "run_args", lambda _: asked)
    with pytest.raises(BackendError, match=f"the settings are unsound: {reason}"):
        ezkl_prover.backend.gen_settings(files.model, SPEC, files.settings)
    assert not files.settings.exists()


def test_ezkl_prints_nothing_of_its_own(
    ezkl_prover: Prover, make_files: MakeFiles, capfd: pytest.CaptureFixture[str]
) -> None:
    files = make_files()
    ezkl_prover.backend.calibrate(files.model, files.data, SPEC, files.settings)
    assert capfd.readouterr() == ("", "")


def test_a_download_without_a_network_leaves_the_file_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    there = tmp_path / "kzg1.srs"
    there.write_bytes(b"somebody's")
    with pytest.raises(BackendError, match=r"get_srs: 'https://.*' cannot be reached"):
        EzklBackend().get_srs(there, 1)
    assert there.read_bytes() == b"somebody's"
    assert list(tmp_path.iterdir()) == [there]


def test_a_key_that_makes_ezkl_panic_is_a_rejection(
    ezkl_prover: Prover, make_files: MakeFiles
) -> None:
    files = make_files()
    ezkl_prover.prove_all(files)
    key = bytearray(files.vk.read_bytes())
    key[1] = 27  # its logrows: more than the field has room for
    files.vk.write_bytes(key)
    with pytest.raises(ProofRejected, match=r"proof 'proof.json' is not valid: panic: extended_k"):
        ezkl_prover.verify(files)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome(None, "", -signal.SIGSEGV, 0), ProofRejected),
        (Outcome(None, "", -signal.SIGABRT, 0), ProofRejected),
        (Outcome(Answer(False, Usage(1.0, 1.0, 1)), "", 0, 0), ProofRejected),
        (Outcome(None, "", -signal.SIGKILL, 0), OutOfMemory),
        (Outcome(None, "memory allocation of 99 bytes failed", -signal.SIGABRT, 0), OutOfMemory),
        (Outcome(None, "", -signal.SIGTERM, 0), Crashed),
        (Outcome(None, "ModuleNotFoundError: No module named 'ezkl'", 1, 0), BackendError),
        (Outcome(Refusal("TypeError", "wrong call"), "", 0, 0), BackendError),
    ],
)
def test_only_ezkl_itself_can_reject(
    make_files: MakeFiles,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome,
    error: type[Exception],
) -> None:
    files = make_files()
    monkeypatch.setattr(ezkl, "run_worker", lambda *_, **__: outcome)
    with pytest.raises(error) as caught:
        EzklBackend().verify(files.model, files.model, files.model, files.model)
    assert type(caught.value) is error
