"""Numbers become float32, at the interface too, and what they became is held to the original."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, numpy_helper

from zkprep.errors import PassError
from zkprep.models.model import input_specs, output_specs, serialize
from zkprep.passes.base import PassResult, Site, run_passes
from zkprep.passes.evaluators import fitted, truth
from zkprep.passes.normalise import normalise
from zkprep.passes.normalise.precision import DOUBLES, HALVES, SinglePrecision

NETWORK = """
    c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w)
    r = Relu (c)
    n = Mul (tenth, tenth)
    m = Mul (r, n)
    f = Cast <to = 1> (m)
    s = Sigmoid (f)
    y = Cast <to = {number}> (s)
"""
KINDS = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16, "double": 11}
COARSE = {"float16": 2e-3, "bfloat16": 2e-2, "double": 1e-6}


def network(kind: str) -> ir.Model:
    number = KINDS[kind]
    body = NETWORK.format(number=int(number))
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 22]>'
        f"g ({kind}[1, 2, 4, 4] x) => ({kind}[1, 3, 4, 4] y) {{ {body} }}"
    )
    weight = np.random.default_rng(0).standard_normal((3, 2, 3, 3))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(number)
    proto.graph.initializer.append(numpy_helper.from_array(weight.astype(dtype), "w"))
    tenth = np.array([0.1]).astype(dtype)
    proto.graph.initializer.append(numpy_helper.from_array(tenth, "tenth"))
    return ir.from_proto(proto)


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_and_its_interface_are_float32(kind: str) -> None:
    model = network(kind)
    result = normalise(model).model
    specs = (*input_specs(result), *output_specs(result))
    assert [spec.dtype for spec in specs] == [np.float32] * 2
    values = [*result.graph.initializers.values(), *(node.outputs[0] for node in result.graph)]
    assert {value.dtype for value in values} == {ir.DataType.FLOAT}
    assert [node.op_type for node in result.graph] == ["Conv", "Relu", "Mul", "Sigmoid"]
    x = np.random.default_rng(1).standard_normal((1, 2, 4, 4)).astype(np.float32)
    found, wanted = truth(result)({"x": x})["y"], truth(model)({"x": x})["y"]
    assert wanted.dtype == model.graph.inputs[0].dtype.numpy()
    assert np.allclose(found, wanted.astype(np.float32), atol=COARSE[kind])
    assert serialize(normalise(result).model) == serialize(result)


def test_constants_of_a_double_model_are_folded_in_double() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (double[1] x) => (double[1] y)'
        "{ a = Sub (c, d) y = Mul (x, a) }"
    )
    for name, value in (("c", 1 + 2.0**-40), ("d", 1.0)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    result = normalise(ir.from_proto(model)).model
    assert result.graph.initializers["a"].const_value.numpy() == np.float32(2.0**-40)


def test_a_constant_that_is_an_output_is_float32_too() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (double[2] x) => (double[2] y, double[1] c)'
        "{ y = Relu (x) c = Constant <value = double[1] {0.5}> () }"
    )
    result = normalise(ir.from_proto(model)).model
    constant = next(node for node in result.graph if node.op_type == "Constant")
    assert constant.attributes["value"].as_tensor().dtype == ir.DataType.FLOAT
    assert output_specs(result)[1].dtype == np.float32


def test_a_default_of_an_input_is_float32_too() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (double[2] x, double[2] w) => (double[2] y)'
        "<double[2] w = {0.1, 0.2}> { y = Mul (x, w) }"
    )
    result = run_passes(ir.from_proto(model), [SinglePrecision(DOUBLES)]).model
    assert result.graph.initializers["w"].const_value.dtype == ir.DataType.FLOAT
    assert result.graph.inputs[1].dtype == ir.DataType.FLOAT


def test_a_model_of_float32_is_left_alone() -> None:
    model = ir.from_proto(
        onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (int64[2] y)'
            "{ r = Relu (x) y = Cast <to = 7> (r) }"
        )
    )
    for kinds in (HALVES, DOUBLES):
        assert not SinglePrecision(kinds)(model).sites


@dataclass(frozen=True)
class _Coarsens:
    """A coarsening pass that also does something else."""

    name = "coarsens-wrongly"
    coarsens = "floating-point types"
    factor: float = 1.0
    kind: ir.DataType = ir.DataType.FLOAT

    def __call__(self, model: ir.Model) -> PassResult:
        result = SinglePrecision(DOUBLES)(model).model
        weight = result.graph.initializers["w"]
        array = weight.const_value.numpy() * np.float32(self.factor)
        weight.const_value = ir.Tensor(array, name="w")
        if self.kind != ir.DataType.FLOAT:
            result.graph.inputs[0].type = ir.TensorType(self.kind)
        return PassResult(result, (Site("coarse", ("Conv_c",)),))


def named_double() -> ir.Model:
    model = network("double")
    for node in model.graph:
        node.name = f"{node.op_type}_{node.outputs[0].name}"
    return model


def test_a_coarsening_pass_keeps_the_function() -> None:
    assert run_passes(named_double(), [_Coarsens()]).applied
    with pytest.raises(PassError, match="'y' differs by"):
        run_passes(named_double(), [_Coarsens(factor=1.3)])


def test_a_coarsening_pass_keeps_to_floating_point() -> None:
    with pytest.raises(PassError, match="'x' of the inputs was DOUBLE"):
        run_passes(named_double(), [_Coarsens(kind=ir.DataType.INT64)])


def test_other_passes_may_not_coarsen() -> None:
    class Plain:
        name = "plain"

        def __call__(self, model: ir.Model) -> PassResult:
            return _Coarsens()(model)

    with pytest.raises(PassError, match="'x' of the inputs was DOUBLE"):
        run_passes(named_double(), [Plain()])


def test_the_oracle_starts_anew_behind_a_coarsening_pass() -> None:
    """What comes after is held to the limit of float32, not to that of the half-precision model."""

    @dataclass(frozen=True)
    class Worse:
        name = "worse"

        def __call__(self, model: ir.Model) -> PassResult:
            result = model.clone()
            weight = result.graph.initializers["w"]
            array = weight.const_value.numpy() * np.float32(1.3)
            weight.const_value = ir.Tensor(array, name="w")
            return PassResult(result, (Site("worse", ()),))

    with pytest.raises(PassError, match="more than the limit 1e-05"):
        run_passes(network("float16"), [SinglePrecision(HALVES), Worse()])


def test_feeds_take_the_types_of_a_model() -> None:
    feeds = {"x": np.zeros(2, np.float32), "i": np.zeros(2, np.int64), "other": np.ones(1)}
    made = fitted(feeds, network("double"))
    assert [array.dtype for array in made.values()] == [np.float64, np.int64, np.float64]
