"""What tuning alone saves: EZKL's default calibration over zkprep's settings, paired.

Each model is proved whole and as given, nothing rewritten, nothing cut: first as EZKL calibrates it
(target resources, Freivalds off), then under the settings that zkprep chooses at the same
tolerance, on the same machine, one after the other. CPU seconds and peak memory are those of the
prover's own process.

    python benchmarks/tuning.py [NAME ...]
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from zkprep import pipeline
from zkprep.backends.ezkl import EzklBackend
from zkprep.events import silent
from zkprep.execute.local import local_executor
from zkprep.inputs import read_input
from zkprep.options import Baselines, Options
from zkprep.prepare import prepare
from zkprep.proving import baselines, prover
from zkprep.report.types import SliceReport
from zkprep.store import open_run

DIGITS = Path(__file__).parents[1] / "circuits/digits"
CONVS = """
<ir_version: 8, opset_import: ["" : 17]>
convs (float[1, 3, 8, 8] x) => (float[1, 4] y)
{
    c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]> (x, w1, b1)
    r = Relu (c)
    d = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (r, w2, b2)
    s = Relu (d)
    g = GlobalAveragePool (s)
    f = Flatten (g)
    y = Gemm <transB = 1> (f, w3, b3)
}
"""
MLP = """
<ir_version: 8, opset_import: ["" : 17]>
mlp (float[1, 64] x) => (float[1, 10] y)
{
    h = Gemm <transB = 1> (x, w1, b1)
    r = Relu (h)
    i = Gemm <transB = 1> (r, w2, b2)
    s = Relu (i)
    y = Gemm <transB = 1> (s, w3, b3)
}
"""
SIGMOID = """
<ir_version: 8, opset_import: ["" : 17]>
sigmoid (float[1, 48] x) => (float[1, 8] y)
{
    h = Gemm <transB = 1> (x, w1, b1)
    r = Sigmoid (h)
    y = Gemm <transB = 1> (r, w2, b2)
}
"""
GENERATED: Mapping[str, tuple[str, Mapping[str, tuple[int, ...]]]] = {
    "convs": (
        CONVS,
        {"w1": (6, 3, 3, 3), "b1": (6,), "w2": (6, 6, 3, 3), "b2": (6,), "w3": (4, 6), "b3": (4,)},
    ),
    "mlp": (
        MLP,
        {"w1": (48, 64), "b1": (48,), "w2": (48, 48), "b2": (48,), "w3": (10, 48), "b3": (10,)},
    ),
    "sigmoid": (SIGMOID, {"w1": (64, 48), "b1": (64,), "w2": (8, 64), "b2": (8,)}),
}
NAMES = ("digits", *GENERATED)


@dataclass(frozen=True)
class Pair:
    """One model under both settings."""

    name: str
    ezkl: SliceReport
    tuned: SliceReport


def main(names: list[str]) -> None:
    """Measure the models and print a Markdown table, with the geometric mean of the ratios."""
    pairs = []
    print(
        "| model | settings | cells | rows, blocks | key | setup CPU | prove CPU | predicted "
        "| peak | predicted | error / range |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in names or NAMES:
        with tempfile.TemporaryDirectory(prefix="zkprep-bench-") as folder:
            pairs.append(_pair(name, Path(folder)))
        for kind in ("ezkl", "tuned"):
            print(_row(name, kind, getattr(pairs[-1], kind)), flush=True)
    for what, figure in (
        ("prove CPU", lambda one: one.measured.prove_cpu_seconds),
        ("setup CPU", lambda one: one.measured.setup_cpu_seconds),
        ("peak memory", lambda one: one.measured.peak_bytes),
    ):
        print(f"\n{what}, EZKL over tuned: {_ratios(pairs, figure)}")


def _pair(name: str, folder: Path) -> Pair:
    model, data = _case(name, folder)
    whole = prepare(model, {})
    as_given = replace(whole, model=whole.normalised, sites=())
    options = Options(blocks=1, baselines=Baselines.NONE)
    with open_run(folder / "run", silent) as run:
        inputs = (read_input(data, whole.normalised),)
        backend = EzklBackend()
        executor = local_executor(backend, options)
        job, _, sized, errors = pipeline.fit(run, executor, backend, as_given, inputs, options)
        calibrated = [prover.calibrate(job, whole.original, "original.onnx")]
        made = prover.witness(job, calibrated, baselines.ANY_ERROR)
        theirs = prover.errors_of(job, calibrated, made)
        ezkl = baselines.variant(calibrated, theirs, prover.prove(job, calibrated))
        ours = sized["prepared"]
        tuned = baselines.variant(ours, errors, prover.prove(job, ours))
    return Pair(name, _total(ezkl.total), _total(tuned.total))


def _total(found: SliceReport | None) -> SliceReport:
    assert found is not None
    return found


def _case(name: str, folder: Path) -> tuple[Path, Path]:
    if name == "digits":
        return DIGITS / "model.onnx", DIGITS / "input.json"
    text, shapes = GENERATED[name]
    random = np.random.default_rng(0)
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.output[0]
    for weight, shape in shapes.items():
        fan = max(1, prod(shape[1:]))
        values = random.normal(size=shape, scale=fan**-0.5).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, weight))
    onnx.save(model, folder / "model.onnx")
    dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    np.save(folder / "input.npy", random.uniform(0, 1, dims).astype(np.float32))
    return folder / "model.onnx", folder / "input.npy"


def _row(name: str, kind: str, one: SliceReport) -> str:
    counts, said, took, fidelity = one.counts, one.predicted, one.measured, one.fidelity
    assert took is not None
    assert fidelity is not None
    cells = (
        name,
        kind,
        f"{counts.cells:,}",
        f"2^{counts.logrows}, {counts.blocks}",
        f"{took.pk_bytes / 1e6:.1f} MB",
        f"{took.setup_cpu_seconds:.1f} s",
        f"{took.prove_cpu_seconds:.1f} s",
        f"{said.prove_cpu_seconds:.1f} s",
        f"{took.peak_bytes / 1e6:.0f} MB",
        f"{said.peak_bytes / 1e6:.0f} MB",
        f"{100 * fidelity.relative_error:.2g} %",
    )
    return f"| {' | '.join(cells)} |"


def _ratios(pairs: list[Pair], figure: Callable[[SliceReport], float]) -> str:
    ratios = [figure(pair.ezkl) / figure(pair.tuned) for pair in pairs]
    mean = prod(ratios) ** (1 / len(ratios))
    each = ", ".join(f"{p.name} {ratio:.2f}" for p, ratio in zip(pairs, ratios, strict=True))
    return f"{mean:.2f} in geometric mean ({each})"


if __name__ == "__main__":
    main(sys.argv[1:])
