"""Rewrites are made where the circuit gets cheaper, kind by kind, and rounds of them end."""

import numpy as np
from rewriting import IMAGE, model, operators, reasons, weights

from zkprep.passes.base import run_passes
from zkprep.passes.circuit import ROUNDS, circuit_passes, rewrite
from zkprep.passes.circuit.choice import of_one_size, where_cheaper
from zkprep.passes.repair.draft import Draft

POOL = "kernel_shape=[2,2], strides=[2,2]"
SAME = "kernel_shape=[3,3], pads=[1,1,1,1]"
WEIGHTS = {"w": weights(8, 4, 3, 3), "b": weights(8), "v": weights(8, 8, 3, 3), "c": weights(8)}
NETWORK = (
    f"a = Conv<{SAME}>(x, w, b) r = Relu(a) p = MaxPool<{POOL}>(r) "
    f"d = Conv<{SAME}>(p, v, c) s = Relu(d) q = MaxPool<{POOL}>(s) y = GlobalAveragePool(q)"
)


def test_alike_nodes_are_decided_together_and_the_reason_has_figures() -> None:
    def dearer(node: object, draft: Draft) -> object:
        node = draft.node
        if node.op_type != "Relu":
            return None
        return draft.op("Relu", draft.op("Sqrt", draft.op("Abs", node.inputs[0])))

    before = model(IMAGE, "a = Relu(x) b = Neg(a) y = Relu(b)")
    result = where_cheaper(before, "a test", dearer)  # type: ignore[arg-type]
    assert [site.nodes for site in result.sites] == [("n_a",), ("n_y",)]
    assert len(set(reasons(result))) == 1
    assert "CPU s to prove" in reasons(result)[0]
    assert operators(result.model) == ["Relu", "Neg", "Relu"]


def test_what_saves_is_applied_and_says_how_much() -> None:
    def cheaper(node: object, draft: Draft) -> object:
        return draft.op("Neg", draft.node.inputs[0]) if draft.node.op_type == "Tanh" else None

    before = model(IMAGE, "y = Tanh(x)")
    (site,) = where_cheaper(before, "a test", cheaper, of_one_size).sites  # type: ignore[arg-type]
    assert site.applied
    assert site.rule == "a test"
    assert site.saving.startswith("prove CPU -")


def test_rounds_end_where_nothing_is_left_to_do() -> None:
    before = model(IMAGE, NETWORK, **WEIGHTS)
    result = rewrite(before)
    assert not run_passes(result.model, circuit_passes()).applied
    assert len(result.applied) >= 4
    assert "MaxPool" not in operators(result.model)
    assert ROUNDS >= 2


def test_an_activation_goes_below_pools_in_a_row() -> None:
    before = model(IMAGE, f"r = Relu(x) p = MaxPool<{POOL}>(r) y = MaxPool<{POOL}>(p)")
    result = rewrite(before)
    assert operators(result.model)[-1] == "Relu"
    assert sum(op == "Relu" for op in operators(result.model)) == 5


def test_equal_models_are_rewritten_equally() -> None:
    one, other = (rewrite(model(IMAGE, NETWORK, **WEIGHTS)) for _ in range(2))
    assert one.sites == other.sites
    names = [[node.name for node in result.model.graph] for result in (one, other)]
    assert names[0] == names[1]
    weights_of = [dict(result.model.graph.initializers) for result in (one, other)]
    for name, value in weights_of[0].items():
        assert value.const_value is not None
        twin = weights_of[1][name].const_value
        assert twin is not None
        np.testing.assert_array_equal(value.const_value.numpy(), twin.numpy())
