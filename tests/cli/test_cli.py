"""The command line: bad input is one clear line and exit code 2; results are on stdout alone."""

import json
import re
import resource
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from zkprep.backends.fake import FakeBackend
from zkprep.cli import app, checking, console
from zkprep.cost.machine import Calibration
from zkprep.cost.work import Machine
from zkprep.errors import InputError
from zkprep.models.model import load
from zkprep.options import Options
from zkprep.verifying.verdict import Verdict

DIGITS = Path(__file__).parents[2] / "circuits/digits"
MODEL, INPUT = str(DIGITS / "model.onnx"), str(DIGITS / "input.json")
# The scale that would be found: looking for it takes longer than all else here.
THREE = ("--blocks", 3, "--scale", 8)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result: Result, message: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) <= 2, "one line, and one with the next step"
    assert isinstance(result.exception, SystemExit)


@pytest.fixture
def fake_prover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkprep.backends.ezkl.EzklBackend", FakeBackend)


@pytest.fixture
def damaged(tmp_path: Path) -> dict[str, Path]:
    whole = (DIGITS / "model.onnx").read_bytes()
    contents = {
        "text": b"hello",
        "empty": b"",
        "cut short": whole[: len(whole) // 2],
        "flipped": whole[:200] + bytes([whole[200] ^ 0xFF]) + whole[201:],
    }
    paths = {name: tmp_path / f"{name}.onnx" for name in contents}
    for name, data in contents.items():
        paths[name].write_bytes(data)
    return paths | {"missing": tmp_path / "none.onnx", "folder": tmp_path}


@pytest.mark.parametrize("kind", ["text", "empty", "cut short", "flipped", "missing", "folder"])
@pytest.mark.parametrize(
    "verb",
    [
        ["fuse", "{}", "-o", "{out}"],
        ["measure", "{}"],
        ["prove", "{}", "--input", INPUT, "-o", "{out}"],
    ],
    ids=lambda verb: verb[0],
)
def test_damaged_models(
    damaged: dict[str, Path], tmp_path: Path, kind: str, verb: list[str]
) -> None:
    out = tmp_path / "out"
    refused(
        run(*(part.format(damaged[kind], out=out) for part in verb)), f"model '{damaged[kind]}'"
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["measure", MODEL, "--memory", "lots"], "'lots' is no amount of memory"),
        (["measure", MODEL, "--dim", "batch"], "is not NAME=VALUE"),
        (["measure", MODEL, "--scale", "99"], "--scale is 99"),
        (["measure", MODEL, "--blocks", "99"], "--blocks asks for 99 slices"),
        (["measure", MODEL, "--max-logrows", "6"], "alone takes"),
        (["measure", MODEL, "--memory", "10MB"], "raise --memory to"),
        (["measure", MODEL, "--baselines", "prove"], "measure proves nothing"),
        (["measure", MODEL, "--link", "hashed"], "--link 'hashed' is not MODE or TENSOR=MODE"),
        (["measure", MODEL, "--link", "y=polycommit"], "--link: 'y' is no tensor between slices"),
        (["measure", MODEL, "-o", "/proc/none/r.json"], "cannot write '/proc/none/r.json'"),
        (["measure", MODEL, "-o", str(DIGITS)], f"cannot write '{DIGITS}': Is a directory"),
        (["slice", MODEL], "slice needs --output DIR"),
        (["fuse", MODEL, "-o", "/proc/none/out.onnx"], "cannot write '/proc/none/out.onnx'"),
        (["report", "nowhere"], "report 'nowhere' cannot be read"),
        (["compare", "nowhere", "nowhere"], "report 'nowhere' cannot be read"),
        (["verify", "nowhere", "--expect", "00" * 32], "'nowhere' is not a folder"),
        (["verify", str(DIGITS), "--expect", "00"], "'00' is no digest"),
        (["srs", "get", "99"], "logrows 99 is outside"),
    ],
)
def test_bad_arguments(fake_prover: None, arguments: list[str], message: str) -> None:
    refused(run(*arguments), message)


def test_samples_are_read_before_a_run_is_begun(fake_prover: None, tmp_path: Path) -> None:
    out, none = tmp_path / "out", tmp_path / "none.npy"
    refused(run("prove", MODEL, "--input", INPUT, "-o", out, "--samples", none), "are not a file")
    assert not out.exists()


def test_fuse_never_works_in_place(tmp_path: Path) -> None:
    copy = tmp_path / "model.onnx"
    copy.write_bytes((DIGITS / "model.onnx").read_bytes())
    refused(run("fuse", copy, "-o", copy), "is the input itself")
    assert copy.read_bytes() == (DIGITS / "model.onnx").read_bytes()


def test_fuse(tmp_path: Path) -> None:
    done = run("fuse", MODEL, "-o", tmp_path / "out.onnx", "--explain")
    assert done.exit_code == 0
    assert "fused: BatchNormalization into Conv: conv1, bn1" in done.stdout
    assert "6 fused, 0 left" in done.stdout
    sites = json.loads(run("fuse", MODEL, "-o", tmp_path / "out.onnx", "--json").stdout)
    fusions = [site for site in sites if site["pass"] == "fuse-affine"]
    assert [site["reason"] for site in fusions] == [""] * 6
    assert len(list(load(tmp_path / "out.onnx").graph)) == 17


