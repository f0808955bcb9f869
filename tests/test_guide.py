"""docs/guide.md: every command in it is run, in order, as it stands there.

PyTorch is not installed for the tests. Where it is, the export is run, too; elsewhere its result is
tests/guide/model.onnx, which that very script wrote, without
its metadata.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zkprep.cli import app

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
EXPORTED = ROOT / "tests/guide"
FENCED = re.compile(r"^```(python|sh)\n(.*?)^```", re.M | re.S)
BLOCKS = FENCED.findall(GUIDE)
CI = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for text in re.findall(r"^```(?:sh|yaml)\n(.*?)^```", GUIDE + CI, re.M | re.S)
    for line in re.findall(r"^ *zkprep (.+)$", text.replace("\\\n", " "), re.M)
]


def test_the_guide_has_all_its_parts() -> None:
    verbs = {line.split()[0] for line in COMMANDS}
    assert {
        "check",
        "measure",
        "prove",
        "report",
        "statement",
        "verify",
        "compare",
        "slice",
    } <= verbs
    assert [kind for kind, _ in BLOCKS].count("sh") >= 6


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_that_exists(line: str) -> None:
    words = re.sub(r"[|>].*", "", line.replace('"', "")).split()
    done = CliRunner().invoke(app, [*words, "--help"])  # options are parsed before it is shown
    assert done.exit_code == 0, done.output


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert CliRunner().invoke(app, ["measure", "model.onnx", "--no-such", "--help"]).exit_code == 2


@pytest.mark.ezkl
@pytest.mark.long
def test_the_guide_runs_from_top_to_bottom(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    said = []
    for kind, text in BLOCKS:
        if kind == "sh":
            said.append(run("bash", "-e", "-c", text))
        else:
            script = tmp_path / re.findall(r"# (\w+\.py)", text)[0]
            script.write_text(text, encoding="utf-8")
            if "import torch" not in text or importlib.util.find_spec("torch"):
                said.append(run("python", script.name))
            else:
                shutil.copytree(EXPORTED, tmp_path, dirs_exist_ok=True)
    check, measured, proved, verified, compared, tuned, verbs = said[-7:]
    assert "can be proved" in check
    assert "prepared" in measured
    assert "accepted:" in proved
    assert verified.count("accepted:") == 2
    assert "total" in compared
    assert "slices" in tuned
    cells, seconds = verbs.split()
    assert int(cells) > 0
    assert float(seconds) > 0
    assert (tmp_path / "report.html").stat().st_size > 10_000
