"""Duplicates and dead channels: what goes, what stays, and that the function stays."""

import numpy as np
import pytest
from rewriting import IMAGE, model, operators, rewritten, weights

from zkprep.passes.affine import FuseAffine
from zkprep.passes.base import run_passes
from zkprep.passes.circuit.channels import RemoveDeadChannels
from zkprep.passes.circuit.duplicates import RemoveDuplicates


def test_a_subgraph_that_occurs_twice_is_computed_once() -> None:
    body = (
        "a = Relu(x) b = Relu(x) c = Add(a, k) d = Add(b, l) e = Tanh(c) f = Tanh(d) y = Add(e, f)"
    )
    offset = weights(4, 1, 1)
    result = rewritten(model(IMAGE, body, k=offset, l=offset), RemoveDuplicates())
    assert operators(result.model) == ["Relu", "Add", "Tanh", "Add"]
    assert [site.nodes for site in result.applied] == [
        ("n_a", "n_b"),
        ("n_c", "n_d"),
        ("n_e", "n_f"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "a = LeakyRelu<alpha=0.5>(x) b = LeakyRelu<alpha=0.25>(x) y = Add(a, b)",
        "a = Add(x, k) b = Add(x, l) y = Mul(a, b)",
        "a = Sub(x, k) b = Sub(k, x) y = Mul(a, b)",
    ],
)
def test_what_differs_stays(body: str) -> None:
    before = model(IMAGE, body, k=weights(4, 1, 1), l=weights(4, 1, 1))
    assert not run_passes(before, [RemoveDuplicates()]).sites


def test_an_output_of_the_model_keeps_its_node() -> None:
    interface = "(float[1,4,8,8] x) => (float[1,4,8,8] y, float[1,4,8,8] z)"
    assert not run_passes(model(interface, "y = Relu(x) z = Relu(x)"), [RemoveDuplicates()]).sites


FIRST = weights(6, 4, 3, 3)
FIRST[[1, 4]] = 0
BIAS = np.array([0.3, -1.0, 0.2, -0.4, 0.7, 0.1])
THIRD = weights(5, 6, 3, 3)
THIRD[:, 2] = 0
SAME = "kernel_shape=[3,3], pads=[1,1,1,1]"
CONSTANTS = {
    "w": FIRST,
    "b": BIAS,
    "v": THIRD,
    "d": weights(6, 1, 3, 3),
    "e": weights(6),
    "g": weights(7, 6 * 16),
    "h": weights(6 * 64, 7),
    "c": weights(7),
    "lo": np.float64(-0.5),
    "hi": np.float64(0.5),
}

LINKS = {
    # the constant 0.7 goes into the bias: nothing is padded
    "Conv, Relu, Conv": (
        f"a = Conv<{SAME}>(x, w, b) r = Relu(a) y = Conv<kernel_shape=[3,3]>(r, v)",
        3,
    ),
    # padded: only the channel that Relu makes 0, and the one that is not read
    "padded": (f"a = Conv<{SAME}>(x, w, b) r = Relu(a) y = Conv<{SAME}>(r, v)", 4),
    "pool and Flatten": (
        f"a = Conv<{SAME}>(x, w, b) p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a) "
        "r = Clip(p, lo, hi) f = Flatten(r) y = Gemm<transB=1>(f, g, c)",
        4,
    ),
    "a Gemm that is not transposed": (
        f"a = Conv<{SAME}>(x, w, b) f = Flatten(a) y = Gemm(f, h)",
        4,
    ),
    "depthwise between": (
        f"a = Conv<{SAME}>(x, w, b) r = LeakyRelu(a) "
        "s = Conv<kernel_shape=[3,3], group=6>(r, d, e) y = Conv<kernel_shape=[3,3]>(s, v)",
        3,
    ),
    "depthwise between, padded": (
        f"a = Conv<{SAME}>(x, w, b) r = Relu(a) s = Conv<{SAME}, group=6>(r, d, e) "
        "y = Conv<kernel_shape=[3,3]>(s, v)",
        4,
    ),
}


@pytest.mark.parametrize("name", LINKS)
def test_dead_channels_leave_every_kind_of_link(name: str) -> None:
    body, left = LINKS[name]
    result = rewritten(model(IMAGE, body, **CONSTANTS), RemoveDeadChannels())
    (site,) = result.applied
    assert site.nodes[0] == "n_a"
    assert site.nodes[-1] == "n_y"
    assert "cells -" in site.saving
    kernel = result.model.graph.node(0).inputs[1]
    assert kernel is not None and kernel.shape is not None
    assert kernel.shape[0] == left


def test_a_channel_with_gamma_zero_is_gone_after_fusion() -> None:
    gamma = np.array([1.0, 0.0, 2.0, 0.5])
    body = (
        f"a = Conv<{SAME}>(x, w) n = BatchNormalization(a, s, t, m, u) r = Relu(n) "
        "y = Conv<kernel_shape=[3,3]>(r, v)"
    )
    constants = {
        "w": weights(4, 4, 3, 3),
        "s": gamma,
        "t": weights(4),
        "m": weights(4),
        "u": np.ones(4),
        "v": weights(3, 4, 3, 3),
    }
    result = run_passes(model(IMAGE, body, **constants), [FuseAffine(), RemoveDeadChannels()])
    kernel = result.model.graph.node(0).inputs[1]
    assert kernel is not None and kernel.shape is not None
    assert kernel.shape[0] == 3


@pytest.mark.parametrize(
    "body",
    [
        # the sum reads every channel too
        f"a = Conv<{SAME}>(x, w, b) r = Relu(a) s = Conv<{SAME}>(r, v) "
        "t = ReduceSum(r) y = Add(s, t)",
        # Sigmoid is not followed
        f"a = Conv<{SAME}>(x, w, b) r = Sigmoid(a) y = Conv<{SAME}>(r, v)",
        # nothing is dead
        f"a = Conv<{SAME}>(x, q, b) r = Relu(a) y = Conv<{SAME}>(r, p)",
    ],
)
def test_channels_that_are_needed_stay(body: str) -> None:
    full = {"q": weights(6, 4, 3, 3), "p": weights(5, 6, 3, 3)}
    assert not run_passes(model(IMAGE, body, **CONSTANTS, **full), [RemoveDeadChannels()]).sites


def test_one_channel_stays_where_all_are_dead() -> None:
    body = f"a = Conv<{SAME}>(x, w, b) r = Relu(a) y = Conv<kernel_shape=[3,3]>(r, v)"
    dead = CONSTANTS | {"w": np.zeros((6, 4, 3, 3))}
    result = rewritten(model(IMAGE, body, **dead), RemoveDeadChannels())
    kernel = result.model.graph.node(0).inputs[1]
    assert kernel is not None and kernel.shape is not None
    assert kernel.shape[0] == 1
