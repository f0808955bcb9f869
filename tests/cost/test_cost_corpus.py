"""Predicted cells of the corpus are EZKL's, as given and prepared."""

from pathlib import Path

import pytest

from circuits.make import build, names
from zkprep.backends.ezkl import EzklBackend
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.cost.cells import assignments
from zkprep.models.model import save
from zkprep.prepare import prepare

LARGE = {"ds_cnn", "lenet5", "resnet8", "vww"}
LONG = pytest.mark.long
SPEC = CircuitSpec(
    decomp_legs=3, scale_rebase_multiplier=2, checks_boundary=False, integer_constants=True
)


@pytest.mark.ezkl
@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=LONG if each in LARGE else ()) for each in names()]
)
def test_cells_of_the_corpus_are_ezkls(name: str, tmp_path: Path) -> None:
    model, _ = build(name, tmp_path)
    prepared = prepare(model, {})
    for kind, built in (("given", prepared.normalised), ("prepared", prepared.model)):
        path, out = tmp_path / f"{kind}.onnx", tmp_path / f"{kind}.json"
        save(built, path)
        EzklBackend(seconds=120).gen_settings(path, SPEC, out)
        assert assignments(built, SPEC) == read_settings(out.read_bytes()).total_assignments
