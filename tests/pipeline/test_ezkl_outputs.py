"""EZKL hands a witness on in double precision: a slice puts out only what that keeps exactly."""

from dataclasses import replace
from pathlib import Path

import pytest

from zkprep.backends.base import Witness
from zkprep.backends.ezkl import EzklBackend
from zkprep.claims.felts import decode, encode
from zkprep.errors import RangeExceeded
from zkprep.execute.local import local_executor
from zkprep.models.inputs import read_input
from zkprep.options import Baselines, Options
from zkprep.prepare import prepare
from zkprep.proving import prover
from zkprep.proving.cutting import cut_and_size
from zkprep.proving.fidelity import require_faithful
from zkprep.proving.job import Fit, Job
from zkprep.runs.store import open_run
from zkprep.tune import LARGEST_OUTPUT

DIGITS = Path(__file__).parents[2] / "circuits/digits"


@pytest.mark.ezkl
def test_deferred_rebases_leave_outputs_exact(tmp_path: Path) -> None:
    """Whole, digits would put out integers of 2**68; proofs of such did not verify."""
    whole = prepare(DIGITS / "model.onnx", {})
    feeds = read_input(DIGITS / "input.json", whole.normalised)
    options = Options(blocks=1, baselines=Baselines.NONE)
    backend = EzklBackend()
    with open_run(tmp_path / "run", lambda *_: None) as run:
        executor = local_executor(backend, options)
        job = Job(run, backend, executor, whole, (feeds,), (), options, fit=Fit(scale=8))
        _, sized = cut_and_size(job)
        (made,) = prover.witness(job, sized["prepared"], 0.01)
        assert max(abs(decode(felt)) for felt in made.outputs[0]) < LARGEST_OUTPUT
        rounded = Witness(
            inputs=made.inputs,
            outputs=[[encode(int(LARGEST_OUTPUT))] * 10],
            min_lookup_inputs=0,
            max_lookup_inputs=0,
            max_range_size=0,
        )
        with pytest.raises(RangeExceeded, match="puts out integers up to 9.01e"):
            require_faithful(backend, replace(sized["prepared"][0]), rounded, 0.01)
