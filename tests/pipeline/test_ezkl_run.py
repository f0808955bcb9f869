"""The command line on the real prover: linked slices, both anchors, cheats, an interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import networks
import psutil
import pytest

from zkprep.backends.srs import Srs

pytestmark = pytest.mark.ezkl
ZKPREP = [sys.executable, "-c", "from zkprep.cli import main; main()"]
LOGROWS = range(8, 13)
ASKED = ("--blocks", 4, "--scale", 8, "--baselines", "none")


@dataclass(frozen=True)
class Runs:
    """Two proved runs of one model on different inputs, with their statement's digest."""

    model: Path
    data: Path
    first: Path
    second: Path
    digest: str


def zkprep(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ZKPREP, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def prove(model: Path, data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return zkprep("prove", model, "--input", data, "-o", out, *ASKED)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, kept_srs: Callable[[int], Srs]) -> Runs:
    for logrows in LOGROWS:
        kept_srs(logrows)
    folder = tmp_path_factory.mktemp("runs")
    model = networks.build(folder / "skip.onnx", networks.SKIP, networks.SKIP_WEIGHTS)
    for seed, name in enumerate(("first", "second")):
        data = networks.write_input(folder / f"{name}.json", [32], seed=seed)
        done = prove(model, data, folder / name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.rstrip().endswith("accepted: 4 proofs, 3 links"), done.stdout
        assert "test SRS, not secure" in done.stdout
    report = json.loads((folder / "first/report.json").read_bytes())
    digest = report["verdict"]["statement"]
    return Runs(model, folder / "first.json", folder / "first", folder / "second", digest)


def _copy(runs: Runs, folder: Path) -> Path:
    return Path(shutil.copytree(runs.first / "public", folder / "public"))


def test_accepted_by_digest_and_by_model(runs: Runs) -> None:
    for anchor in (("--expect", runs.digest), ("--model", runs.model)):
        done = zkprep(
            "verify", runs.first / "public", *anchor, "--allow-test-srs", PYTHONHASHSEED="7"
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "accepted: 4 proofs, 3 links"
        assert f"statement {runs.digest}" in done.stdout
        checked = "checked: no value can leave the field in any slice" in done.stdout
        assert checked == ("--model" in anchor)


def test_the_input_that_was_told_has_to_be_the_proved_one(runs: Runs) -> None:
    """As EZKL rounds it, element by element."""
    verify = ("verify", runs.first, "--expect", runs.digest, "--allow-test-srs", "--input")
    done = zkprep(*verify, runs.data)
    assert done.returncode == 0, done.stderr
    other = zkprep(*verify, runs.data.with_name("second.json"))
    assert other.returncode == 1
    assert "rejected: 'image': element 0 is " in other.stderr


def test_no_anchor_cannot_be_answered(runs: Runs) -> None:
    done = zkprep("verify", runs.first / "public", "--allow-test-srs")
    assert done.returncode == 2
    assert "verification needs one anchor" in done.stderr


def test_a_test_srs_is_refused_unless_allowed(runs: Runs) -> None:
    done = zkprep("verify", runs.first / "public", "--expect", runs.digest)
    assert done.returncode == 1
    assert "was proved with a test SRS" in done.stderr


def test_another_model_is_rejected(runs: Runs, tmp_path: Path) -> None:
    other = networks.build(tmp_path / "o.onnx", networks.SKIP, networks.SKIP_WEIGHTS, seed=5)
    done = zkprep("verify", runs.first / "public", "--model", other, "--allow-test-srs")
    assert done.returncode == 1
    assert "not the statement rebuilt from the model" in done.stderr


def test_spliced_runs_are_rejected(runs: Runs, tmp_path: Path) -> None:
    public = _copy(runs, tmp_path)
    shutil.copy(runs.second / "public/slices/001/proof.json", public / "slices/001/proof.json")
    done = zkprep("verify", public, "--expect", runs.digest, "--allow-test-srs")
    assert done.returncode == 1
    assert "rejected: the wire of" in done.stderr


def test_an_edited_instance_is_rejected(runs: Runs, tmp_path: Path) -> None:
    public = _copy(runs, tmp_path)
    path = public / "slices/003/proof.json"
    proof = json.loads(path.read_bytes())
    proof["instances"][0][-1] = "07" + "00" * 31
    path.write_text(json.dumps(proof))
    done = zkprep("verify", public, "--expect", runs.digest, "--allow-test-srs")
    assert done.returncode == 1
    assert "rejected: slice 3" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_is_one_document(runs: Runs) -> None:
    done = zkprep("verify", runs.first, "--expect", runs.digest, "--allow-test-srs", "--json")
    document = json.loads(done.stdout)
    assert document["accepted"] is True
    assert document["proofs"] == 4
    assert list(document["outputs"]) == ["logits"]


def test_the_statement_is_readable(runs: Runs) -> None:
    done = zkprep("statement", runs.first / "public")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"statement {runs.digest}"
    assert "image" in done.stdout
    document = json.loads(zkprep("statement", runs.first, "--json").stdout)
    assert len(document["slices"]) == 4


def _workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_an_interrupted_run_leaves_no_worker_and_goes_on(runs: Runs, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = ["prove", runs.model, "--input", runs.data, "-o", run, *ASKED]
    events = run / "events.jsonl"
    with subprocess.Popen(
        [*ZKPREP, *map(str, command)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while not (events.is_file() and '"setup"' in events.read_text() and _workers(process)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        workers = _workers(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    assert b"goes on from here" in errors
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    assert not (run / "public").exists()
    finished = events.read_text().splitlines()
    done = prove(runs.model, runs.data, run)
    assert done.returncode == 0, done.stderr
    again = events.read_text().splitlines()
    assert again[: len(finished)] == finished
    before, after = (
        {(e["slice"], e["stage"]) for e in map(json.loads, lines)}
        for lines in (finished, again[len(finished) :])
    )
    assert before & after == set(), "a finished stage was done again"
