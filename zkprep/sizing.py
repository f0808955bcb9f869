"""Where to cut and how to set each slice's circuit, so that the ends of every wire agree.

EZKL has one input scale per slice: a slice that reads tensors of different scales cannot be
expressed, so it is joined to the slice before it and the chain is sized again.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx_ir as ir

from zkprep import tune
from zkprep.backends.base import Backend, Usage, read_witness
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.errors import ZkprepError
from zkprep.files import write_atomically
from zkprep.job import Job
from zkprep.model import Feeds, Runner, input_specs, output_specs, serialize
from zkprep.options import Baselines, Options, memory_limit
from zkprep.prepare import Prepared
from zkprep.sized import Sized, input_data
from zkprep.slices import Limits, Slice, Slicing, apply_cut, check_chain, choose_cut


class ScaleConflict(ZkprepError):
    """Slice `index` reads tensors of different scales, which EZKL cannot express."""

    def __init__(self, index: int, name: str) -> None:
        super().__init__(f"slice {name} reads tensors of different scales; they must share a slice")
        self.index = index


def cut(prepared: Prepared, options: Options) -> Slicing:
    """The cheapest cut of the prepared model within the options' limits.

    Raises:
        TooLarge: no cut keeps the limits.
    """
    spec = CircuitSpec(checks_boundary=False)
    limits = Limits(memory_limit(options), options.max_logrows, options.blocks)
    nodes = choose_cut(prepared.normalised, prepared.model, prepared.sites, limits, spec)
    return apply_cut(prepared.normalised, prepared.model, nodes)


def cut_and_size(job: Job) -> tuple[Slicing, dict[str, list[Sized]]]:
    """The slices, and per variant their circuits; chained slices are checked to be the whole model.

    Raises:
        TooLarge: no cut keeps the limits.
        Disagreement: the chained slices are not the whole model.
    """
    prepared = job.prepared
    variants = ["prepared"] if job.options.baselines is Baselines.NONE else ["prepared", "plain"]
    slicing = cut(prepared, job.options)
    while True:
        try:
            return slicing, {name: _size(job, slicing, name) for name in variants}
        except ScaleConflict as conflict:
            joined = slicing.merged(conflict.index)
            slicing = apply_cut(prepared.normalised, prepared.model, joined)


def _size(job: Job, slicing: Slicing, variant: str) -> list[Sized]:
    """Every slice's circuit, chosen in chain order so that the ends of wires agree in scale."""
    whole = job.prepared.normalised if variant == "plain" else job.prepared.model
    chains = [check_chain(slicing, variant, whole, one) for one in (job.feeds, *job.samples)]
    scales: dict[str, int] = {}
    sized = []
    for index, piece in enumerate(slicing.slices):
        names = [spec.name for spec in input_specs(piece.model(variant))]
        read = {scales.get(name, job.scale) for name in names}
        if len(read) > 1:
            raise ScaleConflict(index, piece.name)
        spec = CircuitSpec(input_scale=read.pop(), param_scale=job.scale)
        one = _size_one(job, piece, variant, spec, [chain[index][0] for chain in chains])
        for name, got in zip(names, one.settings.model_input_scales, strict=True):
            if scales.setdefault(name, got) != got:
                raise ScaleConflict(index, piece.name)
        outputs = [spec.name for spec in output_specs(one.model)]
        scales.update(zip(outputs, one.settings.model_output_scales, strict=True))
        sized.append(one)
    return sized


def _size_one(
    job: Job, piece: Slice, variant: str, spec: CircuitSpec, samples: Sequence[Feeds]
) -> Sized:
    """Choose and write one slice's settings, for its inputs in `samples`, the user's first."""
    run, backend = job.run, job.backend
    model = piece.model(variant)
    path = run.model_path(f"slices/{piece.name}{'.plain' if variant == 'plain' else ''}.onnx")
    run.write(path, serialize(model))
    files = run.files(variant, piece.name)
    data = [input_data(list(feeds), feeds, {}) for feeds in samples]
    run.write(files.samples, b"\n".join(data))

    def work() -> Usage:
        with tempfile.TemporaryDirectory(prefix="zkprep-tune-") as folder:
            trial = _Trial(backend, path, data, Path(folder))
            largest = max(_largest_value(model, feeds) for feeds in samples)
            demand = tune.Demand(largest, trial.settings_of, trial.lookups_of)
            chosen = tune.plain(spec, demand) if variant == "plain" else tune.tuned(spec, demand)
        usage = backend.gen_settings(path, chosen, files.settings)
        write_atomically(files.spec, msgspec.json.encode(chosen))
        return usage

    asked = f"{variant} {backend.version} ".encode() + msgspec.json.encode(spec)
    run.stage(
        "settings", files.folder, [path, files.samples, asked], [files.settings, files.spec], work
    )
    chosen = msgspec.json.decode(files.spec.read_bytes(), type=CircuitSpec)
    settings = read_settings(files.settings.read_bytes())
    return Sized(piece, model, path, files, chosen, settings, tuple(samples[1:]))


@dataclass(frozen=True, slots=True)
class _Trial:
    """The oracles of zkprep.tune, on the prover, in a scratch folder."""

    backend: Backend
    model: Path
    data: Sequence[bytes]
    folder: Path

    def settings_of(self, spec: CircuitSpec) -> Settings:
        path = self.folder / "settings.json"
        self.backend.gen_settings(self.model, spec, path)
        return read_settings(path.read_bytes())

    def lookups_of(self, spec: CircuitSpec) -> tuple[int, int]:
        self.settings_of(spec)
        circuit, data, made = (self.folder / n for n in ("circuit", "input.json", "witness.json"))
        self.backend.compile(self.model, self.folder / "settings.json", circuit)
        lowest, highest = 0, 0
        for sample in self.data:
            data.write_bytes(sample)
            self.backend.witness(circuit, data, made)
            found = read_witness(made)
            lowest = min(lowest, found.min_lookup_inputs)
            highest = max(highest, found.max_lookup_inputs)
        return lowest, highest


def _largest_value(model: ir.Model, feeds: Feeds) -> float:
    """Largest |value| of any tensor of the model on `feeds`."""
    every = model.clone()
    outputs = {value.name for value in every.graph.outputs}
    for node in every.graph:
        for value in node.outputs:
            if value.name and value.name not in outputs:
                every.graph.outputs.append(value)
    arrays = [*feeds.values(), *Runner(every)(feeds).values()]
    return max(float(np.max(np.abs(array.astype(np.float64)), initial=0.0)) for array in arrays)