def test_slice(tmp_path: Path) -> None:
    dry = run("slice", MODEL, "--dry-run", "--blocks", 3)
    assert dry.exit_code == 0
    assert list(tmp_path.iterdir()) == []
    done = run("slice", MODEL, "-o", tmp_path / "cut", "--blocks", 3, "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "cut/slices.json").read_bytes())
    names = sorted(path.name for path in (tmp_path / "cut").iterdir())
    slices = [f"00{n}{kind}.onnx" for n in range(3) for kind in ("", ".plain")]
    assert names == sorted([*slices, "slices.json"])


def test_prove_report_compare(fake_prover: None, tmp_path: Path) -> None:
    done = run("prove", MODEL, "--input", INPUT, "-o", tmp_path / "run", *THREE, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "run/report.json").read_bytes())
    assert report["verdict"]["accepted"] is True
    for kind, start in (("text", "model"), ("md", "#"), ("html", "<!doctype html>"), ("json", "{")):
        shown = run("report", tmp_path / "run", "--format", kind)
        assert shown.exit_code == 0
        assert shown.stdout.lower().startswith(start)
    same = run("compare", tmp_path / "run", tmp_path / "run", "--fail-on", "cells:+0%")
    assert same.exit_code == 0
    worse = report
    worse["variants"]["prepared"]["total"]["counts"]["cells"] *= 2
    (tmp_path / "worse.json").write_text(json.dumps(worse))
    beyond = run("compare", tmp_path / "run", tmp_path / "worse.json", "--fail-on", "cells:+2%")
    assert beyond.exit_code == 1
    assert "cells" in beyond.output


def test_hidden_links(fake_prover: None, tmp_path: Path) -> None:
    hidden = ("--link", "polycommit", "--input-visibility", "private", "--baselines", "none")
    out = tmp_path / "run"
    done = run("prove", MODEL, "--input", INPUT, "-o", out, *THREE, *hidden, "--json")
    assert done.exit_code == 0, done.stderr
    digest = json.loads(done.stdout)["verdict"]["statement"]
    shown = run("verify", out, "--expect", digest, "--allow-test-srs")
    assert shown.exit_code == 0, shown.stderr
    *_, private, named, accepted = shown.stdout.splitlines()
    assert private == "image is private: the prover knows such an input"
    assert named == f"statement {digest}"
    assert re.fullmatch(r"accepted: 3 proofs, (\d) links, \1 of them by commitment", accepted)
    assert "at scale 8, private" in run("statement", out).stdout


def test_one_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    checking._show_accepted({"000": Verdict("d", 1, 1, {}, {}, False)})
    assert capsys.readouterr().out.splitlines() == ["statement d", "accepted: 1 proof, 1 link"]


def test_a_strangers_names_cannot_write_on_the_terminal(fake_prover: None, tmp_path: Path) -> None:
    """Escape sequences and line breaks in a public folder are shown, not obeyed."""
    (tmp_path / "statement.json").write_bytes(b"{}")
    (tmp_path / "x\x1b[2K\naccepted: 3 proofs").write_bytes(b"")
    done = run("verify", tmp_path, "--expect", "00" * 32)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == (
        r"rejected: 'x\x1b[2K\naccepted: 3 proofs' does not belong into a public folder"
    )


def test_explain(fake_prover: None) -> None:
    measure = ("measure", MODEL, "--input", INPUT, *THREE, "--baselines", "none")
    shown, told = run(*measure), run(*measure, "--explain")
    assert "boundary checked by" not in shown.stdout
    assert told.stdout.count("boundary checked by") == 3
    assert "verifier" in told.stdout


def test_a_full_disk(fake_prover: None, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        done = run("prove", MODEL, "--input", INPUT, "-o", tmp_path / "run", "-q")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: cannot write")
    assert not (tmp_path / "run/public").exists()
    assert not (tmp_path / "run/report.json").exists()


def test_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zkprep.fusing.fuse_file", interrupt)
    done = run("fuse", MODEL, "-o", "out.onnx")
    assert done.exit_code == 130
    assert "interrupted" in done.stderr


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("zkprep ")
    for verb in ("fuse", "slice", "measure", "prove", "verify", "report", "compare", "srs"):
        shown = run(verb, "--help")
        assert shown.exit_code == 0
        assert verb in run("--help").stdout


def test_the_log_is_quiet_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []
    monkeypatch.setattr("logging.basicConfig", lambda **given: levels.append(given["level"]))
    console.backend()
    console.backend(verbose=True)
    assert levels[0] > levels[1]


@pytest.mark.parametrize(("given", "asked"), [([], True), (["--no-calibrate"], False)])
def test_whether_to_measure_the_machine_is_asked_of_a_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: list[str], asked: bool
) -> None:
    def prove(*arguments: Any, executor: Any) -> Any:
        (options,) = (one for one in arguments if isinstance(one, Options))
        raise InputError(f"asked: {options.calibrate}")

    monkeypatch.setattr("zkprep.pipeline.prove", prove)
    done = run("prove", MODEL, "--input", INPUT, "-o", tmp_path / "run", *given)
    refused(done, f"asked: {asked}")


def test_the_measured_machine_is_shown_with_what_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = Machine(slowness=0.4, memory_start=29e6, bulk=1.01)
    errors = {"time_error": 0.17, "memory_error": 0.01}
    for busy, said in ((0.5, False), (9.0, True)):
        found = Calibration(
            cpu="X", cores=2, prover="1", constants=constants, probes=3, load=busy, **errors
        )
        monkeypatch.setattr("zkprep.proving.calibrate.calibrate", lambda *_, found=found: found)
        shown = run("calibrate-machine").stdout
        assert "CPU seconds: 0.40 of the reference machine's, within 17 % on 3 circuits" in shown
        assert "peak memory: 29 MB and 1.01 of the reference machine's, within 1 %" in shown
        assert ("the machine was busy (load 9.0)" in shown) is said
