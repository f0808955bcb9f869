"""Functions, constants and what is computed from them dissolve."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from net import Net, ops
from normal import normal
from onnx import TensorProto, helper

from zkprep.errors import InputError
from zkprep.passes.base import run_passes
from zkprep.passes.normalise.folding import FoldConstants
from zkprep.passes.normalise.inline import InlineFunctions


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
