"""Cells of random small models, as EZKL counts them: exact, every one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from random_nets import RandomNet

from zkprep.backends.ezkl import EzklBackend
from zkprep.circuit import CircuitSpec, read_settings
from zkprep.cost.cells import assignments, predict
from zkprep.errors import BackendError, InputError, UnsupportedModel
from zkprep.models.model import save
from zkprep.prepare import prepare

MODELS = 220
COMPARED = 210
"""Least number of models that EZKL takes."""

SPECS = (
    CircuitSpec(),
    CircuitSpec(decomp_legs=1, num_inner_cols=1, checks_boundary=False, integer_constants=True),
    CircuitSpec(
        decomp_legs=3, scale_rebase_multiplier=2, checks_boundary=False, integer_constants=True
    ),
    CircuitSpec(decomp_legs=4, num_inner_cols=7, scale_rebase_multiplier=3, checks_boundary=False),
)


@pytest.mark.ezkl
@pytest.mark.long
def test_the_cells_of_random_models_are_ezkls(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda seed: _cells(seed, tmp_path), range(MODELS)))
    compared = [one for one in found if one.counted is not None]
    assert len(compared) >= COMPARED
    assert [one for one in compared if one.said != one.counted or not one.sure] == []


class Found(NamedTuple):
    """Cells of the model of `seed` as predicted and as EZKL counts them, None if it takes it not.

    `sure`: whether they are said to be exact.
    """

    seed: int
    said: int
    counted: int | None
    sure: bool


def _cells(seed: int, folder: Path) -> Found:
    net = RandomNet(seed).grow(2 + seed % 7)
    assert net is not None
    given, path, out = (folder / f"{seed}{end}" for end in (".given.onnx", ".onnx", ".json"))
    save(net.model(), given)
    spec = SPECS[seed % len(SPECS)]
    try:
        model = prepare(given, {}).normalised
        save(model, path)
        EzklBackend(seconds=120).gen_settings(path, spec, out)
    except (BackendError, InputError, UnsupportedModel):
        return Found(seed, 0, None, sure=False)
    counted = read_settings(out.read_bytes()).total_assignments
    sure = all(cells.known for cells in predict(model, spec).values())
    return Found(seed, assignments(model, spec), counted, sure)
