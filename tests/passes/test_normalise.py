"""Normalisation keeps the function and leaves what EZKL reads: passes, traps, refusals."""

import os
import subprocess
import sys

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from net import Net, ops
from onnx import TensorProto, helper

from zkprep.errors import InputError
from zkprep.model import run, seeded_inputs, serialize
from zkprep.passes.base import PassResult, run_passes
from zkprep.passes.normalise import normalise
from zkprep.passes.normalise.folding import FoldConstants
from zkprep.passes.normalise.identity import RemoveIdentities
from zkprep.passes.normalise.inline import InlineFunctions
from zkprep.passes.normalise.windows import ExplicitWindows


def normal(net: Net | ir.Model, **options: object) -> PassResult:
    """Normalise under the contract; a second time nothing changes; everything is static."""
    model = net.model() if isinstance(net, Net) else net
    before = serialize(model)
    result = normalise(model, **options)
    assert serialize(model) == before
    again = normalise(result.model)
    assert serialize(again.model) == serialize(result.model)
    assert not again.applied
    names = [node.name for graph in result.model.graphs() for node in graph]
    assert all(names)
    assert len(set(names)) == len(names)
    for node in result.model.graph:
        for value in node.outputs:
            assert value.dtype is not None
            assert value.shape.is_static(), value
    return result


def rules(result: PassResult) -> list[str]:
    return [site.rule for site in result.applied]


# Dimensions


def symbolic(*shape: int | str | None) -> Net:
    net = Net()
    net.input("x", *shape)
    net.node("Relu", "x", out="y")
    return net.output("y")


@pytest.mark.parametrize(
    ("shape", "dims", "expected"),
    [
        (("batch", 3), {}, [1, 3]),
        (("anything", 3), {}, [1, 3]),
        ((None, 3), {}, [1, 3]),
        (("batch", 3), {"batch": 4}, [4, 3]),
        ((5, "N"), {}, [5, 1]),
        ((5, "batch_size"), {}, [5, 1]),
        (("N", "h", "w"), {"h": 7, "w": 8}, [1, 7, 8]),
        (("N", None), {"x:1": 6}, [1, 6]),
        (("N", 3), {"x:0": 2}, [2, 3]),
        (("h", "h"), {"h": 3}, [3, 3]),
    ],
)
def test_dimensions(
    shape: tuple[int | str | None, ...], dims: dict[str, int], expected: list[int]
) -> None:
    result = normal(symbolic(*shape), dims=dims)
    assert list(result.model.graph.inputs[0].shape) == expected
    assert list(result.model.graph.outputs[0].shape) == expected


