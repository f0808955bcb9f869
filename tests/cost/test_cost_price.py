"""The price of a model: what cells alone do not say, and the settings that suit it best."""

import numpy as np
import onnx_ir as ir
import pytest
from cost_networks import network
from msgspec.structs import replace

from zkprep.cost.price import _between, price
from zkprep.cost.supposed import LARGEST_TABLE
from zkprep.cost.walk import walk

IMAGE = "float[1,4,16,16] x"
POOL = "kernel_shape=[2,2], strides=[2,2]"


def priced(body: str, interface: str = IMAGE, **constants: object) -> ir.Model:
    return ir.from_proto(network(interface, body, **constants))


def test_a_sort_raises_the_degree_of_the_whole_circuit() -> None:
    pooled, averaged = (
        price(priced(f"r = Relu(x)  y = {pool}<{POOL}>(r)")) for pool in ("MaxPool", "AveragePool")
    )
    assert (pooled.degree, averaged.degree) == (6, 5)


def test_sorted_copies_are_counted_as_ezkl_counts_them() -> None:
    model = priced(f"y = MaxPool<{POOL}>(x)")
    assert walk(model, price(model).spec).shuffled == 4 * 16 * 16


def test_a_table_keeps_the_rows_up_and_the_scale_down() -> None:
    plain = price(priced("y = Relu(x)"))
    table = price(priced("y = Sigmoid(x)"))
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
    made = price(priced(body, "float[4,16] x", w=(16, 16)))
    assert 24 << (8 * made.spec.scale_rebase_multiplier) <= LARGEST_TABLE


def test_cells_at_any_number_of_digits_follow_from_two() -> None:
    model = priced(f"r = Relu(x)  p = MaxPool<{POOL}>(r)  y = Sqrt(p)")
    for legs in range(1, 7):
        spec = replace(price(model).spec, decomp_legs=legs, scale_rebase_multiplier=1)
        ends = (walk(model, replace(spec, decomp_legs=n)) for n in (2, 4))
        assert _between(*ends, legs) == pytest.approx(walk(model, spec).total, abs=4)
