"""The price of a model: what cells alone do not say, and the settings that suit it best."""

import numpy as np
import onnx_ir as ir
import pytest
from cost_networks import network
from msgspec import UNSET
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, layout
from zkprep.cost.price import HEADROOM, price
from zkprep.cost.supposed import LARGEST_TABLE, LEGS, LOGROWS, supposed_settings
from zkprep.cost.walk import walk
from zkprep.cost.work import predict
from zkprep.tune.descent import entered

IMAGE = "float[1,4,16,16] x"
POOL = "kernel_shape=[2,2], strides=[2,2]"


def priced(body: str, interface: str = IMAGE, **constants: object) -> ir.Model:
    return ir.from_proto(network(interface, body, **constants))


def test_a_sort_raises_the_degree_of_the_whole_circuit() -> None:
    pooled, averaged = (
        price(priced(f"r = Relu(x)  y = {pool}<{POOL}>(r)")) for pool in ("MaxPool", "AveragePool")
    )
    assert pooled.degree > averaged.degree == 5


def test_sorted_copies_are_counted_as_ezkl_counts_them() -> None:
    model = priced(f"y = MaxPool<{POOL}>(x)")
    assert walk(model, price(model).spec).shuffled == 4 * 16 * 16


def test_a_table_keeps_the_rows_up_and_the_scale_down() -> None:
    plain = price(priced("y = Relu(x)", "float[1,4,8,8] x"))
    table = price(priced("y = Sigmoid(x)", "float[1,4,8,8] x"))
    assert table.cells < plain.cells
    assert table.seconds > plain.seconds
    assert table.spec.logrows > plain.spec.logrows


def test_tables_are_counted_per_function_and_scale() -> None:
    model = priced("a = Sigmoid(x)  b = Tanh(a)  y = Sigmoid(b)")
    assert walk(model, price(model).spec).tables == {("Sigmoid", 8), ("Tanh", 8)}


def test_rebases_are_deferred_as_far_as_integers_fit() -> None:
    weights = {f"w{i}": np.full((16, 16), 0.1 + i, np.float32) for i in range(12)}
    body = "".join(f"t{i + 1} = MatMul(t{i}, w{i})  " for i in range(11))
    deep = price(priced(f"{body}y = MatMul(t11, w11)", "float[4,16] t0", **weights))
    assert 4 <= deep.spec.scale_rebase_multiplier < 12
    shallow = price(priced("a = MatMul(x, w)  y = MatMul(a, w)", "float[4,16] x", w=(16, 16)))
    assert shallow.spec.scale_rebase_multiplier == 3


def test_no_table_is_larger_than_ezkl_can_hold() -> None:
    body = "a = MatMul(x, w)  b = MatMul(a, w)  c = MatMul(b, w)  y = Sigmoid(c)"
    model = priced(body, "float[4,16] x", w=(16, 16))
    spec = price(model).spec
    ((_, scale),) = walk(entered(model, spec), spec).tables
    assert 24 << scale <= LARGEST_TABLE


def test_a_table_divides_what_it_reads_and_keeps_no_other_rebase_from_being_deferred() -> None:
    body = "a = MatMul(x, w)  b = MatMul(a, w)  s = Sigmoid(b)  y = MatMul(s, w)"
    model = priced(body, "float[64,16] x", w=(16, 16))
    made = price(model)
    assert made.spec.scale_rebase_multiplier > 1
    assert made.spec.landings == ((2, 8),), "behind x and a"
    assert walk(entered(model, made.spec), made.spec).tables == {("Sigmoid", 8)}
    undivided = replace(made.spec, landings=UNSET, scale_rebase_multiplier=1)
    assert made.cells < walk(model, undivided).cells_of(undivided.num_inner_cols, 2)


def test_what_has_the_scale_of_a_table_is_not_divided() -> None:
    made = price(priced("s = Sigmoid(x)  y = MatMul(s, w)", "float[4,16] x", w=(16, 16)))
    assert made.spec.landings is UNSET


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7])
def test_cells_at_any_digits_and_columns_follow_from_one_walk(width: int) -> None:
    model = priced(f"r = Relu(x)  p = MaxPool<{POOL}>(r)  y = Sqrt(p)")
    spec = replace(price(model).spec, scale_rebase_multiplier=1)
    laid = walk(model, replace(spec, num_inner_cols=2, decomp_legs=2))
    for legs in range(1, 7):
        there = walk(model, replace(spec, num_inner_cols=width, decomp_legs=legs))
        # What each of the 256 windows may leave of a row.
        assert laid.cells_of(width, legs) == pytest.approx(there.total, abs=256 * width * 2)
    assert laid.cells_of(2, 2) == laid.total


def test_the_number_of_inner_columns_is_the_one_of_least_work() -> None:
    model = priced("c = MatMul(x, w)  y = Relu(c)", "float[64,30] x", w=(30, 30))
    made = price(model)
    assert made.spec.num_inner_cols != 2
    assert made.seconds < _at_width(model, made.spec, 2)


def test_no_rows_take_less_with_one_column() -> None:
    """Here the best with two columns have half as many rows, and other digits."""
    body = "c = MatMul(x, w)  r = Relu(c)  y = MatMul(r, v)"
    model = priced(body, "float[250,30] x", w=(30, 30), v=(30, 30))
    made = price(model)
    laid = walk(model, made.spec)
    largest = 2 ** (max(laid.scales.values()) + HEADROOM)
    for logrows in LOGROWS:
        digits = (n for n in LEGS if (2**logrows - TABLE_RESERVED_ROWS) ** n > largest)
        spec = replace(made.spec, num_inner_cols=1, logrows=logrows, decomp_legs=next(digits))
        cells = laid.cells_of(1, spec.decomp_legs)
        other = layout(supposed_settings(cells, spec, logrows, shuffled=0, tables=()))
        assert made.seconds <= predict(other).prove_cpu_seconds + 1e-9, logrows


def _at_width(model: ir.Model, spec: CircuitSpec, width: int) -> float:
    """Least seconds over all numbers of rows."""
    moved = replace(spec, num_inner_cols=width)
    cells = walk(model, moved).total
    made = (
        layout(supposed_settings(cells, moved, logrows, shuffled=0, tables=()))
        for logrows in LOGROWS
        if logrows >= spec.logrows - 1
    )
    return min(predict(one).prove_cpu_seconds for one in made)
