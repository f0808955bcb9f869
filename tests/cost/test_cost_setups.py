"""Keys of circuits with three to seven inner columns, recorded: how near their sizes are said."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import onnx
import pytest
from cost_networks import NETWORKS

from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.srs import Srs
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout, read_fixed_columns

TABLE = 1500


@dataclass(frozen=True)
class SetUp:
    """A circuit of `cost_networks` that was set up."""

    network: str
    logrows: int
    inner_columns: int
    fixed: int
    pk_bytes: int
    vk_bytes: int
    settings: Settings


RECORD = json.loads((Path(__file__).parent / "setups.json").read_bytes())
CIRCUITS = [
    SetUp(**{**one, "settings": read_settings(json.dumps(one["settings"]).encode())})
    for one in RECORD
]


def _name(one: SetUp) -> str:
    return f"{one.network}-{one.logrows}-{one.inner_columns}"


@pytest.mark.parametrize("one", CIRCUITS, ids=_name)
def test_sizes_are_exact_once_the_fixed_columns_are_known(one: SetUp) -> None:
    made = layout(one.settings, one.fixed)
    assert (made.pk_bytes, made.vk_bytes) == (one.pk_bytes, one.vk_bytes)


@pytest.mark.parametrize("one", CIRCUITS, ids=_name)
def test_fixed_columns_are_near(one: SetUp) -> None:
    """Short where rows of different blocks meet, one too many where gates are never enabled."""
    made = layout(one.settings)
    if made.blocks == 1:
        assert one.fixed <= made.fixed <= one.fixed + 1
    if one.inner_columns <= 4:
        assert one.fixed - 1 <= made.fixed <= one.fixed
    assert made.pk_bytes == pytest.approx(one.pk_bytes, rel=0.05)


@pytest.mark.parametrize(("width", "off"), [(3, 1e-3), (4, 2e-3), (5, 8e-3), (6, 0.02), (7, 0.02)])
def test_keys_are_nearer_in_the_mean(width: int, off: float) -> None:
    of_width = [one for one in CIRCUITS if one.inner_columns == width]
    assert len(of_width) >= 12
    assert mean(abs(layout(one.settings).pk_bytes / one.pk_bytes - 1) for one in of_width) < off


@pytest.mark.ezkl
@pytest.mark.long
@pytest.mark.parametrize("one", CIRCUITS, ids=_name)
def test_the_record_is_what_ezkl_sets_up(
    one: SetUp, tmp_path: Path, kept_srs: Callable[[int], Srs]
) -> None:
    model, settings, circuit = (tmp_path / end for end in ("onnx", "settings", "circuit"))
    vk, pk, backend = tmp_path / "vk", tmp_path / "pk", EzklBackend(seconds=300)
    base = 2**one.logrows - TABLE_RESERVED_ROWS
    reach = min(TABLE, base // 2)
    spec = CircuitSpec(
        logrows=one.logrows,
        num_inner_cols=one.inner_columns,
        decomp_base=base,
        decomp_legs=3,
        lookup_range=(-reach, reach),
        checks_boundary=False,
        integer_constants=True,
    )
    onnx.save(NETWORKS[one.network], model)
    backend.gen_settings(model, spec, settings)
    backend.compile(model, settings, circuit)
    backend.setup(circuit, kept_srs(one.logrows).path, vk, pk)
    assert read_settings(settings.read_bytes()) == one.settings
    assert read_fixed_columns(vk.read_bytes()) == one.fixed
    assert (pk.stat().st_size, vk.stat().st_size) == (one.pk_bytes, one.vk_bytes)
