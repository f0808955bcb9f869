"""Chains of small slices, with settings as EZKL's would be where its cells are known exactly."""

import json
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
from msgspec.structs import replace
from onnx import numpy_helper

from zkprep.circuit import CircuitSpec, Settings, read_settings
from zkprep.cost.walk import walk
from zkprep.models.model import input_specs, output_specs
from zkprep.tune import Circuits, Demand, Limits

CONV = "kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]"
PLENTY = 10**12


def conv(name: str, source: str, target: str) -> str:
    """ONNX text of a Conv on four channels and a ReLU, from tensor to tensor."""
    return (
        f"<ir_version: 8, opset_import: ['' : 17]>\n{name} (float[1, 4, 6, 6] {source})"
        f" => (float[1, 4, 6, 6] {target})\n"
        f"{{ c_{name} = Conv <{CONV}> ({source}, w_{name})  {target} = Relu (c_{name}) }}"
    ).replace("''", '""')


def add(name: str, left: str, right: str, target: str) -> str:
    """ONNX text of a sum of two tensors and a ReLU."""
    tensors = ", ".join(f"float[1, 4, 6, 6] {tensor}" for tensor in (left, right))
    return (
        f'<ir_version: 8, opset_import: ["" : 17]>\n{name} ({tensors})'
        f" => (float[1, 4, 6, 6] {target})\n"
        f"{{ s_{name} = Add ({left}, {right})  {target} = Relu (s_{name}) }}"
    )


def relu(name: str, source: str, target: str) -> str:
    """ONNX text of a ReLU, from tensor to tensor."""
    return (
        f'<ir_version: 8, opset_import: ["" : 17]>\n{name} (float[1, 4, 6, 6] {source})'
        f" => (float[1, 4, 6, 6] {target}) {{ {target} = Relu ({source}) }}"
    )


def linear(name: str, source: str, target: str) -> str:
    """ONNX text of a Conv on four channels, from tensor to tensor."""
    return (
        f'<ir_version: 8, opset_import: ["" : 17]>\n{name} (float[1, 4, 6, 6] {source})'
        f" => (float[1, 4, 6, 6] {target}) {{ {target} = Conv <{CONV}> ({source}, w_{name}) }}"
    )


def chain(
    texts: Sequence[str], *, largest: float = 3.0, limits: Limits | None = None
) -> list[Circuits]:
    """The circuits of slices given as text, all of whose values are at most `largest`."""
    return [Circuits(_demand(text, largest), limits or Limits(PLENTY)) for text in texts]


def build(text: str) -> onnx.ModelProto:
    """A model given as ONNX text, with shapes; every w_... is a kernel of random weights."""
    proto = onnx.parser.parse_model(text)
    random = np.random.default_rng(0)
    for node in proto.graph.node:
        node.name = node.output[0]
        for name in node.input:
            if name.startswith("w_"):
                weights = random.normal(size=(4, 4, 3, 3)).astype(np.float32)
                proto.graph.initializer.append(numpy_helper.from_array(weights, name))
    return onnx.shape_inference.infer_shapes(proto)


def _demand(text: str, largest: float) -> Demand:
    proto = build(text)
    model = ir.from_proto(proto)
    names = {value.name or "" for node in model.graph for value in node.outputs}
    names |= {spec.name for spec in input_specs(model)}
    return Demand(
        proto.graph.name,
        model,
        dict.fromkeys(names, largest),
        lambda spec: _settings(model, spec),
        lambda _: (0, 0),
        lambda _: 0.0,
    )


def _settings(model: ir.Model, spec: CircuitSpec) -> Settings:
    laid = walk(model, spec)
    decomposes = walk(model, replace(spec, decomp_legs=spec.decomp_legs + 2)).total > laid.total
    inputs, outputs = input_specs(model), output_specs(model)
    arguments = {
        name: getattr(spec, name)
        for name in (
            "input_scale",
            "param_scale",
            "scale_rebase_multiplier",
            "lookup_range",
            "logrows",
            "num_inner_cols",
            "decomp_base",
            "decomp_legs",
        )
    }
    visible = dict.fromkeys(("input_visibility", "output_visibility"), "Public")
    document = {
        "run_args": {
            **arguments,
            **visible,
            "param_visibility": "Fixed",
            "ignore_range_check_inputs_outputs": not spec.checks_boundary,
            "rebase_frac_zero_constants": spec.integer_constants,
            "disable_freivalds": True,
        },
        "num_rows": -(-laid.total // spec.num_inner_cols),
        "total_assignments": laid.total,
        "total_const_size": 150,
        "total_dynamic_col_size": 0,
        "num_dynamic_lookups": 0,
        "num_shuffles": 0,
        "total_shuffle_col_size": 0,
        "einsum_params": {"total_einsum_col_size": 0},
        "model_instance_shapes": [list(one.static_shape) for one in (*inputs, *outputs)],
        "model_output_scales": [laid.scales[one.name] for one in outputs],
        "model_input_scales": [spec.input_scale * (one.dtype.kind == "f") for one in inputs],
        "module_sizes": {"polycommit": [], "poseidon": [0, [0]]},
        "required_lookups": [],
        "required_range_checks": [[-1, 1], [0, spec.decomp_base - 1]] if decomposes else [],
        "version": "23.0.5",
    }
    return read_settings(json.dumps(document).encode())
