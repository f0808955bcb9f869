"""Small models, what a rewrite makes of them, and what EZKL makes of both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from construct import parsed
from msgspec.structs import replace

from zkprep.backends.base import read_witness
from zkprep.backends.ezkl import EzklBackend
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.claims.felts import decode, dequantise
from zkprep.models.model import run, save, seeded_inputs
from zkprep.passes.base import Pass, PassResult, run_passes
from zkprep.passes.normalise import normalise

SPEC = CircuitSpec(
    input_scale=10, param_scale=10, logrows=13, decomp_base=8184, checks_boundary=False
)
DEFERRED = replace(SPEC, scale_rebase_multiplier=4, decomp_legs=4, integer_constants=True)
IMAGE = "(float[1,4,8,8] x) => (float y)"

_RANDOM = np.random.default_rng(5)


def weights(*shape: int) -> np.ndarray[Any, Any]:
    """As a layer of a network starts: outputs about as large as inputs."""
    return _RANDOM.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))


def model(interface: str, body: str, opset: int = 17, **constants: Any) -> ir.Model:
    """A normalised model; its nodes are named n_ and what they make."""
    return normalise(parsed(interface, body, opset, **constants)).model


def rewritten(before: ir.Model, *passes: Pass) -> PassResult:
    """What the passes make of it, under the contract; doing it again changes nothing."""
    once = run_passes(before, passes)
    assert not run_passes(once.model, passes).applied
    return once


def operators(made: ir.Model) -> list[str]:
    return [node.op_type for node in made.graph]


def reasons(result: PassResult) -> list[str]:
    return [site.reason for site in result.sites if not site.applied]


@dataclass(frozen=True)
class Circuit:
    """EZKL's circuit: its output against ONNX Runtime's, its table of nodes, its settings."""

    error: float
    span: float
    table: str
    settings: Settings


def in_ezkl(made: ir.Model, reference: ir.Model, folder: Path, spec: CircuitSpec) -> Circuit:
    """The circuit of `made` on a seeded input, against `reference` on ONNX Runtime."""
    folder.mkdir()
    files = {name: folder / name for name in ("model", "settings", "circuit", "in", "witness")}
    save(made, files["model"])
    feeds = seeded_inputs(reference, 1)
    rows = [array.ravel().tolist() for array in feeds.values()]
    files["in"].write_text(json.dumps({"input_data": rows}))
    backend = EzklBackend(seconds=60)
    backend.gen_settings(files["model"], spec, files["settings"])
    backend.compile(files["model"], files["settings"], files["circuit"])
    backend.witness(files["circuit"], files["in"], files["witness"])
    settings = read_settings(files["settings"].read_bytes())
    outputs: Sequence[Sequence[str]] = read_witness(files["witness"]).outputs
    got = dequantise(map(decode, outputs[0]), settings.model_output_scales[0])
    (wanted,) = (array.ravel() for array in run(reference, feeds).values())
    error, span = float(np.abs(got - wanted).max()), float(np.ptp(wanted))
    return Circuit(error, span, backend.table(files["model"], spec), settings)
