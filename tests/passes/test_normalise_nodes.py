"""Copies and unread nodes go, nodes get names, and the same model gives the same bytes."""

import os
import subprocess
import sys

import numpy as np
import pytest
from net import Net, ops
from normal import normal
from onnx import TensorProto

from zkprep.models.model import run, seeded_inputs, serialize
from zkprep.passes.normalise.identity import RemoveIdentities


def test_identities_go_and_output_names_stay() -> None:
    net = Net()
    net.input("x", 2, 3)
    net.node("Identity", net.node("Relu", net.node("Identity", "x", out="i"), out="r"), out="y")
    result = normal(net.output("y"))
    assert ops(result.model) == ["Relu"]
    assert result.model.graph[0].name == "n_r"
    assert result.model.graph[0].outputs[0].name == "y"


@pytest.mark.parametrize("source", ["input", "output", "initializer"])
def test_an_identity_between_two_names_of_the_interface_stays(source: str) -> None:
    net = Net()
    net.input("x", 2, 3)
    net.node("Relu", "x", out="r")
    net.normal("w", 2, 3)
    name = {"input": "x", "output": "r", "initializer": "w"}[source]
    net.node("Identity", name, out="y")
    result = normal(net.output("r", "y"))
    assert ops(result.model) == ["Relu", "Slice" if source == "output" else "Identity"]
    assert [v.name for v in result.model.graph.outputs] == ["r", "y"]


DROPOUTS = {
    "opset 6, is_test": (6, {"is_test": 1}, None, True),
    "opset 6": (6, {}, None, False),
    "opset 7": (7, {}, None, True),
    "opset 12": (12, {}, None, True),
    "opset 13, not training": (13, {}, False, True),
    "opset 13, training": (13, {}, True, False),
}


@pytest.mark.parametrize("form", DROPOUTS)
def test_dropout(form: str) -> None:
    opset, attrs, training, removed = DROPOUTS[form]
    net = Net(opset)
    net.input("x", 2, 3)
    extra = []
    if training is not None:
        extra = [net.constant("ratio", 0.0), net.constant("mode", np.array(training))]
    net.node("Dropout", net.node("Relu", "x", out="r"), *extra, out="d", **attrs)
    net.node("Relu", "d", out="y")
    result = RemoveIdentities()(net.output("y").model())
    assert ops(result.model) == (["Relu", "Relu"] if removed else ["Relu", "Dropout", "Relu"])
    assert bool(result.applied) == removed


def test_a_dropout_whose_mask_is_read_stays() -> None:
    net = Net()
    net.input("x", 2, 3)
    net.node("Dropout", "x", out=("y", "mask"))
    result = normal(net.output("y", "mask"))
    assert ops(result.model) == ["Dropout"]
    assert "its mask 'mask' is read" in [site.reason for site in result.sites]


def test_unread_nodes_and_initializers_go_in_every_graph() -> None:
    net = Net()
    net.input("x", 2, 3)
    net.input("which", dtype=TensorProto.BOOL)
    net.node("Exp", net.node("Neg", "x", out="u"), out="v")
    net.normal("unread", 3)
    branches = {}
    for name in ("then_branch", "else_branch"):
        branch = Net()
        branch.normal(f"{name}_unread", 2)
        branch.node("Sigmoid", "x", out=f"{name}_u")
        branch.node("Relu", "x", out=name)
        branches[name] = branch.output(name).graph(name)
    net.node("If", "which", out="y", **branches)
    result = normal(net.output("y"))
    assert ops(result.model) == ["If"]
    assert [[n.op_type for n in g] for g in result.model.graph.subgraphs()] == [["Relu"], ["Relu"]]
    assert not [name for g in result.model.graphs() for name in g.initializers]


def test_an_unread_if_releases_what_its_branches_read() -> None:
    net = Net()
    net.input("x", 2, 3)
    net.input("which", dtype=TensorProto.BOOL)
    net.node("Exp", "x", out="e")
    branches = {}
    for name in ("then_branch", "else_branch"):
        branch = Net()
        branch.node("Relu", "e", out=name)
        branches[name] = branch.output(name).graph(name)
    net.node("If", "which", out="i", **branches)
    net.node("Relu", "x", out="y")
    assert ops(normal(net.output("y")).model) == ["Relu"]


def test_nodes_get_names_and_keep_those_they_have() -> None:
    net = Net()
    net.input("x", 2)
    net.node("Relu", "x", out="a", name="")
    net.node("Neg", "a", out="b", name="same")
    net.node("Exp", "b", out="c", name="same")
    net.node("Abs", "c", out="y", name="Relu_a")
    result = normal(net.output("y"))
    assert [n.name for n in result.model.graph] == ["Relu_a_1", "same", "same_1", "Relu_a"]


def test_equal_bytes_over_hash_seeds(tmp_path) -> None:
    net = Net()
    net.input("x", "N", 3, 6, 6)
    net.node("Constant", out="k", value_floats=[1.0])
    net.node("Mul", net.conv("x", 3, 4, 3, 3, auto_pad="SAME_UPPER"), "k", out="m", name="")
    net.node("Shape", "m", out="s", name="")
    net.node("Reshape", net.node("Identity", "m", out="i", name=""), "s", out="y", name="")
    path = tmp_path / "m.onnx"
    path.write_bytes(serialize(net.output("y").model()))
    program = (
        "import sys, onnx_ir as ir; from zkprep.files import digest; "
        "from zkprep.models.model import serialize; "
        "from zkprep.passes.normalise import normalise; "
        "print(digest(serialize(normalise(ir.load(sys.argv[1])).model)))"
    )
    digests = set()
    for seed in ("0", "4711"):
        command = [sys.executable, "-c", program, str(path)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_the_result_computes_the_same_on_other_inputs() -> None:
    net = Net()
    net.input("x", "N", 3, 6, 6)
    net.conv("x", 3, 4, 3, 3, auto_pad="SAME_LOWER", strides=[2, 2])
    net.node("Identity", net.batch_norm("c", 4, out="b"), out="y")
    model = net.output("y").model()
    result = normal(model, dims={"N": 2}).model
    feeds = seeded_inputs(result, 99)
    assert np.allclose(run(model, feeds)["y"], run(result, feeds)["y"], rtol=1e-6, atol=1e-6)
