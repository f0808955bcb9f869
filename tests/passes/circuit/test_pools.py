"""Pools as maxima and sums of two, activations below pools: shapes, shared operations, guards."""

import re

import numpy as np
import onnx_ir as ir
import pytest
from construct import parsed
from rewriting import IMAGE, model, operators, reasons, rewritten, weights

from zkprep.passes.base import run_passes
from zkprep.passes.circuit.intervals import levels, operations
from zkprep.passes.circuit.maxima import MaximaOfTwo
from zkprep.passes.circuit.means import MeansAsSums
from zkprep.passes.circuit.monotone import ActivateAfterMaxPool

HALVED = "kernel_shape=[2,2], strides=[2,2]"


@pytest.mark.parametrize(
    ("starts", "length", "maxima", "sums"),
    [
        ([0, 2, 4], 2, 3, 3),
        ([0, 2, 4], 3, 6, 6),
        (range(6), 3, 7 + 6 - 1, 6 + 6),  # pairs are shared
        (range(8), 4, 10 + 8, 10 + 8),
        (range(8), 7, 13 + 11 + 8, 13 + 8 + 8 + 8),  # overlapping halves, or 4 + 2 + 1
        ([0], 49, 48, 48),
    ],
)
def test_windows_share_shorter_ones(
    starts: range | list[int], length: int, maxima: int, sums: int
) -> None:
    assert operations(levels(starts, length, overlapping=True)) <= min(maxima, sums)
    assert operations(levels(starts, length, overlapping=False)) <= sums


@pytest.mark.parametrize("overlapping", [True, False])
@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("stride", [1, 2, 3, 12])
def test_levels_make_every_window(length: int, stride: int, overlapping: bool) -> None:
    data = np.random.default_rng(length).permutation(60)
    starts = [stride * output for output in range(4)]
    combine = max if overlapping else sum
    made = {(place, 1): int(value) for place, value in enumerate(data)}
    for level in levels(starts, length, overlapping=overlapping):
        for start in level.starts:
            halves = made[start, level.left], made[start + level.length - level.right, level.right]
            made[start, level.length] = combine(halves)
    for start in starts:
        assert made[start, length] == combine(data[start : start + length].tolist())


SHAPES = {
    "2x2": (IMAGE, f"y = MaxPool<{HALVED}>(x)"),
    "3x3 s2 p1": (IMAGE, "y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)"),
    "3x3 s1 p1": (IMAGE, "y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)"),
    "a remainder": ("(float[2,3,7,9] x) => (float y)", f"y = MaxPool<{HALVED}>(x)"),
    "uneven": (IMAGE, "y = MaxPool<kernel_shape=[5,3], strides=[1,3], pads=[2,0,2,1]>(x)"),
    "gaps": (IMAGE, "y = MaxPool<kernel_shape=[2,1], strides=[3,2]>(x)"),
    "1-D": ("(float[1,3,9] x) => (float y)", "y = MaxPool<kernel_shape=[4], strides=[2]>(x)"),
    "3-D": (
        "(float[1,2,4,4,4] x) => (float y)",
        "y = MaxPool<kernel_shape=[2,2,2], strides=[2,2,2]>(x)",
    ),
    "global": ("(float[2,3,5,4] x) => (float y)", "y = GlobalMaxPool(x)"),
    "channels": (IMAGE, "y = ReduceMax<axes=[1], keepdims=1>(x)"),
    "least": (IMAGE, "y = ReduceMin<axes=[-1, 1], keepdims=0>(x)"),
    "of all": ("(float[3,5] x) => (float y)", "y = ReduceMax<keepdims=0>(x)"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_no_window_is_sorted(name: str) -> None:
    interface, body = SHAPES[name]
    result = rewritten(model(interface, body), MaximaOfTwo())
    assert len(result.applied) == 1
    assert {"MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin"}.isdisjoint(
        operators(result.model)
    )
    assert re.search(r"degree [6-9] to 5", result.applied[0].saving)


def test_a_pool_of_one_element_is_left() -> None:
    assert not rewritten(model(IMAGE, "y = MaxPool<kernel_shape=[1,1]>(x)"), MaximaOfTwo()).sites


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("y = MaxPool<kernel_shape=[2,2], dilations=[2,2]>(x)", "its windows have holes"),
        ("y = MaxPool<kernel_shape=[2,2], pads=[2,0,0,0]>(x)", "one of its windows reads padding"),
    ],
)
def test_pools_that_are_left_say_why(body: str, reason: str) -> None:
    (found,) = reasons(run_passes(parsed(IMAGE, body), [MaximaOfTwo()]))
    assert found.startswith(reason)


MONOTONE = {
    "Relu": "r = Relu(x)",
    "Clip": "r = Clip(x, lo, hi)",
    "Sigmoid": "r = Sigmoid(x)",
    "LeakyRelu": "r = LeakyRelu<alpha=0.25>(x)",
    "PRelu": "r = PRelu(x, slope)",
}
CONSTANTS = {
    "lo": np.array(0.0),
    "hi": np.array(1.0),
    "slope": np.array([[[0.5]], [[0.25]], [[1.0]], [[2.0]]]),
}


