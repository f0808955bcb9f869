"""Too coarse or wrong? With rebases deferred, bits alone must not look like disagreement."""

from dataclasses import replace
from pathlib import Path

import networks
import pytest

from circuits.make import build
from zkprep import api
from zkprep.backends.ezkl import EzklBackend
from zkprep.errors import Imprecise
from zkprep.execute.local import local_executor
from zkprep.models.inputs import read_input
from zkprep.options import ENOUGH, Baselines, Options
from zkprep.prepare import prepare
from zkprep.proving import prover
from zkprep.proving.cutting import cut_and_size
from zkprep.proving.job import Fit, Job
from zkprep.runs.store import open_run


@pytest.mark.ezkl
def test_a_circuit_that_defers_and_is_too_coarse_is_called_coarse(tmp_path: Path) -> None:
    model, data = build("resnet50_bottleneck", tmp_path)
    whole = prepare(model, {})
    given = replace(whole, model=whole.normalised, sites=())
    feeds = read_input(data, whole.normalised)
    options = Options(blocks=1, baselines=Baselines.NONE)
    with open_run(tmp_path / "run", lambda *_: None) as run:
        backend = EzklBackend()
        executor = local_executor(backend, options)
        job = Job(run, backend, executor, given, (feeds,), (), options, fit=Fit(scale=8))
        _, sized = cut_and_size(job)
        assert sized["prepared"][0].spec.scale_rebase_multiplier > 3
        with pytest.raises(Imprecise, match=r"too coarse: .* 4 bits more give 0\.\d+ %") as why:
            prover.witness(job, sized["prepared"], 0.002)
    assert why.value.bits >= 1


@pytest.mark.ezkl
@pytest.mark.usefixtures("forked_workers")
def test_small_constants_have_as_many_bits_as_they_need(tmp_path: Path) -> None:
    """Weights of some 2**-12 on pixels: EZKL keeps four bits of them at ENOUGH."""
    model, data = networks.pixels(tmp_path, 2.0**-12)
    options = Options(blocks=1, baselines=Baselines.NONE)
    with pytest.raises(Imprecise, match="too coarse"):
        api.measure(model, data, replace(options, scale=ENOUGH))
    report = api.measure(model, data, options)
    assert report.scale > ENOUGH
    total = report.variants["prepared"].total
    assert total is not None and total.fidelity is not None
    assert total.fidelity.argmax_agrees
    assert total.fidelity.relative_error <= report.tolerance
