"""Cells that EZKL counts for a model before and after fusion, everything else the same.

Both are normalised first, so that the difference is the fusion alone; Freivalds is off and
parameters are fixed, as always. Counting makes no keys.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from benchmarks.fusion.patterns import Pattern
from zkprep.backends.base import Backend
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.errors import BackendError, InputError
from zkprep.files import first_line
from zkprep.models.model import load, save
from zkprep.passes import default_passes
from zkprep.passes.base import run_passes
from zkprep.passes.normalise import normalise

# Sizes of symbolic dimensions.
DIMS = {"H": 7, "W": 5}


@dataclass(frozen=True, slots=True)
class Cells:
    """EZKL's total assignments of a model and of its fused form."""

    before: int
    after: int


def count(pattern: Pattern, backend: Backend) -> Cells | str:
    """Count the pattern's cells, or say why there is no count of both forms."""
    with tempfile.TemporaryDirectory(prefix="fusion-cells-") as folder:
        try:
            model = load(pattern.write(Path(folder)))
            plain = normalise(model, _dims(model)).model
            fused = run_passes(plain, default_passes()).model
            paths = Path(folder) / "plain.onnx", Path(folder) / "fused.onnx"
            save(plain, paths[0])
            save(fused, paths[1])
            return Cells(*(_total(path, backend) for path in paths))
        except (BackendError, InputError) as error:
            return first_line(error)


def _dims(model: ir.Model) -> dict[str, int]:
    """A size for each dimension of the inputs that has a name in DIMS."""
    dims = [str(dim) for value in model.graph.inputs for dim in value.shape or ()]
    return {name: size for name, size in DIMS.items() if name in dims}


def _total(path: Path, backend: Backend) -> int:
    settings = path.with_suffix(".json")
    backend.gen_settings(path, CircuitSpec(), settings)
    return read_settings(settings.read_bytes()).total_assignments
