"""An If with a constant condition is its branch; inputs left out at the end are not listed."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from zkprep.models.model import run
from zkprep.passes.base import run_passes
from zkprep.passes.normalise import normalise
from zkprep.passes.normalise.branches import TakeBranches
from zkprep.passes.normalise.naming import NameNodes
from zkprep.passes.normalise.trailing import DropTrailing

_HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
_BRANCHES = (
    "then_branch = t () => (float[2] p) { a = Mul (x, two) p = Relu (a) },"
    " else_branch = e () => (float[2] n) { n = Neg (x) }"
)
X = np.float32([-1, 2])


def parsed(text: str) -> ir.Model:
    return ir.from_proto(onnx.parser.parse_model(_HEAD + text))


def choosing(condition: str, inputs: str = "float[2] x") -> ir.Model:
    return parsed(
        f"g ({inputs}) => (float[2] y) <float two = {{2}}{condition}>"
        f" {{ y = If <{_BRANCHES}> (c) }}"
    )


@pytest.mark.parametrize(
    ("condition", "operators"), [("1", ["Mul", "Relu", "Identity"]), ("0", ["Neg", "Identity"])]
)
def test_the_branch_that_is_taken_stays(condition: str, operators: list[str]) -> None:
    model = choosing(f", bool c = {{{condition}}}")
    result = run_passes(model, [NameNodes(), TakeBranches()]).model
    assert [node.op_type for node in result.graph] == operators
    assert np.array_equal(run(result, {"x": X})["y"], run(model, {"x": X})["y"])


def test_a_condition_that_is_an_input_stays() -> None:
    model = choosing("", "float[2] x, bool c")
    assert not TakeBranches()(model).sites


def test_a_branch_within_a_branch_with_constants_of_its_own() -> None:
    inner = (
        "then_branch = u () => (float[2] q) <float three = {3}> { q = Mul (x, three) },"
        " else_branch = v () => (float[2] r) { r = Neg (x) }"
    )
    outer = f"then_branch = t () => (float[2] p) {{ p = If <{inner}> (c) }}"
    model = parsed(
        "g (float[2] x) => (float[2] y) <bool c = {1}>"
        f" {{ y = If <{outer}, else_branch = e () => (float[2] n) {{ n = Neg (x) }}> (c) }}"
    )
    result = normalise(model).model
    assert [node.op_type for node in result.graph] == ["Mul"]
    assert run(result, {"x": X})["y"].tolist() == [-3, 6]


def test_a_branch_that_returns_an_outer_tensor() -> None:
    taken = "then_branch = t () => (float[2] p) { p = Identity (x) }"
    model = parsed(
        "g (float[2] x) => (float[2] y) <bool c = {1}>"
        f" {{ z = If <{taken}, else_branch = e () => (float[2] n) {{ n = Neg (x) }}> (c)"
        " y = Neg (z) }"
    )
    result = normalise(model).model
    assert [node.op_type for node in result.graph] == ["Neg"]
    assert run(result, {"x": X})["y"].tolist() == [1, -2]


def test_inputs_left_out_at_the_end_are_not_listed() -> None:
    model = parsed(
        "g (float[1, 2] x) => (float[1, 4] y, float[1, 2] z)"
        " <int64[4] p = {0, 1, 0, 1}, float h = {1}>"
        " { y = Pad (x, p, ) z = Clip (x, , h) }"
    )
    result = run_passes(model, [NameNodes(), DropTrailing()]).model
    assert [len(node.inputs) for node in result.graph] == [2, 3]
    assert not DropTrailing()(result).sites


def test_a_node_called_like_an_input_or_a_constant_is_renamed() -> None:
    model = parsed("g (float[2] x) => (float[2] y) <float c = {2}> { a = Neg (x) y = Mul (a, c) }")
    for node, name in zip(model.graph, ("x", "c"), strict=True):
        node.name = name
    result = run_passes(model, [NameNodes()]).model
    assert [node.name for node in result.graph] == ["x_1", "c_1"]
    assert not NameNodes()(result).sites
