"""Predicted cells against EZKL's own count, and what a prediction promises whatever the model."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from cost_networks import CONV, IMAGE, NETWORKS, NORM, POINT, network
from msgspec.structs import replace

from zkprep.backends.base import Terms
from zkprep.backends.ezkl import EzklBackend
from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.cost import gadgets
from zkprep.cost.cells import Cells, assignments, boundary, predict
from zkprep.cost.circuit import with_logrows
from zkprep.cost.gadgets import Region
from zkprep.cost.walk import Loaded, walk

SPECS = {
    "default": CircuitSpec(),
    "wide": CircuitSpec(decomp_legs=3, scale_rebase_multiplier=2, num_inner_cols=4),
    "sparing": CircuitSpec(
        checks_boundary=False,
        integer_constants=True,
        input_scale=6,
        param_scale=8,
        scale_rebase_multiplier=3,
        num_inner_cols=1,
        output_visibility="polycommit",
    ),
}


def cells_of(network: onnx.ModelProto, spec: CircuitSpec) -> dict[str, Cells]:
    return predict(ir.from_proto(network), spec)


@pytest.fixture(scope="module")
def counted(
    tmp_path_factory: pytest.TempPathFactory, forked_workers: None
) -> dict[tuple[str, str], Settings]:
    """EZKL's settings of every network under every spec."""
    folder = tmp_path_factory.mktemp("counted")
    for name, model in NETWORKS.items():
        onnx.save(model, folder / f"{name}.onnx")
    pairs = [(name, spec) for name in NETWORKS for spec in SPECS]

    def count(pair: tuple[str, str]) -> Settings:
        return settings_of(folder / f"{pair[0]}.onnx", SPECS[pair[1]])

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(pairs, pool.map(count, pairs), strict=True))


def settings_of(model: Path, spec: CircuitSpec) -> Settings:
    out = model.with_suffix(f".{hash(spec)}.json")
    EzklBackend(seconds=60, terms=Terms(threads=1)).gen_settings(model, spec, out)
    return read_settings(out.read_bytes())


@pytest.mark.ezkl
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_prediction_is_ezkls_count(
    name: str, spec: str, counted: dict[tuple[str, str], Settings]
) -> None:
    assert assignments(ir.from_proto(NETWORKS[name]), SPECS[spec]) == (
        counted[name, spec].total_assignments
    )
    assert all(cells.known for cells in cells_of(NETWORKS[name], SPECS[spec]).values())


@pytest.mark.ezkl
@pytest.mark.parametrize("name", ["inverted-residual", "max-pool", "attention"])
@pytest.mark.parametrize(("logrows", "base"), [(12, 4088), (15, 1000)])
def test_moved_settings_are_those_ezkl_writes(
    name: str, logrows: int, base: int, tmp_path: Path
) -> None:
    model, spec = tmp_path / "model.onnx", CircuitSpec(input_scale=6, param_scale=6)
    onnx.save(NETWORKS[name], model)
    moved = with_logrows(settings_of(model, spec), logrows, base)
    assert moved == settings_of(model, replace(spec, logrows=logrows, decomp_base=base))


@pytest.mark.ezkl
def test_a_base_that_is_another_constant_too_is_counted_once_less(tmp_path: Path) -> None:
    model, spec = tmp_path / "model.onnx", CircuitSpec(input_scale=7, decomp_base=2**14)
    onnx.save(NETWORKS["softmax"], model)  # holds the constant 2**7 * 2**7
    moved = with_logrows(settings_of(model, spec), 12, 4088)
    written = settings_of(model, replace(spec, logrows=12, decomp_base=4088))
    assert replace(moved, total_const_size=moved.total_const_size + 1) == written


GADGETS: dict[str, Callable[[Region, int], None]] = {
    "decompose": gadgets.decompose,
    "relu": gadgets.relu,
    "absolute": gadgets.absolute,
    "leaky relu": gadgets.leaky_relu,
    "greater": gadgets.greater,
    "extreme": gadgets.extreme,
    "divide": gadgets.divide,
    "square root": gadgets.square_root,
    "reciprocal": gadgets.reciprocal,
}


