"""Small ONNX models for tests of passes, built node by node; and what every fusion is held to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from zkprep.models.model import serialize
from zkprep.passes.affine import FuseAffine
from zkprep.passes.base import PassResult, Site, run_passes
from zkprep.passes.oracle import Oracle, compare, is_floating

ONE_FUSION = {"float64": 1e-11, "float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}


class Net:
    """A model under construction; tensors are named, nodes take the name of their output."""

    def __init__(self, opset: int = 17, dtype: str = "float32", ir_version: int = 8, seed: int = 7):
        self.opset, self.ir_version = opset, ir_version
        self.dtype = getattr(
            ir.DataType, {"float32": "FLOAT", "float64": "DOUBLE"}.get(dtype, dtype.upper())
        )
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.functions: list[onnx.FunctionProto] = []
        self.domains: dict[str, int] = {}

    def input(self, name: str, *shape: int | str, dtype: int | None = None) -> str:
        kind = int(self.dtype) if dtype is None else dtype
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, name: str, values: Any, dtype: ir.DataType | None = None) -> str:
        array = np.asarray(values)
        if array.dtype.kind == "f":
            array = array.astype((dtype or self.dtype).numpy())
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, name: str, *shape: int, dtype: ir.DataType | None = None) -> str:
        return self.constant(name, self.random.standard_normal(shape), dtype)

    def node(
        self,
        op: str,
        *inputs: str,
        out: str | Sequence[str],
        name: str | None = None,
        domain: str = "",
        **attrs: Any,
    ) -> str:
        outs = [out] if isinstance(out, str) else list(out)
        name = f"n_{outs[0]}" if name is None else name
        self.nodes.append(helper.make_node(op, inputs, outs, name=name, domain=domain, **attrs))
        return outs[0]

    def conv(
        self,
        x: str,
        inputs: int,
        outputs: int,
        *kernel: int,
        out: str = "c",
        bias: bool = True,
        group: int = 1,
        **attrs: Any,
    ) -> str:
        weight = self.normal(f"{out}_w", outputs, inputs // group, *kernel)
        extra = [self.normal(f"{out}_b", outputs)] if bias else []
        return self.node("Conv", x, weight, *extra, out=out, group=group, **attrs)

    def conv_transpose(
        self,
        x: str,
        inputs: int,
        outputs: int,
        *kernel: int,
        out: str = "c",
        bias: bool = True,
        group: int = 1,
        **attrs: Any,
    ) -> str:
        weight = self.normal(f"{out}_w", inputs, outputs // group, *kernel)
        extra = [self.normal(f"{out}_b", outputs)] if bias else []
        return self.node("ConvTranspose", x, weight, *extra, out=out, group=group, **attrs)

    def batch_norm(
        self,
        x: str,
        channels: int,
        out: str = "y",
        dtype: ir.DataType | None = None,
        stats_dtype: ir.DataType | None = None,
        **attrs: Any,
    ) -> str:
        """Statistics far from their initial values: gamma of both signs and 0, wide variances."""
        gamma = self.random.standard_normal(channels)
        gamma[0], gamma[-1] = -1.3, 0.0 if channels > 2 else 0.7
        spread = np.geomspace(1e-2, 10.0, channels)
        parameters = [
            self.constant(f"{out}_gamma", gamma, dtype),
            self.normal(f"{out}_beta", channels, dtype=dtype),
            self.normal(f"{out}_mean", channels, dtype=stats_dtype or dtype),
            self.constant(f"{out}_var", spread, stats_dtype or dtype),
        ]
        if self.opset < 7:
            attrs.setdefault("is_test", 1)
        return self.node("BatchNormalization", x, *parameters, out=out, **attrs)

    def positive_norm(self, x: str, channels: int, out: str = "y") -> str:
        """A batch norm whose scales are at least 0, in single precision."""
        self.batch_norm(x, channels, out=out)
        gamma = next(weight for weight in self.weights if weight.name == f"{out}_gamma")
        gamma.raw_data = np.abs(np.frombuffer(gamma.raw_data, np.float32)).tobytes()
        return out

    def output(self, *names: str) -> Net:
        self.outputs += [helper.make_empty_tensor_value_info(name) for name in names]
        return self

    def graph(self, name: str = "g") -> onnx.GraphProto:
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.weights)

    def proto(self) -> onnx.ModelProto:
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(d, v) for d, v in self.domains.items()]
        model = helper.make_model(
            self.graph(),
            opset_imports=opsets,
            ir_version=self.ir_version,
            producer_name="tests",
            functions=self.functions,
            doc_string="a model",
        )
        helper.set_model_props(model, {"origin": "tests"})
        return onnx.shape_inference.infer_shapes(model, data_prop=True)

    def model(self, *, check: bool = True) -> ir.Model:
        proto = self.proto()
        constants = {weight.name: weight for weight in proto.graph.initializer}
        for value in proto.graph.output:
            if value.name in constants:
                weight = constants[value.name]
                value.CopyFrom(
                    helper.make_tensor_value_info(value.name, weight.data_type, weight.dims)
                )
            elif not value.type.HasField("tensor_type"):
                value.type.tensor_type.elem_type = int(self.dtype)
        if check:
            onnx.checker.check_model(proto)
        return ir.from_proto(proto)


def ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def fuse(model: ir.Model) -> PassResult:
    """Fuse under the contract, then hold the result to what a single fusion is held to."""
    before = serialize(model)
    result = run_passes(model, [FuseAffine()])
    assert serialize(model) == before
    check_interface(model, result.model)
    check_hygiene(model, result)
    check_numbers(model, result.model)
    check_second_run(result.model)
    return result


def check_fused(model: ir.Model, expected: Sequence[str]) -> PassResult:
    """`fuse`, and exactly these operators are left, in this order."""
    result = fuse(model)
    assert ops(result.model) == list(expected), [site.reason for site in result.sites]
    return result


def check_kept(model: ir.Model, message: str) -> Site:
    """Nothing changes, and one site says exactly why."""
    result = FuseAffine()(model)
    assert serialize(result.model) == serialize(model)
    assert not result.applied
    reasons = [site.reason for site in result.sites]
    assert message in reasons, reasons
    return next(site for site in result.sites if site.reason == message)


def check_interface(before: ir.Model, after: ir.Model) -> None:
    for old, new in (
        (before.graph.inputs, after.graph.inputs),
        (before.graph.outputs, after.graph.outputs),
    ):
        assert [(v.name, v.type, v.shape) for v in old] == [(v.name, v.type, v.shape) for v in new]
    assert dict(before.opset_imports) == dict(after.opset_imports)
    assert before.ir_version == after.ir_version


def check_hygiene(before: ir.Model, result: PassResult) -> None:
    """Metadata, names, initializers: section 3 of the rules for fusions."""
    after = result.model
    assert (before.producer_name, before.doc_string) == (after.producer_name, after.doc_string)
    assert before.metadata_props == after.metadata_props
    old = before.graph.initializers
    new = after.graph.initializers
    for name, value in new.items():
        if name in old:
            assert value.const_value.tobytes() == old[name].const_value.tobytes(), name
            assert value.dtype == old[name].dtype
        else:
            assert value.uses(), f"new initializer '{name}' is unread"
            assert value.const_value.size == int(np.prod(value.shape.numpy()))
    for name, value in old.items():
        if name not in new:
            assert not value.is_graph_output() and not value.is_graph_input()
    everything = [v.name for n in after.graph for v in n.outputs if v.name]
    everything += [v.name for v in after.graph.inputs] + list(new)
    assert len(set(everything)) == len(everything) - sum(v.name in new for v in after.graph.inputs)
    node_names = [node.name for node in after.graph]
    assert len(set(node_names)) == len(node_names)
    for node in after.graph:
        absorbed = json.loads(node.metadata_props.get("zkprep.fused", "[]"))
        known = {name for site in result.applied for name in site.nodes}
        assert set(absorbed) <= known
        assert not set(absorbed) & set(node_names)


def check_numbers(before: ir.Model, after: ir.Model) -> None:
    """Outputs by the limit of one fusion, and every tensor that kept its name kept its values."""
    names = {v.name for n in before.graph for v in n.outputs if v.name}
    shared = [v.name for n in after.graph for v in n.outputs if v.name in names]
    oracle = Oracle(_exposing(before, shared))
    load, runs = oracle._runs
    run = load(_exposing(after, shared))
    limit = max(
        ONE_FUSION[v.dtype.numpy().name]
        for v in before.graph.outputs
        if is_floating(v.dtype.numpy())
    )
    for feeds, expected in runs:
        assert compare(expected, run(feeds), limit) == ""
        assert any(np.any(np.asarray(v, np.float64) != 0) for v in expected.values())


def check_second_run(model: ir.Model) -> None:
    again = FuseAffine()(model)
    assert serialize(again.model) == serialize(model)
    assert not again.applied


def _exposing(model: ir.Model, names: Sequence[str]) -> ir.Model:
    """`model` with the tensors `names` as outputs, too."""
    exposed = model.clone()
    values = {value.name: value for node in exposed.graph for value in node.outputs}
    taken = {value.name for value in exposed.graph.outputs}
    exposed.graph.outputs.extend(values[name] for name in names if name not in taken)
    for value in exposed.graph.outputs:
        value.shape = value.shape or ir.Shape([None])
        value.type = value.type or ir.TensorType(ir.DataType.FLOAT)
    return exposed