@pytest.mark.parametrize(
    ("shape", "dims", "message", "hint"),
    [
        (
            ("N", "h"),
            {},
            "input 'x' has a dimension without a size: axis 1, symbol 'h'",
            "give it a value: --dim h=VALUE",
        ),
        (
            ("N", None),
            {},
            "input 'x' has a dimension without a size: axis 1, symbol 'x:1'",
            "give it a value: --dim x:1=VALUE",
        ),
        (
            ("N", 3),
            {"h": 2},
            "--dim h=2: the model has no dimension of that name",
            "its symbolic dimensions are: 'N', 'x:0'",
        ),
        (("N", 3), {"N": 0}, "--dim N=0: a dimension is at least 1", ""),
    ],
)
def test_dimension_refusals(shape: tuple, dims: dict[str, int], message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        normalise(symbolic(*shape).model(), dims)
    assert str(caught.value) == message
    assert caught.value.hint == hint


def test_dimensions_that_do_not_fit_the_operators() -> None:
    net = Net()
    net.input("x", "N", "k")
    net.node("MatMul", "x", net.normal("w", 5, 4), out="y")
    with pytest.raises(InputError, match="the shapes of the model do not fit its operators"):
        normalise(net.output("y").model(), {"k": 6})


def test_wrong_symbols_of_the_output_do_not_matter() -> None:
    model = symbolic("batch", 3).model()
    model.graph.outputs[0].shape = ir.Shape(["unrelated", "other"])
    assert list(normal(model).model.graph.outputs[0].shape) == [1, 3]


def test_a_shape_that_depends_on_the_data() -> None:
    net = Net()
    net.input("x", 4)
    net.node("NonZero", "x", out="z")
    net.node("Cast", "z", out="y", to=TensorProto.FLOAT)
    with pytest.raises(
        InputError, match=r"tensor 'z' has shape .*: 'n_z' \(NonZero\) makes a tensor"
    ):
        normalise(net.output("y").model())


# Weights that are inputs


def weights_as_inputs(ir_version: int) -> Net:
    net = Net(8, ir_version=ir_version)
    net.input("x", 1, 3, 5, 5)
    net.conv("x", 3, 4, 3, 3, out="y")
    for weight in net.weights:
        net.input(weight.name, *weight.dims)
    return net.output("y")


def test_ir_3_weights_are_frozen_and_said_so() -> None:
    result = normal(weights_as_inputs(3))
    assert [v.name for v in result.model.graph.inputs] == ["x"]
    assert result.model.ir_version == 4
    assert "'y_w' is no input any more: its value is fixed" in rules(result)
    assert "weights are constants, IR version raised from 3 to 4" in rules(result)


def test_overridable_weights_are_frozen_on_demand_only() -> None:
    kept = normal(weights_as_inputs(7))
    assert [v.name for v in kept.model.graph.inputs] == ["x", "y_w", "y_b"]
    frozen = normal(weights_as_inputs(7), freeze_weights=True)
    assert [v.name for v in frozen.model.graph.inputs] == ["x"]
    assert frozen.model.ir_version == 7


# Functions, constants, folding


def test_functions_are_inlined_even_when_they_return_an_input() -> None:
    net = Net()
    net.input("x", 2, 3)
    body = [helper.make_node("Add", ["a", "b"], ["o"])]
    opsets = [helper.make_opsetid("", 17)]
    net.functions.append(helper.make_function("local", "F", ["a", "b"], ["o", "a"], body, opsets))
    net.domains["local"] = 1
    net.node("F", "x", "x", out=("p", "q"), domain="local")
    net.node("F", "p", "q", out=("r", "s"), domain="local")
    net.node("Mul", "r", "s", out="y")
    result = normal(net.output("y"))
    assert ops(result.model) == ["Add", "Add", "Mul"]
    assert not result.model.functions
    assert dict(result.model.opset_imports) == {"": 17}
    assert [v.name for v in result.model.graph.inputs] == ["x"]


def called_relu(*imports: onnx.OperatorSetIdProto, domain: str = "") -> Net:
    net = Net()
    net.input("x", 2, 3)
    body = [helper.make_node("Relu", ["a"], ["o"], domain=domain)]
    net.functions.append(helper.make_function("local", "F", ["a"], ["o"], body, imports))
    net.domains["local"] = 1
    net.node("F", "x", out="y", domain="local")
    return net.output("y")


@pytest.mark.parametrize("version", [14, 17])
@pytest.mark.parametrize("name", ["", "ai.onnx"])
def test_a_function_may_import_the_standard_operators_otherwise(version: int, name: str) -> None:
    model = called_relu(helper.make_opsetid("", version)).model()
    model.opset_imports[name] = model.opset_imports.pop("")
    result = normal(model)
    assert ops(result.model) == ["Relu"]
    assert dict(result.model.opset_imports) == {"": 17}


def test_a_function_that_needs_another_version_of_other_operators_is_refused() -> None:
    net = called_relu(helper.make_opsetid("others", 2), domain="others")
    net.domains["others"] = 1
    with pytest.raises(InputError, match="a function cannot be inlined: Opset mismatch"):
        InlineFunctions()(net.model(check=False))


def test_constant_nodes_of_every_form_become_initializers() -> None:
    net = Net()
    net.input("x", 2, 3)
    net.node("Constant", out="a", value_float=2.0)
    net.node("Constant", out="b", value_floats=[1.0, 2.0, 3.0])
    net.node("Constant", out="c", value=helper.make_tensor("", TensorProto.FLOAT, [], [3.0]))
    net.node("Constant", out="i", value_ints=[1, 0])
    net.node(
        "Transpose", net.node("Mul", net.node("Add", "x", "b", out="s"), "a", out="m"), out="t"
    )
    net.node("Gather", "t", "i", out="g")
    net.node("Mul", "g", "c", out="y")
    result = normal(net.output("y"))
    assert ops(result.model) == ["Add", "Mul", "Transpose", "Gather", "Mul"]
    assert list(result.model.graph.initializers) == ["a", "b", "c", "i"]


def test_a_constant_that_is_an_output_stays() -> None:
    net = Net()
    net.input("x", 2)
    net.node("Constant", out="k", value_floats=[1.0, 2.0])
    net.node("Add", "x", "k", out="y")
    result = normal(net.output("y", "k"))
    assert ops(result.model) == ["Constant", "Add"]
    assert "'k' is an output of its graph" in [site.reason for site in result.sites]


def test_shape_arithmetic_folds_to_a_constant() -> None:
    net = Net()
    net.input("x", "N", 3, 4)
    net.node("Shape", net.node("Relu", "x", out="r"), out="s")
    net.node("Gather", "s", net.constant("zero", np.array([0])), out="n")
    net.node("Concat", "n", net.constant("rest", np.array([-1])), out="t", axis=0)
    net.node("Reshape", "r", "t", out="y")
    result = normal(net.output("y"), dims={"N": 2})
    assert ops(result.model) == ["Relu", "Reshape"]
    assert result.model.graph.initializers["t"].const_value.numpy().tolist() == [2, -1]
    assert list(result.model.graph.initializers) == ["t"]


def test_a_folded_target_makes_further_shapes_known() -> None:
    """Through Cast, which shape inference does not follow, one round of folding is not enough."""
    net = Net()
    net.input("x", 2, 6)
    net.node("Cast", net.node("Shape", "x", out="s"), out="f", to=TensorProto.FLOAT)
    net.node("Mul", "f", net.constant("k", np.array([2.0, 0.5])), out="m")
    net.node("Reshape", "x", net.node("Cast", "m", out="t", to=TensorProto.INT64), out="r")
    net.node("Reshape", "x", net.node("Shape", net.node("Relu", "r", out="q"), out="u"), out="y")
    result = normal(net.output("y"))
    assert ops(result.model) == ["Reshape"]
    assert list(result.model.graph.outputs[0].shape) == [4, 3]


@pytest.mark.parametrize("declared", [[None, None], ["N", "k"], ["other", "symbols"]])
def test_folding_leaves_the_symbols_of_outputs_alone(declared: list[str | None]) -> None:
    net = Net()
    net.input("x", "N", "k")
    net.node("Add", "x", net.node("Exp", net.normal("c", 1), out="e"), out="y")
    model = net.output("y").model()
    model.graph.outputs[0].shape = ir.Shape(declared)
    result = run_passes(model, [FoldConstants()])
    assert ops(result.model) == ["Add"]
    assert result.model.graph.outputs[0].shape == ir.Shape(declared)


def test_folding_has_a_size_limit() -> None:
    net = Net()
    net.input("x", 3, 4)
    shape = net.constant("shape", np.array([3, 4]))
    net.node("Add", "x", net.node("Expand", net.constant("one", 1.0), shape, out="e"), out="y")
    model = net.output("y").model()
    sites = FoldConstants(largest=11)(model).sites
    assert [site.reason for site in sites] == ["'e' would hold 12 elements, more than 11"]
    assert FoldConstants(largest=12)(model).applied


def test_what_cannot_be_evaluated_stays_with_a_reason() -> None:
    net = Net()
    net.input("x", 2)
    bad = net.constant("shape", np.array([3]))
    net.node("Reshape", net.normal("k", 2), bad, out="r")
    net.node("Shape", "r", out="y")
    model = net.output("y").model(check=False)
    (site,) = [s for s in FoldConstants()(model).sites if s.nodes == ("n_r",)]
    assert site.reason.startswith("it could not be evaluated: ")


def test_random_nodes_are_not_constants() -> None:
    net = Net()
    net.input("x", 3)
    net.node("RandomUniformLike", net.normal("k", 3), out="r", seed=1.0)
    net.node("Add", "x", "r", out="y")
    assert not FoldConstants()(net.output("y").model()).applied


# Copies


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


# What nothing reads


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


# Windows


WINDOWS = {
    "Conv": ("Conv", (1, 4, 7, 6), {}),
    "Conv SAME_UPPER": ("Conv", (1, 4, 7, 6), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    "Conv SAME_LOWER": ("Conv", (1, 4, 7, 6), {"auto_pad": "SAME_LOWER", "strides": [2, 1]}),
    "Conv VALID": ("Conv", (1, 4, 7, 6), {"auto_pad": "VALID"}),
    "ConvTranspose": ("ConvTranspose", (1, 4, 5, 6), {"strides": [2, 2]}),
    "ConvTranspose SAME_UPPER": (
        "ConvTranspose",
        (1, 4, 5, 6),
        {"strides": [2, 1], "auto_pad": "SAME_UPPER"},
    ),
    "ConvTranspose SAME_LOWER": (
        "ConvTranspose",
        (1, 4, 5, 6),
        {"strides": [2, 1], "auto_pad": "SAME_LOWER"},
    ),
    "ConvTranspose output_shape": (
        "ConvTranspose",
        (1, 4, 5, 6),
        {"strides": [2, 1], "output_shape": [10, 6]},
    ),
    "MaxPool": ("MaxPool", (1, 4, 7, 6), {}),
    "MaxPool SAME_UPPER": ("MaxPool", (1, 4, 7, 6), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "MaxPool SAME_LOWER": ("MaxPool", (1, 4, 7, 6), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "AveragePool": ("AveragePool", (1, 4, 7, 6), {"ceil_mode": 1, "strides": [2, 2]}),
    "AveragePool SAME_UPPER": (
        "AveragePool",
        (1, 4, 7, 6),
        {"auto_pad": "SAME_UPPER", "strides": [2, 2], "ceil_mode": 1},
    ),
    "AveragePool SAME_LOWER": (
        "AveragePool",
        (1, 4, 7, 6),
        {"auto_pad": "SAME_LOWER", "count_include_pad": 1},
    ),
}


@pytest.mark.parametrize("form", WINDOWS)
def test_windows(form: str) -> None:
    op, shape, attrs = WINDOWS[form]
    net = Net(13)
    net.input("x", *shape)
    if op.startswith("Conv"):
        net.node(op, "x", net.normal("w", 4, 4, 3, 2), out="y", **attrs)
    else:
        net.node(op, "x", out="y", kernel_shape=[3, 2], **attrs)
    result = run_passes(net.output("y").model(), [ExplicitWindows()])
    (node,) = result.model.graph
    expected = {"kernel_shape", "strides", "pads"}
    expected |= {"group"} if op.startswith("Conv") else set()
    expected |= {"dilations"} if op != "AveragePool" else set()
    assert expected <= set(node.attributes)
    assert not {"auto_pad", "output_shape"} & set(node.attributes)
    assert tuple(node.attributes["kernel_shape"].as_ints()) == (3, 2)


def test_a_window_smaller_than_its_stride() -> None:
    """SAME fixes the output size; with explicit pads ceil_mode would add a row and a column."""
    net = Net(13)
    net.input("x", 1, 2, 4, 4)
    attrs = {"auto_pad": "SAME_UPPER", "ceil_mode": 1, "kernel_shape": [1, 1], "strides": [2, 2]}
    net.node("AveragePool", "x", out="y", **attrs)
    result = ExplicitWindows()(net.output("y").model())
    (node,) = result.model.graph
    assert "ceil_mode" not in node.attributes
    assert node.attributes.get_ints("pads") == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("attrs", "reason"),
    [
        (
            {"auto_pad": "SAME_UPPER", "dilations": [2, 2]},
            "auto_pad SAME_UPPER with dilations means different things to different runtimes",
        ),
        (
            {"output_shape": [13, 13], "output_padding": [1, 1], "strides": [2, 2]},
            "auto_pad NOTSET with output_padding means different things to different runtimes",
        ),
        (
            {"output_shape": [14, 14], "strides": [2, 2]},
            "its output is larger than its input reaches, which no pads say",
        ),
    ],
)
def test_windows_that_stay(attrs: dict, reason: str) -> None:
    net = Net(13)
    op = "ConvTranspose" if "output_shape" in attrs else "Conv"
    net.input("x", 1, 4, 6, 6)
    net.node(op, "x", net.normal("w", 4, 4, 3, 3), out="y", **attrs)
    sites = ExplicitWindows()(net.output("y").model()).sites
    assert reason in [site.reason for site in sites]


# Names


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
        "from zkprep.model import serialize; "
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
