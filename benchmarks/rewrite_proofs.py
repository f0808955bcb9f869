"""Models proved between their rewrites, and whole without rewrites and with them.

A model as a rewrite left it is proved as one circuit, under the very settings it was priced by
(zkprep/cost/price.py), so that what is predicted and what is measured are of one circuit. EZKL
keeps outputs exact below 2**53 only: where they would be longer, the one circuit is proved that
zkprep chooses at as many bits.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import onnx_ir as ir
from msgspec.structs import replace as changed

from benchmarks import rewritten, tuning
from benchmarks.baseline import MEMORY
from benchmarks.rewritten import Results, Stage, State, Took, Whole
from circuits import make
from zkprep import api
from zkprep.backends.ezkl import EzklBackend
from zkprep.cost.circuit import TABLE_RESERVED_ROWS
from zkprep.cost.machine import constants
from zkprep.cost.price import SCALE
from zkprep.errors import RangeExceeded, ZkprepError
from zkprep.execute.local import local_executor
from zkprep.models.inputs import read_input
from zkprep.options import Baselines, Options, parse_memory
from zkprep.passes.base import PassResult
from zkprep.prepare import Prepared, prepare
from zkprep.proving import prover, trial
from zkprep.proving.assemble import slice_report
from zkprep.proving.baselines import ANY_ERROR
from zkprep.proving.boundary import Boundary
from zkprep.proving.fidelity import compare
from zkprep.proving.job import Job
from zkprep.report.types import SliceReport
from zkprep.runs.events import silent
from zkprep.runs.store import open_run
from zkprep.slicing.slices import Slice

SECONDS = 1800.0
"""Wall time that a call of the prover's may take."""


def prove(results: Results, stages: Mapping[str, Sequence[Stage]]) -> None:
    """Prove what is missing of these cases, each once, and keep it as it comes; wholes last."""
    for name, each in stages.items():
        for stage in each:
            if results.state(name, stage) is None:
                try:
                    found = state(name, stage)
                except ZkprepError as error:
                    print(f"{name}, {stage.rule}: not proved: {error}")
                    continue
                results.states.setdefault(name, []).append(found)
                rewritten.write(results)
                print(f"{name}, {stage.rule}", flush=True)
    for name, each in stages.items():
        if name not in results.wholes:
            took = _whole(name, rewriting=False), _whole(name, rewriting=True)
            results.wholes[name] = Whole(asked=rewritten.ends(each), took=took)
            rewritten.write(results)
            print(name, flush=True)


def state(name: str, stage: Stage) -> State:
    """A stage of a case, proved and verified.

    Raises:
        ZkprepError: the prover failed.
    """
    with tempfile.TemporaryDirectory(prefix="zkprep-rewrites-") as folder:
        path, data = make.build(name, Path(folder))
        given = _alone(prepare(path, {}), stage.model)
        try:
            took = _as_asked(stage, given, data, Path(folder) / "asked")
            as_asked = True
        except RangeExceeded:
            took = _as_chosen(given, data, Path(folder) / "chosen")
            as_asked = False
    return State(rule=stage.rule, asked=rewritten.asked(stage.price), as_asked=as_asked, took=took)


def _alone(prepared: Prepared, model: ir.Model) -> Prepared:
    """A model as if it had been given so: no pass was near it."""
    return replace(
        prepared, normalised=model, fused=model, fusions=(), model=model, sites=(), splits=()
    )


def _as_asked(stage: Stage, given: Prepared, data: Path, folder: Path) -> Took:
    """Under the settings of the price, whatever the error.

    Raises:
        RangeExceeded: the circuit does not hold the values, or its outputs are too long.
    """
    spec, options = stage.price.spec, Options(baselines=Baselines.NONE)
    base = 2**spec.logrows - TABLE_RESERVED_ROWS
    spec = changed(spec, decomp_base=base, lookup_range=(-(base // 2), base - 1 - base // 2))
    inputs, model = (read_input(data, given.normalised),), given.model
    piece = Slice("000", tuple(str(node.name) for node in model.graph), model, model)
    backend = EzklBackend(seconds=SECONDS)
    with open_run(folder, silent) as run:
        job = Job(run, backend, local_executor(backend, options), given, inputs, (), options)
        view = trial.View("prepared", piece, inputs, Boundary())
        one = trial.sized(job, view, trial.Chosen(spec))
        (made,) = prover.witness(job, [one], ANY_ERROR)
        (measured,) = prover.prove(job, [one])
        return _took(1, slice_report(one, measured, compare(one, made)))


def _as_chosen(given: Prepared, data: Path, folder: Path) -> Took:
    """As one circuit of as many bits that zkprep chooses."""
    slices, (total,) = tuning.proved(given, data, folder, Options(blocks=1, scale=SCALE))
    return _took(slices, total)


def _whole(name: str, *, rewriting: bool) -> Took:
    memory = parse_memory(str(make.case(name).get("memory", MEMORY)))
    options = Options(memory=memory, baselines=Baselines.NONE)
    with tempfile.TemporaryDirectory(prefix="zkprep-rewrites-") as folder, _only(rewriting):
        model, data = make.build(name, Path(folder))
        report = api.prove(model, data, Path(folder) / "run", options)
    prepared = report.variants["prepared"]
    assert report.verdict is not None
    assert report.verdict.accepted
    assert prepared.total is not None
    return _took(len(prepared.slices), prepared.total)


@contextmanager
def _only(rewriting: bool) -> Iterator[None]:
    """With circuit rewrites, or as it was before there were any."""
    if rewriting:
        yield
        return

    def nothing(model: ir.Model, _apart: frozenset[str] = frozenset()) -> PassResult:
        return PassResult(model, ())

    with (
        mock.patch("zkprep.prepare.rewrite", nothing),
        mock.patch("zkprep.slicing.splitting.apply.rewrite", nothing),
    ):
        yield


def _took(slices: int, total: SliceReport) -> Took:
    assert total.measured is not None
    assert total.fidelity is not None
    slowness = constants(EzklBackend().version.split()[-1]).slowness
    return Took(
        slices=slices,
        cells=total.counts.cells,
        degree=total.counts.degree,
        reference_cpu_seconds=round(total.predicted.prove_cpu_seconds / slowness, 2),
        prove_cpu_seconds=round(total.measured.prove_cpu_seconds, 2),
        pk_bytes=total.measured.pk_bytes,
        peak_bytes=total.measured.peak_bytes,
        relative_error=total.fidelity.relative_error,
    )
