"""The README's table is the tool's output: its counts are what EZKL counts today."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zkprep import api
from zkprep.cli import app
from zkprep.options import Options
from zkprep.report import text

ROOT = Path(__file__).parent.parent
COUNTED = ("ops", "cells", "rows", "logrows", "blocks", "degree", "error / range", "argmax agrees")


def _row(table: str, name: str) -> str:
    found = re.search(rf"^{re.escape(name)} .*$", table, re.MULTILINE)
    assert found is not None, name
    return " ".join(found[0].split())


@pytest.mark.ezkl
@pytest.mark.usefixtures("forked_workers")
def test_the_table_is_what_is_counted() -> None:
    digits = ROOT / "circuits/digits"
    report = api.measure(digits / "model.onnx", digits / "input.json", Options(blocks=3))
    now = text.plain_text(text.render(report, 100), 100)
    shown = (ROOT / "README.md").read_text()
    for name in COUNTED:
        assert _row(shown, name) == _row(now, name)


def test_the_commands_exist() -> None:
    verbs = re.findall(r"^    zkprep ([\w-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(set(verbs)) >= 8
    for verb in verbs:
        assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0, verb
