"""Equal constants at scales of their own: wrong in EZKL as they are, right once they differ."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from construct import parsed, whole
from rewriting import DEFERRED, IMAGE, in_ezkl, weights

from zkprep.models.model import run, seeded_inputs
from zkprep.passes.base import run_passes
from zkprep.passes.repair.biases import SeparateBiases

SAME = "kernel_shape=[3,3], pads=[1,1,1,1]"
GROW = "kernel_shape=[2,2], strides=[2,2]"
TWO = f"a = Conv<{SAME}>(x, w, b) r = Relu(a) y = Conv<{SAME}>(r, v, c)"
BIAS = weights(4) * 2
WHOLE = np.array([1.0, 2, -1, 3])
W, V = weights(4, 4, 3, 3), weights(4, 4, 3, 3)


def two(b: np.ndarray, c: np.ndarray) -> ir.Model:
    return parsed(IMAGE, TWO, w=W, v=V, b=b, c=c)


WRONG = {
    "two Convs": two(BIAS, BIAS),
    "of whole numbers": two(WHOLE, WHOLE),
    "one constant": parsed(IMAGE, TWO.replace("v, c", "v, b"), w=W, v=V, b=BIAS),
    "that differ in the sign of a zero": two(
        np.array([0.0, 1.5, 0.3, 2]), np.array([-0.0, 1.5, 0.3, 2])
    ),
    "a Conv and its transpose": parsed(
        IMAGE,
        f"a = ConvTranspose<{GROW}>(x, t, b) r = Relu(a) y = Conv<{SAME}>(r, v, c)",
        t=weights(4, 4, 2, 2),
        v=V,
        b=BIAS,
        c=BIAS,
    ),
    "a row and a Conv": parsed(
        "(float[4] x, float[1,4,8,8] z) => (float y)",
        f"a = Add(x, b) q = Mul(a, a) k = Reshape(q, s) m = Mul(z, k) y = Conv<{SAME}>(m, v, c)",
        s=whole(1, 4, 1, 1),
        v=V,
        b=BIAS,
        c=BIAS,
    ),
}


@pytest.mark.ezkl
@pytest.mark.parametrize("name", WRONG)
def test_wrong_without_right_with(name: str, tmp_path: Path) -> None:
    made = WRONG[name]
    after = run_passes(made, [SeparateBiases()])
    before = in_ezkl(made, made, tmp_path / "before", DEFERRED)
    assert before.error > before.span
    right = in_ezkl(after.model, made, tmp_path / "after", DEFERRED)
    assert right.error < 0.005 * right.span
    assert right.settings.total_assignments <= before.settings.total_assignments


@pytest.mark.parametrize("name", WRONG)
def test_the_function_stays_to_the_last_place(name: str) -> None:
    made = WRONG[name]
    result = run_passes(made, [SeparateBiases()])
    assert len(result.applied) == 1
    assert len(result.model.graph.initializers) <= len(made.graph.initializers) + 1
    assert not SeparateBiases()(result.model).sites
    feeds = seeded_inputs(made, 1)
    (before,), (after,) = run(made, feeds).values(), run(result.model, feeds).values()
    np.testing.assert_allclose(after, before, rtol=0, atol=4e-7 * np.abs(before).max())


def test_a_zero_becomes_what_every_scale_quantises_to_0() -> None:
    values = np.array([0.5, 0, -3, 1])
    result = run_passes(two(values, values), [SeparateBiases()])
    biases = [node.inputs[2].const_value.numpy() for node in result.model.graph if node.inputs[2:]]
    assert np.array_equal(biases[0], values.astype(np.float32))
    assert np.flatnonzero(biases[1] != biases[0]).tolist() == [1]
    assert 0 < biases[1][1] < 1e-37


def test_many_equal_biases_all_differ() -> None:
    layers = " ".join(f"t{i + 1} = Conv<{SAME}>(t{i}, w, b)" for i in range(5))
    made = parsed(IMAGE.replace("x)", "t0)").replace("y)", "t5)"), layers, w=W, b=BIAS)
    result = run_passes(made, [SeparateBiases()])
    biases = {node.inputs[2].const_value.numpy().tobytes() for node in result.model.graph}
    assert len(biases) == 5
    assert len(result.applied) == 4


def test_the_least_element_moves_away_from_zero() -> None:
    values = np.array([-0.25, 8, 2, 1])
    result = run_passes(two(values, values), [SeparateBiases()])
    moved = list(result.model.graph)[-1].inputs[2].const_value.numpy()
    assert moved[0] == np.nextafter(np.float32(-0.25), np.float32(-1))
    assert moved[1:].tolist() == [8, 2, 1]


@pytest.mark.parametrize(
    "made",
    [
        two(BIAS, BIAS + 1e-3),
        two(BIAS, BIAS[::-1].copy()),
        two(np.zeros(4), np.zeros(4)),
        parsed(IMAGE, f"y = Conv<{SAME}>(x, w, b)", w=W, b=BIAS),
        parsed(IMAGE, f"a = Mul(x, c) y = Conv<{SAME}>(a, w)", w=W, c=BIAS.reshape(4, 1, 1)),
    ],
    ids=["different", "in another order", "zeros", "one Conv", "no bias"],
)
def test_left_alone_where_nothing_is_shared(made: ir.Model) -> None:
    assert run_passes(made, [SeparateBiases()]).sites == ()
