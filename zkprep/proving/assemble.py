"""Reports from what a run holds: EZKL's counts, the predictions that follow, what was measured."""

import platform
from collections.abc import Sequence

import msgspec
import onnx_ir as ir
import psutil
from msgspec import UNSET

from zkprep import __version__
from zkprep.circuit import VISIBILITIES, CircuitSpec, RunArgs
from zkprep.cost.circuit import Layout, layout
from zkprep.cost.machine import constants, cpu_name, kept
from zkprep.cost.profile import profile
from zkprep.cost.work import predict
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized
from zkprep.report.constants import Constants
from zkprep.report.cut import Cut
from zkprep.report.totals import total
from zkprep.report.types import (
    ChoiceReport,
    CircuitReport,
    Counts,
    Fidelity,
    Machine,
    Measured,
    OperatorCells,
    Prediction,
    Report,
    SiteReport,
    SliceReport,
    Variant,
    Verdict,
)
from zkprep.tune.descent import entered


def slice_report(
    sized: Sized, measured: Measured | None = None, fidelity: Fidelity | None = None
) -> SliceReport:
    """One slice: counts and predictions from its settings, beside what was measured."""
    settings = sized.settings
    shape = layout(settings)
    work = predict(shape, constants(settings.version))
    return SliceReport(
        name=sized.piece.name,
        counts=_counts(sized, shape),
        predicted=Prediction(
            pk_bytes=shape.pk_bytes,
            vk_bytes=shape.vk_bytes,
            proof_bytes=shape.proof_bytes,
            setup_cpu_seconds=0 if sized.twin else work.setup_cpu_seconds,
            prove_cpu_seconds=work.prove_cpu_seconds,
            peak_bytes=work.peak_bytes,
        ),
        measured=measured,
        fidelity=fidelity,
        choices=_choices(sized),
        circuit=_circuit(settings.run_args),
        twin=sized.twin.folder.name if sized.twin else "",
    )


def _counts(sized: Sized, shape: Layout) -> Counts:
    settings, arguments = sized.settings, sized.settings.run_args
    return Counts(
        ops=sum(1 for _ in sized.model.graph),
        cells=settings.total_assignments,
        rows=settings.num_rows,
        constants=settings.total_const_size,
        logrows=arguments.logrows,
        inner_columns=arguments.num_inner_cols,
        blocks=shape.blocks,
        area=shape.blocks * arguments.num_inner_cols * 2**arguments.logrows,
        degree=shape.degree,
        lookups=shape.lookups,
    )


def _choices(sized: Sized) -> list[ChoiceReport]:
    return [
        ChoiceReport(
            setting=one.setting,
            default=one.default,
            chosen=one.chosen,
            prove_cpu_seconds=one.cpu_seconds,
            pk_bytes=one.pk_bytes,
        )
        for one in sized.savings
    ]


def _asked(visibility: object) -> str:
    """A visibility as it was asked for, of EZKL's name of it."""
    found = (ours for ours, theirs in VISIBILITIES.items() if theirs == visibility)
    return next(found, str(visibility).lower())


def _circuit(arguments: RunArgs) -> CircuitReport:
    return CircuitReport(
        freivalds=not arguments.disable_freivalds,
        parameters=str(arguments.param_visibility).lower(),
        inputs=_asked(arguments.input_visibility),
        outputs=_asked(arguments.output_visibility),
        checks_boundary=not arguments.ignore_range_check_inputs_outputs,
        input_scale=arguments.input_scale,
        param_scale=arguments.param_scale,
        base=arguments.decomp_base,
        legs=arguments.decomp_legs,
    )


def variant_report(note: str, slices: Sequence[SliceReport], fidelity: Fidelity | None) -> Variant:
    """A variant and what its slices add up to; `fidelity` is the whole chain's."""
    return Variant(note=note, slices=list(slices), total=total(list(slices), fidelity))


def assemble(
    job: Job,
    variants: dict[str, Variant],
    proved: Sequence[Sized],
    verdict: Verdict | None,
    cut: Cut | None = None,
) -> Report:
    """The report of a run or a measurement on this machine; `proved`: the prepared slices."""
    prepared = job.prepared
    spent = profile(map(_given, proved))
    return Report(
        zkprep=__version__,
        prover=job.backend.version,
        model=prepared.path.name,
        model_digest=prepared.digest,
        scale=job.scale,
        tolerance=job.options.tolerance,
        machine=this_machine(),
        variants=variants,
        sites=[
            SiteReport(rule=s.rule, nodes=list(s.nodes), reason=s.reason, saving=s.saving)
            for s in prepared.sites
        ],
        cut=cut,
        profile=[OperatorCells(operator=op, **row) for op, row in spent.items()],
        constants=_constants(job.backend.version.split()[-1]),
        verdict=verdict,
    )


def _given(one: Sized) -> tuple[ir.Model, CircuitSpec]:
    """The model that EZKL is given, and its spec: what rescales its tensors is in the model."""
    return entered(one.model, one.spec), msgspec.structs.replace(one.spec, descents=UNSET)


def _constants(prover: str) -> Constants | None:
    """Those of this machine, with how far they are off; None: the reference machine's."""
    found = kept(prover)
    if found is None:
        return None
    return Constants(
        slowness=found.constants.slowness,
        memory_start=found.constants.memory_start,
        bulk=found.constants.bulk,
        time_error=found.time_error,
        memory_error=found.memory_error,
        busy=found.busy,
    )


def this_machine() -> Machine:
    """The machine's facts that times depend on."""
    return Machine(
        cpu=cpu_name(),
        cores=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        python=platform.python_version(),
    )
