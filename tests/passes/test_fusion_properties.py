"""Whatever the model: the same outputs, the same interface, and nothing left for a second run."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from onnx import TensorProto, helper
from programs import Program, absorbed, conv, conv_transpose, gemm, normalised, programs

from benchmarks.fusion.judging import Feeds, feeds, interface_difference, reference
from benchmarks.fusion.patterns import count_nodes
from zkprep.fusing import fuse
from zkprep.models.model import serialize

# Largest error of an output, relative to the largest magnitude of any tensor of the model: a sum
# that cancels is as uncertain in the original as in the result.
LIMITS = {TensorProto.FLOAT: 1e-6, TensorProto.DOUBLE: 1e-12, TensorProto.FLOAT16: 1e-2}
EXAMPLES = {TensorProto.FLOAT: 200, TensorProto.DOUBLE: 30, TensorProto.FLOAT16: 40}
NAMES = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
}

bounded = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def _everything(model: onnx.ModelProto, given_feeds: Feeds) -> Feeds:
    """Every floating-point tensor of `model` by name."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    del exposed.graph.output[:]
    exposed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    values, _ = reference(exposed, given_feeds)
    return {name: value.astype(np.float64) for name, value in values.items()}


def check_fusion(model: onnx.ModelProto) -> ir.Model:
    """Fuse `model` and hold the result to the three properties."""
    original = ir.from_proto(model)
    before = serialize(original)
    result = fuse(original)
    assert serialize(original) == before
    fused = ir.to_proto(result.model)
    onnx.checker.check_model(fused, full_check=True)
    assert interface_difference(model, fused) == ""
    given_feeds = feeds(model, seed=1)
    wanted = _everything(model, given_feeds)
    assume(all(np.isfinite(value).all() for value in wanted.values()))
    scale = max(1e-6, *(np.max(np.abs(value), initial=0.0) for value in wanted.values()))
    _, evaluator = reference(model, given_feeds)
    limit = LIMITS[model.graph.input[0].type.tensor_type.elem_type]
    for name, found in evaluator(fused, given_feeds).items():
        value = wanted.get(name)
        assert value is not None
        assert found.shape == value.shape
        assert np.max(np.abs(found - value), initial=0.0) <= limit * scale, name
    again = fuse(result.model)
    assert not again.applied
    assert serialize(again.model) == serialize(result.model)
    return result.model


@pytest.mark.parametrize("dtype", EXAMPLES, ids=TensorProto.DataType.Name)
def test_any_model(dtype: int) -> None:
    @settings(bounded, max_examples=EXAMPLES[dtype])
    @given(programs(dtype))
    def same_function(model: onnx.ModelProto) -> None:
        check_fusion(model)

    same_function()


LINEAR = [(conv, 3), (conv, 4), (conv, 5), (conv_transpose, 4), (gemm, 2)]


@pytest.mark.parametrize(("linear", "rank"), LINEAR)
def test_a_chain_behind_a_linear_operator_vanishes(
    linear: Callable[[Program], None], rank: int
) -> None:
    @settings(bounded, max_examples=20)
    @given(absorbed(linear, rank))
    def one_node(model: onnx.ModelProto) -> None:
        assert count_nodes(ir.to_proto(check_fusion(model))) == 1

    one_node()


@settings(bounded, max_examples=40)
@given(normalised())
def test_a_chain_before_a_product_vanishes(model: onnx.ModelProto) -> None:
    assert count_nodes(ir.to_proto(check_fusion(model))) == 1
