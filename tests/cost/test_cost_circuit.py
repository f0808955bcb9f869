"""Layout formulas against keys and proofs of the real prover, to the byte."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import onnx
import pytest
from cost_networks import NETWORKS
from cost_samples import make_settings
from msgspec.structs import replace

from zkprep.backends.ezkl import EzklBackend
from zkprep.backends.srs import Srs
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.cost.circuit import (
    TABLE_RESERVED_ROWS,
    layout,
    read_fixed_columns,
    with_layout,
    with_logrows,
)
from zkprep.cost.selectors import compressed_columns

# k w A K | range checks as hi - lo | static lookups:range | dynamic shuffles:size | module
MEASURED = """
relu     | 11 2 4032  4 | 2,1023   | 0:-     | 0 0:0  | -
relu-w1  | 11 1 3776  4 | 2,1023   | 0:-     | 0 0:0  | -
relu-w3  | 11 3 3783  4 | 2,1023   | 0:-     | 0 0:0  | -
relu-w4  | 11 4 4032  4 | 2,1023   | 0:-     | 0 0:0  | -
relu-w5  | 11 5 4292  4 | 2,1023   | 0:-     | 0 0:0  | -
two-col  | 9 2 4032  4  | 2,599    | 0:-     | 0 0:0  | -
sigmoid  | 11 2 2816  4 | 2,1023   | 1:1800  | 0 0:0  | -
sigmoid2 | 11 2 2816  4 | 2,1023   | 1:3600  | 0 0:0  | -
maxpool  | 11 2 2832  6 | 2,1023   | 0:-     | 0 1:64 | -
argmax   | 11 2  661 10 | 2,1,1023 | 0:-     | 1 1:16 | -
softmax  | 12 2 8886 69 | 2,1,1023 | 1:3600  | 0 1:64 | -
hashed   | 12 2 2176  4 | 2,1023   | 0:-     | 0 0:0  | poseidon
polycom  | 11 2 2176  4 | 2,1023   | 0:-     | 0 0:0  | polycommit
"""

# B T C advice tables lookups d E permutation products commits selectors fixed | proof vk pk bytes
WEIGHED = """
relu     | 1 0 1  6 2  4 5 4  8 3 24 16 12      | 3072  5383  8656651
relu-w1  | 2 0 1  6 2  4 5 4  8 3 24 22 13      | 3136  6983  9051491
relu-w3  | 1 0 1  9 2  6 5 4 11 4 32 21 15      | 4160  7047 11017755
relu-w4  | 1 0 1 12 2  8 6 8 14 4 40 26 17      | 5120  8647 21898451
relu-w5  | 1 0 1 15 2  6 7 8 17 4 40 31 20      | 5216 10311 25832419
two-col  | 4 0 1 24 3 24 6 8 26 7 87 64 33      | 11328  7879 10069107
sigmoid  | 1 0 1  6 4  6 5 4  8 3 28 18 16      | 3648  6151 10230379
sigmoid2 | 1 0 1  6 6  8 6 8  8 2 32 18 17      | 4032  6215 17963715
maxpool  | 1 1 1  9 2  6 6 8 11 3 32 19 14      | 4032  6471 17963971
argmax   | 1 1 1  9 3 10 6 8 11 3 40 24 20      | 5120  8135 21897939
softmax  | 2 1 1 15 5 20 6 8 17 5 68 45 34      | 8928 26311 70020019
hashed   | 1 0 1  9 2  4 6 8 12 3 28 19 17      | 3840 11591 41168931
polycom  | 1 0 1  8 2  4 5 4 10 4 27 16 12      | 3488  5511  9443259
"""


@dataclass(frozen=True)
class Measured:
    name: str
    settings: Settings
    layout: dict[str, int]
    fixed: int
    sizes: dict[str, int]


LAYOUT = [
    "blocks",
    "dynamic_blocks",
    "constants",
    "advice",
    "tables",
    "lookups",
    "degree",
    "extension",
    "permutation",
    "products",
    "commits",
    "selectors",
]


def cells_of(line: str) -> list[str]:
    return [part.strip() for part in line.split("|")]


def parse(line: str, weights: str) -> Measured:
    name, counts, ranges, lookups, dynamic, module = cells_of(line)
    weighed, shape, sizes = cells_of(weights)
    assert weighed == name
    logrows, width, cells, constants = (int(word) for word in counts.split())
    number, _, extent = lookups.replace("-", "65536").partition(":")
    columns, _, size = dynamic.partition(":")
    tables, shuffles = (int(word) for word in columns.split())
    *expected, fixed = (int(word) for word in shape.split())
    settings = make_settings(
        logrows=logrows,
        width=width,
        cells=cells,
        constants=constants,
        ranges=[(0, int(word)) for word in ranges.split(",")],
        lookups=int(number),
        lookup_range=(-int(extent) // 2, int(extent) // 2),
        tables=tables,
        shuffles=shuffles,
        dynamic_size=int(size),
        module=module,
    )
    names = ("proof_bytes", "vk_bytes", "pk_bytes")
    return Measured(
        name=name,
        settings=settings,
        layout=dict(zip(LAYOUT, expected, strict=True)),
        fixed=fixed,
        sizes=dict(zip(names, (int(word) for word in sizes.split()), strict=True)),
    )


CIRCUITS = [
    parse(*lines)
    for lines in zip(MEASURED.strip().splitlines(), WEIGHED.strip().splitlines(), strict=True)
]
every_circuit = pytest.mark.parametrize("circuit", CIRCUITS, ids=lambda circuit: circuit.name)


@every_circuit
def test_columns_and_degree_are_ezkls(circuit: Measured) -> None:
    made = layout(circuit.settings)
    assert {name: getattr(made, name) for name in LAYOUT} == circuit.layout


@every_circuit
def test_sizes_are_exact_once_the_fixed_columns_are_known(circuit: Measured) -> None:
    made = layout(circuit.settings, circuit.fixed)
    assert {name: getattr(made, name) for name in circuit.sizes} == circuit.sizes


@every_circuit
def test_fixed_columns_are_known_before_the_key(circuit: Measured) -> None:
    assert layout(circuit.settings).fixed == circuit.fixed


@pytest.mark.parametrize(
    ("blocks", "degree", "columns"),
    [(1, 5, 5), (2, 5, 9), (102, 5, 442), (1, 4, 6), (23, 4, 138), (3, 6, 10), (7, 6, 23)],
)
def test_selectors_share_columns_as_in_measured_keys(
    blocks: int, degree: int, columns: int
) -> None:
    assert compressed_columns(blocks, 2, degree) == columns


@pytest.mark.parametrize(("width", "degree"), [(1, 5), (2, 5), (3, 5), (4, 6), (5, 7)])
def test_sharing_repeats_with_the_blocks(width: int, degree: int) -> None:
    long = [compressed_columns(blocks, width, degree) for blocks in range(100, 400)]
    steps = [later - sooner for sooner, later in pairwise(long)]
    assert steps[:60] == steps[60:120] == steps[180:240]
    assert sum(steps[:60]) < 60 * (3 * width + 6)


@pytest.mark.ezkl
@pytest.mark.parametrize("name", ["gemm-batch", "max-pool", "softmax-channels"])
def test_real_keys_have_the_predicted_size(
    name: str, tmp_path: Path, kept_srs: Callable[[int], Srs]
) -> None:
    model, written, circuit = (tmp_path / end for end in ("onnx", "settings", "circuit"))
    vk, pk, backend = tmp_path / "vk", tmp_path / "pk", EzklBackend(seconds=120)
    onnx.save(NETWORKS[name], model)
    spec = CircuitSpec(logrows=10, decomp_base=1016, decomp_legs=3, lookup_range=(-400, 400))
    backend.gen_settings(model, spec, written)
    backend.compile(model, written, circuit)
    backend.setup(circuit, kept_srs(10).path, vk, pk)
    made = layout(read_settings(written.read_bytes()))
    assert read_fixed_columns(vk.read_bytes()) == made.fixed
    assert (vk.stat().st_size, pk.stat().st_size) == (made.vk_bytes, made.pk_bytes)


def test_fixed_columns_are_read_from_a_verification_key() -> None:
    vk = bytes([3, 11, 1]) + (34).to_bytes(4, "little") + bytes(64)
    assert read_fixed_columns(vk) == 34
    with pytest.raises(ValueError, match="at least 7 bytes, not 6"):
        read_fixed_columns(vk[:6])


def test_rows_capacity_leaves_the_blinding_rows_out() -> None:
    settings = make_settings(logrows=11, width=2, cells=4032, constants=4, ranges=[(-1, 1)])
    assert layout(settings).rows_capacity == 2048 - 6
    assert layout(replace(settings, total_assignments=4085)).rows_capacity == 2 * (2048 - 6)


def test_a_block_is_added_when_the_cells_and_one_repeat_do_not_fit() -> None:
    settings = make_settings(logrows=11, width=2, cells=0, constants=4, ranges=[(-1, 1)])
    full = 2 * (2048 - 6)
    blocks = [layout(replace(settings, total_assignments=full + k)).blocks for k in (-2, -1, 0)]
    assert blocks == [1, 2, 2]


def test_the_largest_base_of_one_column_leaves_eight_rows() -> None:
    settings = make_settings(logrows=11, width=2, cells=100, constants=4, ranges=[(0, 2039)])
    assert layout(settings).degree == 5
    assert layout(with_logrows(settings, 11, 2041)).tables == 1, "only the digit range moves"
    digits = replace(settings, required_range_checks=[(-1, 1), (0, 1023)])
    one, two = (layout(with_logrows(digits, 11, 2048 - TABLE_RESERVED_ROWS + k)) for k in (0, 1))
    assert (one.tables, one.extension) == (2, 4)
    assert (two.tables, two.extension) == (3, 8)


def test_no_constants_need_no_column() -> None:
    settings = make_settings(logrows=11, width=2, cells=10, constants=0, ranges=[])
    assert layout(settings).constants == 0
    hashed = make_settings(logrows=11, width=2, cells=10, constants=0, ranges=[], module="poseidon")
    assert layout(hashed).constants == 1


def test_with_logrows_changes_only_the_layouts_own_settings() -> None:
    settings = CIRCUITS[0].settings
    digits = replace(settings, required_range_checks=[(-1, 1), (0, 1), (0, 1023)])
    moved = with_logrows(digits, 13, 8184)
    assert (moved.run_args.logrows, moved.run_args.decomp_base) == (13, 8184)
    assert moved.required_range_checks == [(-1, 1), (0, 1), (0, 8183)]
    assert moved.total_assignments == settings.total_assignments
    assert layout(moved).blocks == 1


def test_with_layout_takes_the_lookup_range_too() -> None:
    sigmoid = next(circuit for circuit in CIRCUITS if circuit.name == "sigmoid2")
    spec = CircuitSpec(logrows=12, decomp_base=1024, decomp_legs=3, lookup_range=(-500, 500))
    moved = with_layout(sigmoid.settings, spec)
    assert moved.run_args.lookup_range == (-500, 500)
    assert layout(moved).degree < layout(sigmoid.settings).degree
