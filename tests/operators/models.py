"""Single-construct models: one node, its constants and its inputs, built from a line of a case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
SEED = 0

Array = NDArray[Any]
Maker = Callable[[np.random.Generator, tuple[int, ...]], Array]


def _grid(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Halves from -2.5 to 2.5: ties of rounding, equal values, both signs, zero."""
    return random.integers(-5, 6, shape) / 2


# What an input is drawn from; every value is exact at the scale of the matrix but those of normals.
DRAWS: Mapping[str, Maker] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "positive": lambda random, shape: random.uniform(0.5, 3, shape),
    "above one": lambda random, shape: random.uniform(1.1, 4, shape),
    "unit": lambda random, shape: random.uniform(-0.9, 0.9, shape),
    "grid": _grid,
    "grid nonzero": lambda random, shape: (
        (random.integers(0, 2, shape) * 2 - 1) * random.integers(1, 6, shape) / 2
    ),
    "squares": lambda random, shape: random.integers(0, 4, shape) ** 2.0,
    "negative": lambda random, shape: random.uniform(-3, -0.5, shape),
    "bytes": lambda random, shape: random.integers(150, 250, shape),
    "wide": lambda random, shape: random.uniform(-8, 8, shape),
    "integers": lambda random, shape: random.integers(-3, 4, shape),
    "positive integers": lambda random, shape: random.integers(1, 4, shape),
    "indices": lambda random, shape: random.integers(0, 2, shape),
    "booleans": lambda random, shape: random.integers(0, 2, shape),
}


@dataclass(frozen=True)
class Input:
    """A graph input: shape, element type and what its values are drawn from."""

    shape: tuple[int | str, ...]
    dtype: int = TensorProto.FLOAT
    draw: str = "normal"

    def values(self, random: np.random.Generator) -> Array:
        shape = tuple(dim if isinstance(dim, int) else 1 for dim in self.shape)
        kind = helper.tensor_dtype_to_np_dtype(self.dtype)
        return np.asarray(DRAWS[self.draw](random, shape)).astype(kind)


def floats(*shape: int | str, draw: str = "normal") -> Input:
    return Input(shape, TensorProto.FLOAT, draw)


def integers(*shape: int | str, draw: str = "integers") -> Input:
    return Input(shape, TensorProto.INT64, draw)


def typed(kind: int, *shape: int | str) -> Input:
    """An input of element type `kind`; integers are small and positive."""
    integral = kind not in (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    return Input(shape, kind, "positive integers" if integral else "normal")


def booleans(*shape: int | str) -> Input:
    return Input(shape, TensorProto.BOOL, "booleans")


def weights(*shape: int, seed: int = 1) -> Array:
    """Constant float32 values of both signs."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) / 2


def positive_weights(*shape: int, seed: int = 2) -> Array:
    return np.random.default_rng(seed).uniform(0.5, 2, shape).astype(np.float32)


def constant(values: object, dtype: Any = np.float32) -> Array:
    return np.asarray(values, dtype=dtype)


def indices(*values: Any) -> Array:
    return np.asarray(values, dtype=np.int64)


@dataclass(frozen=True)
class Case:
    """A model that holds one construct.

    Attributes:
        operator: the ONNX operator, or the construct of several.
        variant: what is special about it.
        build: makes the model.
        inputs: by name, in graph order.
    """

    operator: str
    variant: str
    build: Callable[[], onnx.ModelProto]
    inputs: Mapping[str, Input]

    @property
    def name(self) -> str:
        return f"{self.operator}: {self.variant}"

    def feeds(self) -> dict[str, Array]:
        random = np.random.default_rng(SEED)
        return {name: one.values(random) for name, one in self.inputs.items()}


Operand = Input | Array | None


def case(
    operator: str,
    variant: str,
    *operands: Operand,
    opset: int = OPSET,
    outputs: int | Sequence[str] = 1,
    domain: str = "",
    types: Sequence[tuple[int, Sequence[int | str | None]]] = (),
    node: str = "",
    **attributes: Any,
) -> Case:
    """A model of the one node `operator` on `operands`: inputs, constants, None where left out.

    Args:
        operator: the node's operator type.
        variant: what is special about it.
        operands: the node's inputs in order.
        opset: version of its domain.
        outputs: how many, or their names; all that have a name are outputs of the graph.
        domain: the node's domain.
        types: element type and shape of each output, where shape inference cannot say.
        node: the node's operator type, where `operator` says more than that.
        attributes: of the node.
    """
    names = [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else list(outputs)
    given = {f"x{i}": one for i, one in enumerate(operands) if one is not None}

    def build() -> onnx.ModelProto:
        read = ["" if one is None else f"x{i}" for i, one in enumerate(operands)]
        made = helper.make_node(
            node or operator, read, names, name="node", domain=domain, **attributes
        )
        return model_of([made], given, [name for name in names if name], opset, domain, types)

    return Case(operator, variant, build, _inputs(given))


def network(
    operator: str,
    variant: str,
    text: str,
    opset: int = OPSET,
    ir_version: int = 8,
    **operands: Input | Array,
) -> Case:
    """A model given as the body of an ONNX text graph, whose last statement makes its outputs."""

    def build() -> onnx.ModelProto:
        body = "g () => () {\n" + text + "\n}"
        graph = onnx.parser.parse_graph(body)
        for position, node in enumerate(graph.node):
            node.name = f"node{position}"
        made = model_of(list(graph.node), operands, list(graph.node[-1].output), opset)
        made.ir_version = ir_version
        if ir_version < 4:
            made.graph.input.extend(_as_inputs(made.graph.initializer))
        return made

    return Case(operator, variant, build, _inputs(operands))


def written(operator: str, variant: str, build: Callable[[], onnx.ModelProto]) -> Case:
    """A model that `build` makes whole; its inputs are normal floats and small integers."""
    made = build()
    weighted = {tensor.name for tensor in made.graph.initializer}
    inputs = {}
    for value in made.graph.input:
        kind = value.type.tensor_type
        shape = tuple(
            d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim
        )
        draw = "normal" if kind.elem_type == TensorProto.FLOAT else "indices"
        if value.name not in weighted:
            inputs[value.name] = Input(shape, kind.elem_type, draw)
    return Case(operator, variant, build, inputs)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    operands: Mapping[str, Input | Array],
    outputs: Sequence[str],
    opset: int = OPSET,
    domain: str = "",
    types: Sequence[tuple[int, Sequence[int | str | None]]] = (),
) -> onnx.ModelProto:
    """A model of `nodes`; types and shapes of its outputs are inferred unless given."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [
            helper.make_tensor_value_info(name, one.dtype, one.shape)
            for name, one in operands.items()
            if isinstance(one, Input)
        ],
        [],
        [
            numpy_helper.from_array(one, name)
            for name, one in operands.items()
            if isinstance(one, np.ndarray)
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    if domain:
        imports.append(helper.make_opsetid(domain, 1))
    made = helper.make_model(graph, opset_imports=imports, ir_version=8)
    found = {} if types else _inferred(made)
    for position, name in enumerate(outputs):
        value = found.get(name)
        if value is None:
            value = helper.make_tensor_value_info(name, *types[position])
        made.graph.output.append(value)
    return made


def _inferred(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    found = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return {value.name: value for value in found.graph.value_info}


def _as_inputs(weighted: Sequence[onnx.TensorProto]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in weighted]


def _inputs(operands: Mapping[str, Any]) -> dict[str, Input]:
    return {name: one for name, one in operands.items() if isinstance(one, Input)}
