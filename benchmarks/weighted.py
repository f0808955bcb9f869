"""Slices as slicers for EZKL make them: one per operator with weights, each set up by EZKL alone.

Every slice is calibrated by EZKL on what enters it, so the ends of a link need not have one scale:
such proofs are not linked, which makes this baseline cheaper than a chain would be.
"""

from dataclasses import replace
from pathlib import Path

import msgspec
import onnx_ir as ir

from zkprep.backends.ezkl import EzklBackend
from zkprep.execute.local import local_executor
from zkprep.models.inputs import read_input
from zkprep.options import Options
from zkprep.prepare import Prepared, prepare
from zkprep.proving import prover
from zkprep.proving.assemble import slice_report, variant_report
from zkprep.proving.baselines import ANY_ERROR
from zkprep.proving.fidelity import compare
from zkprep.proving.job import Job
from zkprep.report.types import SliceReport, Variant
from zkprep.runs.events import silent
from zkprep.runs.store import open_run
from zkprep.slicing.slices import apply_cut, check_chain

NOTE = "one slice per operator with weights, each as EZKL calibrates it; not linked"
OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def cut(model: ir.Model) -> list[list[str]]:
    """Names of the nodes of each slice: an operator with weights and what follows it."""
    slices: list[list[str]] = [[]]
    weighted = False
    for node in model.graph:
        has_weights = node.op_type in OPERATORS and any(
            value is not None and value.name in model.graph.initializers for value in node.inputs
        )
        if has_weights and weighted:
            slices.append([])
        weighted = weighted or has_weights
        slices[-1].append(str(node.name))
    return slices


def prove(path: Path, data: Path, folder: Path, options: Options) -> Variant:
    """Set up, prove and verify every slice of a model on an input, each in a run of its own.

    Raises:
        ZkprepError: EZKL does not take a slice, or failed.
    """
    whole = prepare(path, {})
    slicing = apply_cut(replace(whole, model=whole.normalised), cut(whole.normalised))
    feeds = read_input(data, whole.normalised)
    backend = EzklBackend()
    executor = local_executor(backend, options)
    chain = check_chain(slicing, "plain", feeds)
    slices = []
    for piece, (inputs, _) in zip(slicing.slices, chain, strict=True):
        alone = replace(whole, original=piece.plain, normalised=piece.plain, heads=())
        with open_run(folder / piece.name, silent) as run:
            job = Job(run, backend, executor, alone, (inputs,), (), options)
            slices.append(msgspec.structs.replace(_prove(job, alone), name=piece.name))
    return variant_report(NOTE, slices, None)


def _prove(job: Job, alone: Prepared) -> SliceReport:
    one = prover.calibrate(job, alone.original, "slice.onnx")
    (made,) = prover.witness(job, [one], ANY_ERROR)
    (measured,) = prover.prove(job, [one])
    return slice_report(one, measured, compare(one, made))
