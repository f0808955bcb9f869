"""Cells that EZKL counts for a model before and after fusion, everything else the same.

Both are normalised first, so that the difference is the fusion alone; Freivalds is off and
parameters are fixed, as always. Counting makes no keys.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fusion.patterns import Pattern
from zkprep.backends.base import Backend
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.errors import BackendError, InputError
from zkprep.model import load, save
from zkprep.passes import default_passes
from zkprep.passes.base import run_passes
from zkprep.passes.normalise import normalise

# Sizes of symbolic dimensions.
DIMS = {"H": 7, "W": 5}


@dataclass(frozen=True, slots=True)
class Cells:
    """EZKL's total assignments; None for both where EZKL reads the model in neither form."""

    before: int | None
    after: int | None
    reason: str = ""


def count(pattern: Pattern, backend: Backend) -> Cells:
    """Count the pattern's cells, or say why EZKL gives no count."""
    with tempfile.TemporaryDirectory(prefix="fusion-cells-") as folder:
        try:
            plain = normalise(load(pattern.write(Path(folder))), DIMS).model
            fused = run_passes(plain, default_passes()).model
            paths = Path(folder) / "plain.onnx", Path(folder) / "fused.onnx"
            for model, path in zip((plain, fused), paths, strict=True):
                save(model, path)
            return Cells(*(_total(path, backend) for path in paths))
        except (BackendError, InputError) as error:
            return Cells(None, None, str(error).splitlines()[0])


def _total(path: Path, backend: Backend) -> int:
    settings = path.with_suffix(".json")
    backend.gen_settings(path, CircuitSpec(), settings)
    return read_settings(settings.read_bytes()).total_assignments
