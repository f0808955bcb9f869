"""EZKL rejects or miscomputes every construct as it is, and computes the repaired model rightly."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from constructs_arithmetic import CONSTRUCTS as ARITHMETIC
from constructs_windows import CONSTRUCTS as WINDOWS

from zkprep.models.model import Feeds, input_specs, run, save, seeded_inputs
from zkprep.passes.base import run_passes
from zkprep.passes.normalise import normalise

pytestmark = pytest.mark.ezkl

CONSTRUCTS = {**WINDOWS, **ARITHMETIC}
BATCH = Path(__file__).with_name("witness_batch.py")
SEED = 0
# Of the largest value; the quantisation error of these models is below a tenth of it.
LARGEST_ERROR = 0.02
NAMES = list(CONSTRUCTS)


def feeds_of(model: ir.Model) -> Feeds:
    return seeded_inputs(model, SEED)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with EZKL's answer for every construct before and after, from one process."""
    folder = tmp_path_factory.mktemp("repairs")
    for position, construct in enumerate(CONSTRUCTS.values()):
        before = construct.model()
        after = normalise(run_passes(before, [construct.repair]).model).model
        for label, model in (("before", before), ("after", after)):
            path = folder / f"{position}-{label}.onnx"
            save(model, path)
            feeds = feeds_of(model)
            rows = [feeds[spec.name] for spec in input_specs(model)]
            np.savez(path.with_suffix(".npz"), *rows)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(BATCH), str(folder)]
    where = tmp_path_factory.mktemp("where")
    subprocess.run(
        command, env=environment, check=True, capture_output=True, timeout=300, cwd=where
    )
    assert not any(where.iterdir()), "EZKL writes what it is given no name for where it runs"
    return folder


def error_of(answers: Path, name: str, label: str) -> float:
    """Worst error of EZKL's outputs by the largest value; infinite where it has no answer."""
    path = answers / f"{NAMES.index(name)}-{label}.out.npz"
    if not path.is_file():
        assert path.with_name(path.name.replace(".out.npz", ".txt")).is_file()
        return np.inf
    model = CONSTRUCTS[name].model()
    worst = 0.0
    with np.load(path) as outputs:
        expected = run(model, feeds_of(model)).values()
        for reference, key in zip(expected, outputs.files, strict=True):
            wanted = reference.astype(np.float64).ravel()
            found = outputs[key]
            if found.shape != wanted.shape:
                return np.inf
            largest = float(np.max(np.abs(wanted))) or 1.0
            worst = max(worst, float(np.max(np.abs(found - wanted))) / largest)
    return worst


@pytest.mark.parametrize("name", NAMES)
def test_ezkl_fails_without_the_repair(answers: Path, name: str) -> None:
    assert error_of(answers, name, "before") > LARGEST_ERROR


@pytest.mark.parametrize("name", NAMES)
def test_ezkl_agrees_with_onnx_runtime_after_it(answers: Path, name: str) -> None:
    assert error_of(answers, name, "after") < LARGEST_ERROR
