"""docs/ci.md: every step that runs a command is run, as it stands there, on real circuits."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import helper, numpy_helper

ROOT = Path(__file__).parents[1]
EXPRESSION = re.compile(r"\$\{\{ *([\w.]+) *\}\}")


def _workflow() -> dict[str, Any]:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/ci.md").read_text(), re.M | re.S)
    return dict(yaml.safe_load(block))


class Runner:
    """Runs the workflow's steps in a folder, with a `gh` that only records what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = {
            "github.token": "secret",
            "github.repository": "owner/name",
            "github.event.pull_request.number": "7",
        }
        (folder / "bin").mkdir()
        recorder = folder / "bin/gh"
        recorder.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > gh.txt\n')
        recorder.chmod(0o755)

    def run(self, step: dict[str, Any]) -> int:
        """The exit code of a step, run as GitHub runs it: bash -e."""
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        files = {name: str(self.folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        said = {name: self._filled(str(text)) for name, text in step.get("env", {}).items()}
        command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
        code = subprocess.run(
            command, cwd=self.folder, env={**os.environ, **files, **said, "PATH": path}, check=False
        ).returncode
        if "id" in step:
            for line in (self.folder / "GITHUB_OUTPUT").read_text().splitlines():
                name, _, value = line.partition("=")
                self.known[f"steps.{step['id']}.outputs.{name}"] = value
        return code

    def _filled(self, text: str) -> str:
        return EXPRESSION.sub(lambda match: self.known[match[1]], text)


def _small(path: Path, hidden: int) -> None:
    """A perceptron whose hidden width is what a pull request changes."""
    random = np.random.default_rng(0)
    weights = {
        "w1": random.normal(0, 0.3, (hidden, 8)),
        "b1": random.normal(0, 0.1, hidden),
        "w2": random.normal(0, 0.3, (4, hidden)),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="up", transB=1),
            helper.make_node("Relu", ["h"], ["r"], name="relu"),
            helper.make_node("Gemm", ["r", "w2"], ["y"], name="down", transB=1),
        ],
        "small",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(value.astype("float32"), name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


@pytest.mark.ezkl
def test_the_workflow_tells_growth_from_none(tmp_path: Path) -> None:
    for side, hidden in (("before", 8), ("after", 24)):
        (tmp_path / side).mkdir()
        _small(tmp_path / side / "model.onnx", hidden)
        (tmp_path / side / "input.json").write_text(
            '{"input_data": [[0.1, -0.4, 0.9, 0.3, -0.8, 0.5, 0.2, -0.6]]}'
        )
    steps = [step for step in _workflow()["jobs"]["compare"]["steps"] if "run" in step]
    assert [step["name"] for step in steps] == ["Install", "Count", "Compare", "Comment", "Decide"]
    runner = Runner(tmp_path)
    assert [runner.run(step) for step in steps[1:]] == [0, 0, 0, 1]
    comment = (tmp_path / "comparison.md").read_text()
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == comment
    assert "| cells |" in comment
    assert "the limit is +2.0 %" in comment
    asked = (tmp_path / "gh.txt").read_text().split()
    assert asked[:5] == ["pr", "comment", "7", "--body-file", "comparison.md"]

    (tmp_path / "after.json").write_bytes((tmp_path / "before.json").read_bytes())
    assert [runner.run(step) for step in steps[2:]] == [0, 0, 0]
    assert "the limit is" not in (tmp_path / "comparison.md").read_text()


def test_reports_that_cannot_be_compared_are_said_in_the_comment(tmp_path: Path) -> None:
    steps = {step.get("name"): step for step in _workflow()["jobs"]["compare"]["steps"]}
    runner = Runner(tmp_path)
    assert runner.run(steps["Compare"]) == 0
    assert runner.run(steps["Decide"]) == 2
    assert "cannot be read" in (tmp_path / "comparison.md").read_text()
