"""Dimensions get sizes and weights get values before a circuit can exist."""

import onnx_ir as ir
import pytest
from net import Net
from normal import normal
from onnx import TensorProto

from zkprep.errors import InputError
from zkprep.passes.base import PassResult
from zkprep.passes.normalise import normalise


def rules(result: PassResult) -> list[str]:
    return [site.rule for site in result.applied]


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


def test_overridable_weights_are_frozen_too() -> None:
    frozen = normal(weights_as_inputs(7))
    assert [v.name for v in frozen.model.graph.inputs] == ["x"]
    assert frozen.model.ir_version == 7
