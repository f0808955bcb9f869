"""The measure of sameness, its limits, and which evaluator runs what."""

import numpy as np
import onnx_ir as ir
import pytest
from net import Net

from zkprep.models.model import run, seeded_inputs
from zkprep.passes.oracle import Oracle, coarsest_limit, worst_error


def model(dtype: str = "float32") -> ir.Model:
    net = Net(dtype=dtype)
    net.input("x", 2, 3, 5, 5)
    net.node("Relu", net.conv("x", 3, 4, 3, 3), out="y")
    return net.output("y").model()


@pytest.mark.parametrize(
    ("dtype", "limit"),
    [("float64", 1e-9), ("float32", 1e-5), ("float16", 2e-2), ("bfloat16", 1e-1)],
)
def test_limits_follow_the_coarsest_type(dtype: str, limit: float) -> None:
    assert coarsest_limit(model(dtype)) == limit


def there_and_back(constant: float, factor: float = 1.0) -> ir.Model:
    """factor * x by way of x + constant, which rounds x to the constant's last place."""
    net = Net()
    net.input("x", 64)
    net.node("Add", "x", net.constant("c", constant), out="far")
    net.node("Sub", "far", net.constant("d", constant), out="back")
    net.node("Mul", "back", net.constant("f", factor), out="y")
    return net.output("y").model()


def test_rounding_is_not_blamed_where_the_algebra_is_right() -> None:
    """Another constant is another order of evaluation: 1e-4 apart at most, and equal in double."""
    oracle = Oracle(there_and_back(2000.0))
    feeds = seeded_inputs(there_and_back(0.0), 0)
    near, far = run(there_and_back(0.0), feeds)["y"], run(there_and_back(2000.0), feeds)["y"]
    assert 1e-5 < worst_error(far, near) < 1e-4
    assert oracle.difference(there_and_back(0.0)) == ""
    assert oracle.difference(there_and_back(1000.0)) == ""


def test_an_error_of_the_algebra_is_found_below_the_rounding() -> None:
    found = Oracle(there_and_back(2000.0)).difference(there_and_back(2000.0, 1 + 3e-5))
    assert "more than the limit 1e-05" in found


def test_rounding_beyond_what_an_order_explains_is_a_difference() -> None:
    assert "more than the limit" in Oracle(there_and_back(2e5)).difference(there_and_back(0.0))


def what_is_left(bound: float, *, by_relu: bool) -> ir.Model:
    """x - max(x, bound): nothing, for inputs above the bound."""
    net = Net()
    net.input("x", 64)
    if by_relu:
        net.node("Sub", "x", net.constant("b", bound), out="above")
        net.node("Relu", "above", out="kept")
        net.node("Add", "kept", net.constant("c", bound), out="most")
    else:
        net.node("Max", "x", net.constant("b", bound), out="most")
    net.node("Sub", "x", "most", out="y")
    return net.output("y").model()


def test_rounding_is_not_blamed_where_an_output_cancels_out() -> None:
    exact, rounded = what_is_left(-9.5, by_relu=False), what_is_left(-9.5, by_relu=True)
    feeds = seeded_inputs(exact, 0)
    assert worst_error(run(exact, feeds)["y"], run(rounded, feeds)["y"]) > 1e-4
    assert Oracle(exact).difference(rounded) == ""


def test_an_error_of_the_algebra_is_found_where_an_output_cancels_out() -> None:
    net = what_is_left(-9.5, by_relu=True)
    shifted = Net()
    shifted.input("x", 64)
    shifted.node("Sub", "x", "x", out="rest")
    shifted.node("Add", "rest", shifted.constant("f", 1e-6), out="y")
    found = Oracle(net).difference(shifted.output("y").model())
    assert "more than the limit 1e-05" in found


def test_a_norm_that_kills_onnx_runtime_is_run_elsewhere() -> None:
    made = Net(14)
    made.input("x", 2, 3, 5, 5)
    made.batch_norm("x", 3, training_mode=1)
    made.nodes[-1].output.extend(["", "v"])
    given = made.output("y").model()
    assert Oracle(given).difference(given) == ""


def test_worst_error() -> None:
    reference = np.array([1.0, -4.0, np.nan, np.inf])
    assert worst_error(reference, reference) == 0
    assert worst_error(reference, np.array([1.0, -4.2, np.nan, np.inf])) == pytest.approx(0.05)
    assert worst_error(reference, np.array([1.0, -4.0, np.nan, -np.inf])) == np.inf
    assert worst_error(reference, np.array([1.0, np.nan, np.nan, np.inf])) == np.inf
    assert worst_error(np.zeros(2), np.array([0.0, 1e-8])) == pytest.approx(1e-2)
    assert worst_error(np.array([1, 2]), np.array([1, 3])) == np.inf


@pytest.mark.parametrize("opset", [7, 9, 13, 14, 17])
def test_the_evaluator_of_onnx_runs_norms_in_inference_mode(opset: int) -> None:
    """Its own BatchNormalization mixes in batch statistics before opset 14."""
    outputs = {}
    for dtype in ("float32", "float64"):
        net = Net(opset, dtype)
        net.input("x", 2, 3, 4, 4)
        net.batch_norm(net.conv("x", 3, 4, 2, 2), 4)
        made = net.output("y").model()
        feeds = seeded_inputs(made, 0)
        if dtype == "float32":
            outputs[dtype] = run(made, feeds)["y"]
        else:
            evaluate, _ = Oracle(made)._runs
            outputs[dtype] = evaluate(made)(feeds)["y"]
    assert outputs["float64"].dtype == np.float64
    assert worst_error(outputs["float64"], outputs["float32"]) < 1e-5