@pytest.mark.parametrize(("legs", "width", "digits"), [(2, 2, 10), (3, 2, 14), (2, 4, 12)])
@pytest.mark.parametrize(
    ("name", "decompositions", "others"),
    [
        ("decompose", 1, 0),
        ("relu", 1, 6),
        ("absolute", 1, 1),
        ("leaky relu", 1, 16),
        ("greater", 1, 12),
        ("extreme", 1, 21),
        ("divide", 3, 16),
        ("square root", 6, 44),
        ("reciprocal", 6, 60),
    ],
)
def test_cells_per_element(
    name: str, decompositions: int, others: int, legs: int, width: int, digits: int
) -> None:
    region = Region(width, legs)
    GADGETS[name](region, 64)
    assert region.cells == 64 * (decompositions * digits + others)


@pytest.mark.parametrize(("window", "cells"), [(1, 0), (2, 28), (4, 80), (9, 210)])
def test_the_largest_of_a_window_costs_a_sort(window: int, cells: int) -> None:
    region = Region(2, 2)
    gadgets.sort(region, window)
    assert region.cells == cells


def test_a_dot_product_starts_on_a_full_row_and_fills_its_rows() -> None:
    region = Region(4, 2, cells=5)
    region.dot(3, 6)
    assert region.cells == 8 + 3 * 8
    region.dot(0, 6)
    assert region.cells == 32


def test_repeating_costs_what_each_repetition_costs_in_its_place() -> None:
    def body(region: Region) -> None:
        region.assign(1)
        region.dot(1, 2)

    one, many = Region(3, 2), Region(3, 2)
    for _ in range(7):
        body(one)
    many.repeat(7, lambda: body(many))
    assert many.cells == one.cells
    for width, legs in product(range(1, 8), range(1, 5)):
        assert many.rows.count(width, legs) == one.rows.count(width, legs)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_walk_counts_cells_at_any_width_and_digits(name: str) -> None:
    """And constants are shared or not, whatever the scales."""
    model = ir.from_proto(NETWORKS[name])
    for multiplier in (1, 3):
        spec = CircuitSpec(scale_rebase_multiplier=multiplier, integer_constants=multiplier > 1)
        once = walk(model, spec)
        for columns, legs in ((1, 1), (2, 5), (3, 4), (5, 2), (7, 3)):
            other = replace(spec, num_inner_cols=columns, decomp_legs=legs)
            assert once.cells_of(columns, legs) == walk(model, other).total
    loaded = Loaded(model)
    specs = [CircuitSpec(), CircuitSpec(scale_rebase_multiplier=4, checks_boundary=False)]
    assert [loaded.walk(spec).total for spec in specs] == [walk(model, s).total for s in specs]


def test_cells_are_told_apart_by_purpose() -> None:
    cells = cells_of(NETWORKS["inverted-residual"], CircuitSpec())
    elements, channels = 6 * 7 * 7, 6
    assert cells["Conv_0"] == Cells(multiply=elements * channels, rebase=elements * 46)
    placed = 2 * channels  # slope and shift, which BatchNormalization_4 reads again
    assert cells["BatchNormalization_1"] == Cells(
        multiply=2 * elements + placed, rebase=46 * elements
    )
    assert cells["BatchNormalization_4"] == Cells(multiply=2 * elements, rebase=46 * elements)
    assert cells["Clip_2"] == Cells(activation=elements * 47 + 2)  # the bound, rest of its row
    assert cells["Clip_5"] == Cells(activation=elements * 47)
    assert cells["Conv_3"].multiply == elements * (10 + 2) + elements
    assert cells["Add_7"] == Cells(multiply=elements)
    pool = cells_of(NETWORKS["max-pool"], CircuitSpec())["MaxPool_0"]
    assert pool == Cells(pooling=64 * 80)
    assert cells["Conv_0"].total == elements * (channels + 46)


def test_what_a_conv_absorbs_costs_nothing() -> None:
    absorbed = cells_of(NETWORKS["conv-norm-mul-add"], CircuitSpec())
    assert [name for name, cells in absorbed.items() if cells.total] == ["Conv_0"]
    einsum = cells_of(NETWORKS["conv-1x1-norm"], CircuitSpec())
    assert einsum["BatchNormalization_1"].total == 6 * 64 * 48


