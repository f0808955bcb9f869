"""Heads leave the circuit: which, as what function, and what stays."""

import numpy as np
import onnx_ir as ir
import pytest
from net import Net, ops

from zkprep.claims.heads import describe, with_heads
from zkprep.errors import PassError
from zkprep.models.model import Runner, seeded_inputs
from zkprep.passes import behead as beheading
from zkprep.passes.behead import Beheaded, behead


def net_with(*steps: tuple[str, dict[str, int]], names: tuple[str, ...] = ()) -> ir.Model:
    """x -> Gemm -> steps, the outputs `names` or the last tensor."""
    net = Net()
    last = net.node("Gemm", net.input("x", 2, 5), net.normal("w", 5, 4), out="logits")
    for position, (op, attributes) in enumerate(steps):
        last = net.node(op, last, out=f"t{position}", **attributes)
    dtype = ir.DataType.INT64 if steps and steps[-1][0] == "ArgMax" else None
    model = net.output(*(names or (last,))).model(check=False)
    for value in model.graph.outputs:
        producer = value.producer()
        if producer is not None and producer.op_type == "ArgMax":
            value.dtype = dtype or ir.DataType.INT64
    return model


def check_same(model: ir.Model, beheaded: Beheaded) -> None:
    for seed in range(3):
        feeds = seeded_inputs(model, seed)
        outputs = with_heads(beheaded.heads, Runner(beheaded.model)(feeds))
        for name, expected in Runner(model)(feeds).items():
            assert outputs[name].shape == expected.shape
            assert np.allclose(outputs[name], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Softmax", {}),
        ("Softmax", {"axis": 0}),
        ("LogSoftmax", {"axis": 1}),
        ("Sigmoid", {}),
        ("ArgMax", {}),
        ("ArgMax", {"axis": 1, "keepdims": 0}),
        ("ArgMax", {"axis": -1, "select_last_index": 1}),
    ],
)
def test_a_head_is_left_to_the_verifier(op: str, attributes: dict[str, int]) -> None:
    model = net_with((op, attributes))
    beheaded = behead(model)
    assert ops(beheaded.model) == ["Gemm"]
    assert [value.name for value in beheaded.model.graph.outputs] == ["logits"]
    assert beheaded.heads[0].function == op
    assert describe(beheaded.heads[0]).startswith("'t0' ")
    assert ops(model) == ["Gemm", op]
    check_same(model, beheaded)


def test_an_argmax_ranks_what_its_softmax_reads() -> None:
    model = net_with(("Softmax", {"axis": 1}), ("ArgMax", {"axis": 1}), names=("t0", "t1"))
    beheaded = behead(model)
    assert ops(beheaded.model) == ["Gemm"]
    assert [(h.tensor, h.source) for h in beheaded.heads] == [("t0", "logits"), ("t1", "logits")]
    check_same(model, beheaded)


def test_an_argmax_along_another_axis_ranks_the_softmax() -> None:
    model = net_with(("Softmax", {"axis": 1}), ("ArgMax", {"axis": 0}))
    beheaded = behead(model)
    assert ops(beheaded.model) == ["Gemm", "Softmax"]
    check_same(model, beheaded)


def test_reshaping_after_a_head_is_part_of_it() -> None:
    model = net_with(("Softmax", {}), ("Flatten", {"axis": 0}))
    beheaded = behead(model)
    assert ops(beheaded.model) == ["Gemm"]
    assert beheaded.heads[0].shape == (1, 8)
    check_same(model, beheaded)


def test_a_source_that_is_an_output_too_stays_one_output() -> None:
    beheaded = behead(net_with(("Softmax", {}), names=("logits", "t0")))
    assert [value.name for value in beheaded.model.graph.outputs] == ["logits"]
    assert len(beheaded.heads) == 1


def test_a_softmax_inside_stays() -> None:
    model = net_with(("Softmax", {}), ("Relu", {}))
    assert behead(model) == Beheaded(model, ())


def test_a_head_of_an_input_stays() -> None:
    net = Net()
    net.node("Softmax", net.input("x", 2, 5), out="y")
    model = net.output("y").model()
    assert behead(model).heads == ()


def test_a_head_of_no_fixed_shape_stays() -> None:
    net = Net()
    relu = net.node("Relu", net.input("x", "n", 5), out="r")
    net.node("Softmax", relu, out="y")
    assert behead(net.output("y").model()).heads == ()


def test_a_wrong_head_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(beheading._FUNCTIONS, "Softmax", 0)
    with pytest.raises(PassError, match="leaving out the heads changed the model: output 't0'"):
        behead(net_with(("Softmax", {})))