@pytest.mark.parametrize("name", MONOTONE)
def test_what_never_falls_goes_below_the_pool(name: str) -> None:
    before = model(IMAGE, f"{MONOTONE[name]} y = MaxPool<{HALVED}>(r)", **CONSTANTS)
    result = rewritten(before, ActivateAfterMaxPool())
    assert operators(result.model)[:2] == ["MaxPool", name]
    assert result.applied[0].nodes == ("n_r", "n_y")


@pytest.mark.parametrize(
    "body",
    [
        "r = LeakyRelu<alpha=-0.5>(x)",
        "r = HardSwish(x)",
        "r = Abs(x)",
        "r = PRelu(x, falling)",
        "r = PRelu(x, elements)",
    ],
)
def test_what_may_fall_stays(body: str) -> None:
    constants = {"falling": -np.ones((4, 1, 1)), "elements": np.ones((4, 8, 8))}
    before = model(IMAGE, f"{body} y = MaxPool<{HALVED}>(r)", **constants)
    assert not run_passes(before, [ActivateAfterMaxPool()]).sites


@pytest.mark.parametrize(
    ("interface", "body", "reason"),
    [
        (IMAGE, f"r = Relu(x) p = MaxPool<{HALVED}>(r) q = AveragePool<{HALVED}>(r) y = Add(p, q)",
         "'r' is read by others too"),
        ("(float[1,4,8,8] x) => (float y, float[1,4,8,8] r)",
         f"r = Relu(x) y = MaxPool<{HALVED}>(r)", "'r' is an output of the model"),
        (IMAGE, "r = Relu(x) y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(r)",
         "kept: rewritten, the circuit would take"),
    ],
)  # fmt: skip
def test_activations_that_stay_say_why(interface: str, body: str, reason: str) -> None:
    (found,) = reasons(run_passes(model(interface, body), [ActivateAfterMaxPool()]))
    assert found.startswith(reason)


GEMM = "f = Flatten(p) y = Gemm(f, w, b)"
LAST = {"w": weights(4, 3), "b": weights(3)}


@pytest.mark.parametrize(
    ("size", "operator"), [(7, "ReduceSum"), (8, "GlobalAveragePool")], ids=["49", "64"]
)
def test_a_power_of_two_is_left_to_ezkl(size: int, operator: str) -> None:
    interface = f"(float[1,4,{size},{size}] x) => (float y)"
    result = rewritten(model(interface, f"p = GlobalAveragePool(x) {GEMM}", **LAST), MeansAsSums())
    assert operators(result.model)[0] == operator


def constant(made: ir.Model, op_type: str) -> np.ndarray:
    """The second operand of the one operator of that type."""
    (node,) = (node for node in made.graph if node.op_type == op_type)
    assert node.inputs[1] is not None and node.inputs[1].const_value is not None
    return node.inputs[1].const_value.numpy()


def test_the_factor_is_split_and_folded_forward() -> None:
    interface = "(float[1,4,7,7] x) => (float y)"
    before = model(interface, f"p = GlobalAveragePool(x) {GEMM}", **LAST)
    after = rewritten(before, MeansAsSums()).model
    assert operators(after) == ["ReduceSum", "Mul", "Flatten", "Gemm"]
    assert constant(after, "Mul").item() == 2.0**-5
    np.testing.assert_allclose(constant(after, "Gemm"), LAST["w"] * 32 / 49, rtol=1e-6)


def test_the_factor_is_folded_backward_where_nothing_reads_it() -> None:
    interface = "(float[1,4,7,7] x) => (float y)"
    body = "c = Conv<kernel_shape=[1,1]>(x, k) r = Relu(c) y = GlobalAveragePool(r)"
    kernel = weights(4, 4, 1, 1)
    after = rewritten(model(interface, body, k=kernel), MeansAsSums()).model
    assert operators(after) == ["Conv", "Relu", "ReduceSum", "Mul"]
    np.testing.assert_allclose(constant(after, "Conv"), kernel * 32 / 49, rtol=1e-6)


@pytest.mark.parametrize(
    "pool",
    [
        f"y = AveragePool<{HALVED}>(x)",
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2]>(x)",
        "y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)",
        "y = AveragePool<kernel_shape=[3,2], pads=[1,0,1,1], count_include_pad=1>(x)",
        "y = AveragePool<kernel_shape=[8,8]>(x)",
    ],
)
def test_no_window_is_divided(pool: str) -> None:
    result = rewritten(model(IMAGE, pool), MeansAsSums())
    assert result.applied
    assert "AveragePool" not in operators(result.model)


def test_the_mean_of_squares_stays_whole() -> None:
    body = "c = Mul(x, x) y = ReduceMean<axes=[2,3]>(c)"
    interface = "(float[1,4,7,7] x) => (float y)"
    assert not run_passes(model(interface, body), [MeansAsSums()]).sites


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)", "its divisor differs"),
        ("y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)", "its windows have"),
    ],
)
def test_pools_that_normalisation_has_not_seen_are_left(body: str, reason: str) -> None:
    (found,) = reasons(run_passes(parsed(IMAGE, body), [MeansAsSums()]))
    assert found.startswith(reason)