def test_a_conv_with_two_readers_absorbs_nothing() -> None:
    model = network(
        IMAGE,
        f"c = Conv<{CONV}>(x, w)  n = BatchNormalization(c, s, t, m, v)  y = Add(n, c)",
        w=(6, 4, 3, 3),
        **NORM,
    )
    assert cells_of(model, CircuitSpec())["BatchNormalization_1"].total == 6 * 64 * 48


def test_a_deferred_rebase_is_paid_where_the_scale_grows_too_large() -> None:
    model = network(
        "float[1,8] x", "a = MatMul(x, w)  r = Relu(a)  y = MatMul(r, u)", w=(8, 8), u=(8, 2)
    )
    at_once = cells_of(model, CircuitSpec())
    later = cells_of(model, CircuitSpec(scale_rebase_multiplier=2))
    never = cells_of(model, CircuitSpec(scale_rebase_multiplier=3))
    assert [cells.rebase for cells in at_once.values()] == [8 * 46, 0, 2 * 46]
    assert [cells.rebase for cells in later.values()] == [0, 0, 2 * 46]
    assert [cells.rebase for cells in never.values()] == [0, 0, 0]


def test_an_einsum_reads_a_concat_in_parts() -> None:
    spec = CircuitSpec()
    whole = network(IMAGE, f"y = Conv<{POINT}>(x, w)", w=(3, 4, 1, 1))
    parts = cells_of(NETWORKS["concat-1x1"], spec)["Conv_3"]
    assert parts.rebase == 2 * cells_of(whole, spec)["Conv_0"].rebase


@pytest.mark.parametrize(
    ("spec", "inputs", "outputs"),
    [
        (CircuitSpec(), 10, 21),
        (CircuitSpec(decomp_legs=3), 14, 29),
        (CircuitSpec(checks_boundary=False), 1, 1),
        (CircuitSpec(output_visibility="polycommit"), 10, 0),
    ],
)
def test_boundary_elements_cost_by_side(spec: CircuitSpec, inputs: int, outputs: int) -> None:
    assert boundary(100, "input", spec) == 100 * inputs
    assert boundary(100, "output", spec) == 100 * outputs


@pytest.mark.parametrize("name", ["residual", "max-pool", "attention"])
def test_nodes_and_boundary_make_up_the_circuit(name: str) -> None:
    spec, model = CircuitSpec(), ir.from_proto(NETWORKS[name])
    (given,), (made,) = model.graph.inputs, model.graph.outputs
    sizes = [int(np.prod(value.shape.numpy())) for value in (given, made) if value.shape]
    ends = boundary(sizes[0], "input", spec) + boundary(sizes[1], "output", spec)
    nodes = sum(cells.total for cells in predict(model, spec).values())
    assert 0 <= assignments(model, spec) - nodes - ends <= 1


def test_operators_that_are_not_known_are_estimated() -> None:
    model = network("float[1,8] x", "s = CumSum(x, a)  y = Relu(s)", a=np.array(1))
    cells = cells_of(model, CircuitSpec())
    assert cells["CumSum_0"] == Cells(other=8 * 16, rebase=8 * 46, known=False)
    assert cells["Relu_1"] == Cells(activation=8 * 16)


def test_a_dimension_that_is_not_known_is_taken_as_one() -> None:
    model = network("float[N,8] x", "y = Relu(x)")
    cells = cells_of(model, CircuitSpec())["Relu_0"]
    assert cells == Cells(activation=8 * 16, rebase=8 * 46, known=False)


CUT = {"o": np.array([0]), "e": np.array([2]), "d": np.array([1])}


def test_a_cut_costs_where_tract_moves_it() -> None:
    spec = CircuitSpec()
    behind = cells_of(network(IMAGE, "r = Relu(x)  y = Slice(r, o, e, d)", **CUT), spec)
    before = cells_of(network(IMAGE, "c = Slice(x, o, e, d)  y = Relu(c)", **CUT), spec)
    assert behind["Relu_0"] == before["Relu_1"] == Cells(activation=2 * 64 * 16)
    stays = cells_of(network(IMAGE, "s = Sigmoid(x)  y = Slice(s, o, e, d)", **CUT), spec)
    assert stays["Sigmoid_0"] == Cells(activation=4 * 64)
    shared = "r = Relu(x)  c = Slice(r, o, e, d)  n = ReduceMax<axes=[1]>(r)  y = Add(c, n)"
    assert cells_of(network(IMAGE, shared, **CUT), spec)["Relu_0"].activation == 4 * 64 * 16


