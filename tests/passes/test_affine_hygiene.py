"""What a fusion must leave alone: shared and exported constants, names, metadata."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from net import Net, check_fused, fuse, ops

from zkprep.files import digest
from zkprep.models.model import serialize
from zkprep.passes.affine import FuseAffine
from zkprep.passes.affine.constants import Constants
from zkprep.passes.affine.normal_form import Refusal
from zkprep.passes.normalise import normalise


def conv_norm(net: Net) -> Net:
    net.input("x", 1, 3, 6, 5)
    net.batch_norm(net.conv("x", 3, 4, 3, 3), 4)
    return net


def test_two_convs_share_weight_and_bias() -> None:
    net = conv_norm(Net())
    net.node("Conv", "x", "c_w", "c_b", out="z")
    result = check_fused(net.output("y", "z").model(), ["Conv", "Conv"])
    assert {"c_w", "c_b", "c_w_fused", "c_b_fused"} <= set(result.model.graph.initializers)


def test_two_norms_share_their_parameters() -> None:
    net = conv_norm(Net())
    net.conv("x", 3, 4, 3, 3, out="d")
    net.node("BatchNormalization", "d", *net.nodes[1].input[1:], out="z")
    check_fused(net.output("y", "z").model(), ["Conv", "Conv"])


def test_a_parameter_read_elsewhere_survives() -> None:
    net = conv_norm(Net())
    net.node("Neg", "y_gamma", out="z")
    result = fuse(net.output("y", "z").model())
    assert "y_gamma" in result.model.graph.initializers
    assert "y_beta" not in result.model.graph.initializers


@pytest.mark.parametrize("exported", ["c_w", "c_b", "y_mean"])
def test_a_constant_that_is_an_output_keeps_its_values(exported: str) -> None:
    net = conv_norm(Net()).output("y", exported)
    result = check_fused(net.model(), ["Conv"])
    assert exported in result.model.graph.initializers


def test_taken_names_are_not_reused() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 5)
    net.input("c_w_fused", 1, 3, 6, 5)
    net.batch_norm(net.conv("x", 3, 4, 3, 3), 4)
    net.node("Relu", "c_w_fused", out="c_b_fused")
    net.node("Relu", "c_b_fused", out="c_w_fused_1")
    result = fuse(net.output("y", "c_w_fused_1").model())
    (conv,) = [node for node in result.model.graph if node.op_type == "Conv"]
    assert [v.name for v in conv.inputs] == ["x", "c_w_fused_2", "c_b_fused_1"]


def test_empty_string_bias_is_no_bias() -> None:
    net = conv_norm(Net())
    net.nodes[0].input[2] = ""
    net.weights = [w for w in net.weights if w.name != "c_b"]
    check_fused(net.output("y").model(), ["Conv"])


def test_metadata_and_attributes_of_the_conv_stay() -> None:
    net = conv_norm(Net())
    net.nodes[0].doc_string = "the stem"
    result = fuse(net.output("y").model())
    (conv,) = result.model.graph
    assert conv.doc_string == "the stem"
    assert conv.attributes.keys() == {"group"}


def test_what_a_norm_had_absorbed_is_remembered() -> None:
    net = Net()
    net.input("x", 1, 3, 6, 5)
    net.batch_norm(net.conv("x", 3, 4, 3, 3), 4, out="b")
    first = fuse(net.output("b").model()).model
    conv = first.graph[0]
    assert json.loads(conv.metadata_props["zkprep.fused"]) == ["n_b"]


@pytest.mark.parametrize("storage", ["raw", "typed", "constant nodes", "expressions"])
def test_storage_of_parameters(storage: str) -> None:
    net = conv_norm(Net())
    if storage == "typed":
        for weight in net.weights:
            values = np.frombuffer(weight.raw_data, np.float32)
            weight.ClearField("raw_data")
            weight.float_data.extend(values.tolist())
    if storage in ("constant nodes", "expressions"):
        nodes, net.nodes = net.nodes, []
        for weight in net.weights:
            net.node("Constant", out=f"{weight.name}_c", value=weight)
            copy = "Abs" if storage == "expressions" and weight.name == "y_var" else "Identity"
            net.node(copy, f"{weight.name}_c", out=weight.name)
        net.weights = []
        net.nodes += nodes
    check_fused(normalise(net.output("y").model()).model, ["Conv"])


def test_constant_nodes_without_normalisation() -> None:
    net = conv_norm(Net())
    weights, net.weights = net.weights, []
    nodes, net.nodes = net.nodes, []
    for weight in weights:
        net.node("Constant", out=weight.name, value=weight)
    net.nodes += nodes
    assert ops(FuseAffine()(net.output("y").model()).model)[-1] == "Conv"


@pytest.mark.parametrize("names", [["", ""], ["same", "same"]])
def test_nodes_without_names_of_their_own(names: list[str]) -> None:
    net = conv_norm(Net())
    for node, name in zip(net.nodes, names, strict=True):
        node.name = name
    result = FuseAffine()(net.output("y").model())
    assert ops(result.model) == ["Conv"]
    check_fused(normalise(net.model()).model, ["Conv"])


def test_external_data(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    ir.save(
        conv_norm(Net()).output("y").model(), path, external_data="m.data", size_threshold_bytes=0
    )
    check_fused(ir.external_data.load_to_model(ir.load(path)), ["Conv"])


def test_dynamic_batch_and_size() -> None:
    net = Net()
    net.input("x", "N", 3, "H", "W")
    net.batch_norm(net.conv("x", 3, 4, 3, 3, pads=[1, 1, 1, 1]), 4)
    result = check_fused(net.output("y").model(), ["Conv"])
    assert result.model.graph.outputs[0].shape[:2] == (ir.SymbolicDim("N"), 4)


def test_a_mobilenet_block() -> None:
    net = Net()
    net.input("x", 1, 4, 6, 6)
    net.batch_norm(net.conv("x", 4, 8, 1, 1, out="c1"), 8, out="b1")
    net.node("Clip", "b1", net.constant("lo", 0.0), net.constant("hi", 6.0), out="r1")
    net.batch_norm(net.conv("r1", 8, 8, 3, 3, out="c2", group=8, pads=[1] * 4), 8, out="b2")
    net.node("Clip", "b2", "lo", "hi", out="r2")
    net.batch_norm(net.conv("r2", 8, 4, 1, 1, out="c3"), 4, out="b3")
    net.node("Add", "x", "b3", out="y")
    check_fused(net.output("y").model(), ["Conv", "Clip", "Conv", "Clip", "Conv", "Add"])


def test_equal_bytes_over_hash_seeds(tmp_path: Path) -> None:
    net = Net()
    net.input("x", 1, 3, 8, 8)
    net.batch_norm(net.conv("x", 3, 4, 3, 3, out="a"), 4, out="b")
    net.node("Relu", "b", out="r")
    net.conv(net.batch_norm("r", 4, out="d"), 4, 4, 3, 3, out="e", pads=[1] * 4)
    net.node(
        "Concat",
        net.conv("r", 4, 2, 1, 1, out="f"),
        net.conv("r", 4, 2, 1, 1, out="g"),
        out="h",
        axis=1,
    )
    net.batch_norm("h", 4, out="i")
    model = net.output("e", "i").model()
    path = tmp_path / "m.onnx"
    path.write_bytes(serialize(model))
    program = (
        "import sys, onnx_ir as ir; from zkprep.files import digest; "
        "from zkprep.models.model import serialize; "
        "from zkprep.passes.affine import FuseAffine; "
        "print(digest(serialize(FuseAffine()(ir.load(sys.argv[1])).model)))"
    )
    digests = {digest(serialize(FuseAffine()(model).model))}
    for seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", program, path],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(run.stdout.strip())
    assert len(digests) == 1


@pytest.mark.parametrize("dtype", [ir.DataType.INT8, ir.DataType.FLOAT8E4M3FN, ir.DataType.INT4])
def test_types_that_are_not_folded(dtype: ir.DataType) -> None:
    model = Net().model(check=False)
    tensor = ir.tensor(np.ones(3, dtype.numpy()), dtype=dtype, name="w")
    value = ir.Value(name="w", const_value=tensor)
    model.graph.register_initializer(value)
    refusal = Constants(model).read(value, "weight")
    assert refusal == Refusal(f"'w' is stored as {dtype.name.lower()}, which is not folded")
