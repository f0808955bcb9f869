"""A slice before it is built: what it reads, how large its values are, what EZKL makes of it.

The largest value of every tensor is ONNX Runtime's, on the slice's inputs in every sample; what
EZKL makes of a spec is asked of the prover once and kept for as long as the slice is tuned.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import onnx_ir as ir

from zkprep.backends.base import NOTHING_USED, Backend, Usage, Witness, read_witness
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.files import write_atomically
from zkprep.models.model import Feeds, Runner, serialize
from zkprep.models.twins import pooled
from zkprep.proving.boundary import Boundary
from zkprep.proving.fidelity import compare
from zkprep.proving.job import Job
from zkprep.proving.sized import Sized, data_of, input_data
from zkprep.runs.store import SliceFiles
from zkprep.slicing.slices import Slice
from zkprep.tune import Demand, Saving
from zkprep.tune.descent import entered


@dataclass(frozen=True, slots=True)
class View:
    """A slice of a variant, its inputs in every sample, the user's first, and who sees what."""

    variant: str
    piece: Slice
    samples: tuple[Feeds, ...]
    boundary: Boundary

    @property
    def model(self) -> ir.Model:
        """The slice's model of the variant."""
        return self.piece.model(self.variant)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A slice's spec and what its choices saved."""

    spec: CircuitSpec
    savings: tuple[Saving, ...] = ()


@contextmanager
def demands(backend: Backend, views: Sequence[View]) -> Iterator[list[Demand]]:
    """What each slice needs of its circuit; EZKL is asked in a scratch folder."""
    with tempfile.TemporaryDirectory(prefix="zkprep-tune-") as scratch:
        made = [_demand(backend, view, Path(scratch) / view.piece.name) for view in views]
        # Equal slices are to have equal settings, and one set-up.
        largest = pooled([view.model for view in views], [one.largest for one in made])
        yield [replace(one, largest=own) for one, own in zip(made, largest, strict=True)]


def chosen(
    job: Job, views: Sequence[View], name: str, asked: bytes, choose: Callable[[], list[Chosen]]
) -> list[Chosen]:
    """What `choose` chooses for the slices: a stage of the run, done once for equal questions.

    Args:
        job: the run.
        views: the slices, of one variant.
        name: of the folder that records it, among the variant's slices.
        asked: everything the choice depends on, besides the slices, their samples and the prover.
        choose: returns one choice per slice.
    """
    files = job.run.files(views[0].variant, name)
    inputs: list[Path | bytes] = [asked, job.backend.version.encode()]
    for view in views:
        samples = job.run.files(view.variant, view.piece.name).samples
        data = (input_data(list(feeds), feeds, {}) for feeds in view.samples)
        job.run.write(samples, b"\n".join(data))
        inputs += [serialize(view.model), samples]

    def work() -> Usage:
        write_atomically(files.spec, msgspec.json.encode(choose()))
        return NOTHING_USED

    job.run.stage("tune", files.folder, inputs, [files.spec], work)
    return msgspec.json.decode(files.spec.read_bytes(), type=list[Chosen])


def sized(job: Job, view: View, choice: Chosen) -> Sized:
    """The slice with EZKL's settings under the chosen spec."""
    files = job.run.files(view.variant, view.piece.name)
    kind = ".plain" if view.variant == "plain" else ""
    path = job.run.model_path(f"slices/{view.piece.name}{kind}.onnx")
    job.run.write(path, serialize(entered(view.model, choice.spec)))
    asked = f"{job.backend.version} ".encode() + msgspec.json.encode(choice.spec)
    job.run.stage(
        "settings",
        files.folder,
        [path, asked],
        [files.settings],
        lambda: job.backend.gen_settings(path, choice.spec, files.settings),
    )
    return Sized(
        piece=view.piece,
        model=view.model,
        path=path,
        files=files,
        spec=choice.spec,
        settings=read_settings(files.settings.read_bytes()),
        samples=view.samples[1 + len(job.given) :],
        savings=choice.savings,
    )


def largest_values(model: ir.Model, feeds: Feeds) -> dict[str, float]:
    """Largest |value| of every tensor of the model on `feeds`, by name."""
    every = model.clone()
    outputs = {value.name for value in every.graph.outputs}
    for node in every.graph:
        for value in node.outputs:
            if value.name and value.name not in outputs:
                every.graph.outputs.append(value)
    arrays = {**feeds, **Runner(every)(feeds)}
    return {
        name: float(np.max(np.abs(array.astype(np.float64)), initial=0.0))
        for name, array in arrays.items()
    }


@dataclass(frozen=True, slots=True)
class _Oracle:
    """The prover's answers about one slice, each asked for once."""

    backend: Backend
    view: View
    folder: Path
    _settings: dict[CircuitSpec, bytes] = field(default_factory=dict)

    def settings_of(self, spec: CircuitSpec) -> Settings:
        if spec not in self._settings:
            self._written(spec)
        return read_settings(self._settings[spec])

    def lookups_of(self, spec: CircuitSpec) -> tuple[int, int]:
        found = list(self._witnesses(spec))
        lowest = min((one.min_lookup_inputs for one in found), default=0)
        highest = max((one.max_lookup_inputs for one in found), default=0)
        lowest, highest = min(lowest, 0), max(highest, 0)
        return _rounded(lowest, highest) if self.view.boundary.hides else (lowest, highest)

    def error_of(self, spec: CircuitSpec) -> float:
        one = self._sized(spec)
        return max(compare(one, made).relative_error for made in self._witnesses(spec))

    def _witnesses(self, spec: CircuitSpec) -> Iterator[Witness]:
        circuit, data, made = (self.folder / n for n in ("circuit", "input.json", "witness.json"))
        one, settings = self._sized(spec), self._written(spec)
        self.backend.compile(one.path, settings, circuit)
        for feeds in self.view.samples:
            data.write_bytes(data_of(one, feeds, {}))
            self.backend.witness(circuit, data, made)
            yield read_witness(made)

    def _sized(self, spec: CircuitSpec) -> Sized:
        files, settings = SliceFiles(self.folder, self.folder), self.settings_of(spec)
        return Sized(self.view.piece, self.view.model, self._model, files, spec, settings)

    @property
    def _model(self) -> Path:
        return self.folder / "slice.onnx"

    def _written(self, spec: CircuitSpec) -> Path:
        path = self.folder / "settings.json"
        self._model.write_bytes(serialize(entered(self.view.model, spec)))
        if spec in self._settings:
            path.write_bytes(self._settings[spec])
        else:
            self.backend.gen_settings(self._model, self.view.boundary.applied(spec), path)
            self._settings[spec] = path.read_bytes()
        return path


def _demand(backend: Backend, view: View, folder: Path) -> Demand:
    folder.mkdir()
    largest: dict[str, float] = {}
    for feeds in view.samples:
        for name, value in largest_values(view.model, feeds).items():
            largest[name] = max(value, largest.get(name, 0.0))
    oracle = _Oracle(backend, view, folder)
    return Demand(
        name=view.piece.name,
        model=view.model,
        largest=largest,
        settings_of=oracle.settings_of,
        lookups_of=oracle.lookups_of,
        error_of=oracle.error_of,
    )


def _rounded(lowest: int, highest: int) -> tuple[int, int]:
    """Bounds that tell of hidden values no more than their magnitude."""
    return -(1 << (-lowest).bit_length()), 1 << highest.bit_length()