def test_a_part_counts_to_the_operator_it_is_of() -> None:
    body = "r = Relu(x)  a, b = Split<axis=1>(r, z)  y = Mul(a, b)"
    cells = cells_of(network(IMAGE, body, z=np.array([2, 2])), CircuitSpec())
    assert cells["Relu_0"] == Cells(activation=4 * 64 * 16)
    assert cells["Split_1"].total >= 2 * 4 * 64, "both parts place all of x"


@pytest.mark.parametrize(
    "body",
    [
        "n = InstanceNormalization(x, s, t)  y = Slice(n, o, e, d)",
        "i = Reciprocal(x)  q = Div(x, i)  y = Slice(q, o, e, d)",
    ],
)
def test_a_cut_behind_what_tract_lays_out_as_several_is_estimated(body: str) -> None:
    cells = cells_of(network(IMAGE, body, s=(4,), t=(4,), **CUT), CircuitSpec())
    assert not next(own for name, own in cells.items() if name.startswith("Slice")).known


def test_the_scales_of_what_a_cut_puts_out_are_known_by_its_name() -> None:
    body = "m = Mul(x, k)  y = Slice(m, o, e, d)"
    model = ir.from_proto(network(IMAGE, body, k=(4, 1, 1), **CUT))
    assert walk(model, CircuitSpec(scale_rebase_multiplier=2)).scales["y"] == 14


def test_a_malformed_node_is_estimated() -> None:
    graph = ir.from_proto(network("float[3,8] x", "y = Gemm(x, w)", w=(8, 4))).graph
    graph.node(0).attributes["transA"] = ir.AttrString("transA", "wide")
    cells = predict(ir.Model(graph, ir_version=8), CircuitSpec())
    assert cells["Gemm_0"] == Cells(multiply=12 * 16, rebase=12 * 46, known=False)


def test_of_a_malformed_cut_nothing_is_known() -> None:
    graph = ir.from_proto(network(IMAGE, "r = Relu(x)  y = Slice(r, o, e, d)", **CUT)).graph
    graph.node(1).attributes["ends"] = ir.AttrString("ends", "wide")
    cells = predict(ir.Model(graph, ir_version=8), CircuitSpec())
    assert not any(own.known for own in cells.values())


def test_nodes_that_nothing_reads_cost_nothing() -> None:
    model = network("float[1,8] x", "u = Sigmoid(x)  y = Relu(x)")
    cells = cells_of(model, CircuitSpec())
    assert cells == {"Sigmoid_0": Cells(), "Relu_1": Cells(activation=8 * 16)}


def test_the_model_is_left_as_it_was() -> None:
    model = ir.from_proto(NETWORKS["residual"])
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    predict(model, replace(CircuitSpec(), decomp_legs=3))
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_what_range_checks_meet_besides_tensors_is_known() -> None:
    once = walk(ir.from_proto(NETWORKS["conv"]), CircuitSpec(input_scale=7, param_scale=9))
    assert once.held == 2.0**7, "7 + 9 bits go back to 9"
    deferred = CircuitSpec(input_scale=7, param_scale=9, scale_rebase_multiplier=2)
    assert walk(ir.from_proto(NETWORKS["conv"]), deferred).held == 0
    inverted = walk(ir.from_proto(NETWORKS["softmax"]), CircuitSpec(input_scale=7, param_scale=9))
    assert inverted.held == 2.0**17, "a reciprocal meets products of two scales"


def test_a_cast_between_floats_places_its_input_and_no_other_is_known() -> None:
    body = "h = Cast<to = 10>(x)  y = Cast<to = 1>(h)"
    given = network(IMAGE, body)
    size = 4 * 8 * 8
    assert assignments(ir.from_proto(given), CircuitSpec(checks_boundary=False)) == 4 * size
    whole = network(IMAGE, "h = Cast<to = 7>(x)  y = Cast<to = 1>(h)")
    assert not cells_of(whole, CircuitSpec())["Cast_0"].known
