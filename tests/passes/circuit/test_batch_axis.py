"""A Conv between pointwise Convs: wrong in EZKL as it is, right behind a Gather, for no cell."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper
from rewriting import SPEC, Circuit, in_ezkl

from zkprep.errors import BackendError
from zkprep.passes.base import run_passes
from zkprep.passes.circuit.batch_axis import KeepBatchAxis

CHANNELS, SIDE = 3, 5


def network(layers: Sequence[str], channels: int = CHANNELS) -> ir.Model:
    """A chain of "1" pointwise, "2" pointwise of stride 2, "3" spatial, "d" depthwise, "r" ReLU."""
    random = np.random.default_rng(0)
    nodes, weights, tensor = [], [], "x"
    for position, kind in enumerate(layers):
        name = f"{kind}{position}"
        if kind == "r":
            nodes.append(helper.make_node("Relu", [tensor], [name], name=name))
        else:
            kernel = 3 if kind in "3d" else 1
            group = channels if kind == "d" else 1
            shape = (channels, channels // group, kernel, kernel)
            weight = random.normal(size=shape).astype(np.float32) / kernel
            weights.append(numpy_helper.from_array(weight, f"{name}.w"))
            nodes.append(
                helper.make_node(
                    "Conv",
                    [tensor, f"{name}.w"],
                    [name],
                    name=name,
                    kernel_shape=[kernel, kernel],
                    strides=[2, 2] if kind == "2" else [1, 1],
                    pads=[kernel // 2] * 4,
                    dilations=[1, 1],
                    group=group,
                )
            )
        tensor = name
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [1, channels, SIDE, SIDE])],
        [helper.make_tensor_value_info(tensor, 1, None)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ir.from_proto(onnx.shape_inference.infer_shapes(model))


def circuit(made: ir.Model, folder: Path) -> Circuit:
    return in_ezkl(made, made, folder, SPEC)


WRONG = ["1r3r1", "1rdr1", "13r1", "1r33r1", "1r3r13", "1r3r11", "1r3r2", "2r3r1"]


@pytest.mark.ezkl
@pytest.mark.parametrize("layers", WRONG)
def test_wrong_without_right_with(layers: str, tmp_path: Path) -> None:
    model = network(layers)
    before = circuit(model, tmp_path / "before")
    assert "data_format=CHW" in before.table
    assert before.error > 0.1 * before.span
    after = circuit(run_passes(model, [KeepBatchAxis()]).model, tmp_path / "after")
    assert "data_format=CHW" not in after.table
    assert after.error < 0.01 * after.span
    assert after.settings.total_assignments == before.settings.total_assignments


@pytest.mark.ezkl
def test_a_panic_without_right_with(tmp_path: Path) -> None:
    model = network("1r3r1", channels=SIDE + 1)
    with pytest.raises(BackendError):
        circuit(model, tmp_path / "before")
    after = circuit(run_passes(model, [KeepBatchAxis()]).model, tmp_path / "after")
    assert after.error < 0.01 * after.span


@pytest.mark.parametrize("layers", ["1r3", "3r1", "3r3", "1r1", "dr1", "r3r"])
def test_left_alone_where_nothing_is_wrong(layers: str) -> None:
    assert run_passes(network(layers), [KeepBatchAxis()]).sites == ()


def test_one_gather_per_conv_and_a_second_run_changes_nothing() -> None:
    once = run_passes(network("1r3rdr1"), [KeepBatchAxis()])
    assert [site.nodes for site in once.sites] == [("32",), ("d4",)]
    assert sum(node.op_type == "Gather" for node in once.model.graph) == 2
    assert run_passes(once.model, [KeepBatchAxis()]).sites == ()


def test_convs_of_one_input_share_a_gather() -> None:
    model = ir.from_onnx_text(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[1, 2, 4, 4] x, float[2, 2, 1, 1] p, float[2, 2, 3, 3] w) => (float[1, 2, 4, 4] y)
        <float[1, 2, 4, 4] a> {
            a = Conv <kernel_shape = [1, 1]> (x, p)
            b = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a, w)
            c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a, w)
            s = Add (b, c)
            y = Conv <kernel_shape = [1, 1]> (s, p)
        }
        """
    )
    for node in model.graph:
        node.name = node.outputs[0].name
    result = run_passes(model, [KeepBatchAxis()])
    assert sum(node.op_type == "Gather" for node in result.model.graph) == 1
    assert [node.inputs[0].name for node in result.model.graph if node.name in "bc"] == [
        "b_input",
        "b_input",
    ]


def test_unknown_channels_are_left_with_the_reason() -> None:
    model = network("1r3r1")
    for node in model.graph:
        if node.name == "r1":
            node.outputs[0].shape = ir.Shape([1, None, SIDE, SIDE])
    (site,) = KeepBatchAxis()(model).sites
    assert site.reason == "kept without a Gather: the number of its channels is not known"


def behind_a_product(shape: str, sizes: str) -> ir.Model:
    """What ConvNeXt ends with: a product along the channels, a strided Conv, a mean, a Reshape."""
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]>'
        f" g (float[1, 4, 4, 8] x) => (float[{shape}] y) <int64[2] a = {{2, 3}}, {sizes}>"
        " { l = MatMul (x, k) t = Transpose <perm = [0, 3, 1, 2]> (l)"
        "   c = Conv <kernel_shape = [2, 2], strides = [2, 2]> (t, w) m = ReduceMean (c, a)"
        "   y = Reshape (m, s) }"
    )
    random = np.random.default_rng(0)
    for name, size in (("k", (8, 8)), ("w", (8, 8, 2, 2))):
        values = random.normal(size=size).astype(np.float32) / 4
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    for node in model.graph.node:
        node.name = f"{node.op_type}_{node.output[0]}"
    return ir.from_proto(onnx.shape_inference.infer_shapes(model))


@pytest.mark.ezkl
def test_a_batch_axis_left_out_behind_a_product_is_kept_in_between(tmp_path: Path) -> None:
    model = behind_a_product("8", "int64[1] s = {8}")
    with pytest.raises(BackendError, match="dims"):
        circuit(model, tmp_path / "before")
    result = run_passes(model, [KeepBatchAxis()])
    assert [node.op_type for node in result.model.graph].count("Gather") == 1
    after = circuit(result.model, tmp_path / "after")
    assert after.error < 0.02 * after.span


def test_a_reshape_that_keeps_the_batch_axis_asks_for_nothing() -> None:
    result = KeepBatchAxis()(behind_a_product("1, 8", "int64[2] s = {1, 8}"))
    assert not result.applied
