"""Slices whose tensors are rescaled: built by EZKL, proved, and claimed to be something else."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx_ir as ir

from zkprep import pipeline
from zkprep.backends.ezkl import EzklBackend
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.claims import statement
from zkprep.claims.statement import Statement
from zkprep.models.model import save
from zkprep.options import Options
from zkprep.proving.sized import Sized
from zkprep.runs.events import silent
from zkprep.runs.store import SliceFiles
from zkprep.slicing.slices import Slice
from zkprep.tune.descent import entered

BACKEND = EzklBackend()


def built(folder: Path, piece: ir.Model, asked: CircuitSpec) -> Sized:
    """The slice's circuit under a spec, in an empty `folder`; no keys."""
    files, path = SliceFiles(folder, folder), folder / "model.onnx"
    save(entered(piece, asked), path)
    BACKEND.gen_settings(path, asked, files.settings)
    settings = read_settings(files.settings.read_bytes())
    return Sized(Slice("000", (), piece, piece), piece, path, files, asked, settings)


def proved_run(folder: Path, model: ir.Model, values: np.ndarray, options: Options) -> Path:
    """`folder` with model.onnx, x.json and run, an accepted proof of the model on `values`."""
    save(model, folder / "model.onnx")
    (folder / "x.json").write_text(json.dumps({"input_data": [values.ravel().tolist()]}))
    paths = (folder / name for name in ("model.onnx", "x.json", "run"))
    report = pipeline.prove(*paths, options, BACKEND, silent)
    assert report.verdict is not None
    assert report.verdict.accepted, report.verdict.reason
    return folder


def claim_of(folder: Path) -> Statement:
    """What the run of `proved_run` claims."""
    return statement.load((folder / "run/public/statement.json").read_bytes())


def claiming(folder: Path, forged: Statement, public: Path) -> Path:
    """`public`: the run's proofs under another claim."""
    shutil.copytree(folder / "run/public", public)
    (public / "statement.json").write_bytes(statement.dump(forged))
    return public
