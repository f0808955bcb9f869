"""A model laid out node by node on a count of cells, in the order EZKL lays it out.

Nodes whose inputs are all constant are folded; nodes that a Conv absorbs cost nothing; graph inputs
are laid out when they are first read, graph outputs at the end. The model is laid out twice,
because a constant is placed where it is first used if it is used again later.

Source: EZKL 23.0.5 `src/graph/model.rs` layout_nodes, dummy_layout; tract `core/src/model/order.rs`
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from math import prod
from types import MappingProxyType

import numpy as np
import onnx_ir as ir

from zkprep.circuit import CircuitSpec
from zkprep.cost import gadgets, loader
from zkprep.cost.call import Call, constant_of, shape_of
from zkprep.cost.gadgets import Region
from zkprep.cost.laid import Laid, Walk
from zkprep.cost.lowerings import CATEGORIES, LOWERINGS
from zkprep.cost.moves import Moved, moved
from zkprep.cost.nodes import Circuit, Key, Shape, Wire

_TWO = np.array(2, dtype=np.float32)


def walk(model: ir.Model, spec: CircuitSpec, *, apart: bool = False) -> Walk:
    """Lay `model` out; `spec` gives scales, digits, columns and the boundary.

    `apart`: as if no two nodes read the same constant, as when each has a circuit of its own.
    """
    return Loaded(model).walk(spec, apart=apart)


class Loaded:
    """A model as EZKL's loader leaves it, to be laid out under many specs."""

    def __init__(self, model: ir.Model) -> None:
        """Move and absorb what moves and is absorbed whatever the spec."""
        self._moved = moved(model)
        self._absorbed = loader.absorbed(self._moved.model.graph)
        self._folded = frozenset(chain.from_iterable(self._absorbed.values()))
        self._shared: frozenset[Key] | None = None

    @property
    def joined(self) -> frozenset[str]:
        """Names of the tensors between what is put together: none of them is there."""
        return frozenset(
            value.name or "" for node in self._folded for value in node.inputs if value
        )

    def walk(
        self,
        spec: CircuitSpec,
        *,
        apart: bool = False,
        landings: Mapping[str, int] = MappingProxyType({}),
    ) -> Walk:
        """The model laid out; `apart` as of `walk`.

        `landings`: tensors that the model itself does not divide, and the scales at which they are
        read (zkprep.tune.descent). Near, where one is between what EZKL's loader would put
        together.
        """
        if apart:
            return self._pass(spec, frozenset(), landings).run()
        if self._shared is None:
            first = self._pass(spec, frozenset(), landings)
            first.run()
            uses = first.circuit.uses.items()  # which a spec does not decide
            self._shared = frozenset(key for key, count in uses if count > 1)
        return self._pass(spec, self._shared, landings).run()

    def _pass(
        self, spec: CircuitSpec, shared: frozenset[Key], landings: Mapping[str, int]
    ) -> "_Pass":
        circuit = Circuit(spec, Region(spec.num_inner_cols, spec.decomp_legs), shared)
        return _Pass(self._moved, circuit, self._absorbed, self._folded, landings)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over a model.

    Attributes:
        moved: what is laid out.
        circuit: where it is laid out.
        absorbed: Convs with the nodes they absorb.
        folded: those nodes.
        landings: scales at which values are read, by name, where they are not those they have.
        wires: what every value became so far.
        landed: what was divided for its readers so far.
    """

    moved: Moved
    circuit: Circuit
    absorbed: dict[ir.Node, list[ir.Node]]
    folded: frozenset[ir.Node]
    landings: Mapping[str, int]
    wires: dict[ir.Value, Wire] = field(default_factory=dict)
    landed: dict[ir.Value, Wire] = field(default_factory=dict)

    @property
    def graph(self) -> ir.Graph:
        return self.moved.model.graph

    def run(self) -> Walk:
        laid = {node: self._lay(node) for node in _in_order(self.graph)}
        for value in self.graph.inputs:
            self._read(value)
        if self.circuit.spec.output_visibility == "public":
            for value in self.graph.outputs:
                self._show(_size(value))
        scales = {
            value.name: wire.scale
            for value, wire in self.wires.items()
            if value.name and not wire.is_constant
        }
        region = self.circuit.region
        return Walk(
            nodes=tuple(laid.values()),
            total=region.cells,
            scales=scales,
            put_out=tuple(scales.get(value.name or "") for value in self.graph.outputs),
            quotients=self._quotients(node for node, one in laid.items() if one.divided),
            shuffled=region.shuffled,
            tables=frozenset(self.circuit.tables),
            held=self._held(),
            squared=self.circuit.squared,
            decomposed=region.decomposed,
            rows=region.rows.together(),
        )

    def _quotients(self, divided: Iterable[ir.Node]) -> frozenset[str]:
        """What nodes put out; where one has absorbed others, what these do."""
        makers = (one for node in divided for one in (node, *self.absorbed.get(node, ())))
        return frozenset(value.name or "" for maker in makers for value in maker.outputs)

    def _held(self) -> float:
        """What the circuit says; of inverses, roots and unknown nodes, products of two scales."""
        circuit = self.circuit
        products = 2.0 ** (circuit.spec.input_scale + circuit.spec.param_scale + 1)
        return max(circuit.held, products) if circuit.region.inverts else circuit.held

    def _lay(self, node: ir.Node) -> Laid:
        inputs = tuple(None if value is None else self._read(value) for value in node.inputs)
        region = self.circuit.region
        before, known = region.state(), True
        variable = [wire for wire in inputs if wire is not None and not wire.is_constant]
        if not variable:
            outputs = [self._constant(value) for value in node.outputs]
        elif node in self.folded:
            outputs = variable
        else:
            call = Call(node, inputs, self.moved.model.opset_imports.get("", 13))
            outputs, known = self._lower(call)
        self.wires.update(zip(node.outputs, outputs, strict=False))
        return Laid(
            name=node.name or "",
            category=CATEGORIES.get(node.op_type, "other"),
            cells=region.cells - before["cells"],
            rebased=region.rebased - before["rebased"],
            divided=region.divided - before["divided"],
            checked=region.checked - before["checked"],
            known=known,
        )

    def _lower(self, call: Call) -> tuple[list[Wire], bool]:
        """The node's outputs, and whether its cells are exact."""
        node, lowering, region = call.node, LOWERINGS.get(call.node.op_type), self.circuit.region
        if lowering is None or node.domain not in {"", "ai.onnx"} or not self._is_fixed(node):
            return self._estimate(call), False
        before, start = region.state(), region.rows.state()
        try:
            made = lowering(self.circuit, self._with_bias(call))
        except (ArithmeticError, LookupError, TypeError, ValueError):
            for name, value in before.items():
                setattr(region, name, value)
            region.rows.reset(start)
            return self._estimate(call), False
        settled = node not in self.moved.unsettled and not loader.is_unsettled(node)
        return (made if isinstance(made, list) else [made]), settled

    def _is_fixed(self, node: ir.Node) -> bool:
        """Whether the shapes of what the node reads and makes are known."""
        read = (value for value in node.inputs if value is not None)
        variable = (value for value in read if not self.wires[value].is_constant)
        return all(shape_of(value) is not None for value in (*variable, node.outputs[0]))

    def _estimate(self, call: Call) -> list[Wire]:
        """A ReLU and a rebase per output element, at the largest input scale within the limit."""
        size = sum(_size(value) for value in call.node.outputs[:1])
        self.circuit.region.inverts = True
        gadgets.relu(self.circuit.region, size)
        gadgets.divide(self.circuit.region, size)
        scale = min(self.circuit.spec.limit, max(wire.scale for wire in call.present))
        return [Wire(_shape(value), scale) for value in call.node.outputs]

    def _with_bias(self, call: Call) -> Call:
        """A Conv that absorbs others has another bias."""
        node = call.node
        if node not in self.absorbed:
            return call
        bias = loader.absorbed_bias(node, self.absorbed[node])
        wire = self.circuit.folded(bias.shape, bias, f"{node.name}: bias")
        return replace(call, inputs=(call[0], call[1], wire))

    def _read(self, value: ir.Value) -> Wire:
        """What `value` became; a graph input is laid out now, if it is not yet."""
        if value not in self.wires:
            constant = constant_of(value) is not None
            self.wires[value] = self._constant(value) if constant else self._input(value)
        scale = self.landings.get(value.name or "")
        if scale is None:
            return self.wires[value]
        if value not in self.landed:
            self.landed[value] = self._land(self.wires[value], scale)
        return self.landed[value]

    def _land(self, wire: Wire, scale: int) -> Wire:
        """Three products: the second is divided, the others are changes of scale."""
        self.circuit.region.assign(2 * wire.size)
        bits = self.circuit.spec.limit - scale
        divided = self.circuit.multiply(
            replace(wire, scale=wire.scale + bits + 1), self.circuit.folded((), _TWO, "2")
        )
        return replace(divided, scale=divided.scale - bits)

    def _constant(self, value: ir.Value) -> Wire:
        """A constant of the model; or what a node makes of constants, of values not known here."""
        tensor = constant_of(value)
        values = None if tensor is None else tensor.numpy()
        shape = _shape(value) if values is None else values.shape
        return self.circuit.folded(shape, values, f"constant {value.name}")

    def _input(self, value: ir.Value) -> Wire:
        region, spec, size = self.circuit.region, self.circuit.spec, _size(value)
        if value.dtype == ir.DataType.BOOL:
            region.assign(2 * size)
        elif spec.checks_boundary:
            gadgets.decompose(region, size)
        else:
            region.assign(size)
        floating = value.dtype is None or value.dtype.is_floating_point()
        descent = spec.descents[self.graph.inputs.index(value)] if spec.descents else 0
        if descent:
            region.assign(size)
        return Wire(_shape(value), (spec.input_scale if floating else 0) + descent)

    def _show(self, size: int) -> None:
        """A public output: both sides of the equality are decomposed if the boundary is checked."""
        if self.circuit.spec.checks_boundary:
            gadgets.decompose(self.circuit.region, size)
            gadgets.decompose(self.circuit.region, size)
        self.circuit.region.assign(size)


def _in_order(graph: ir.Graph) -> Iterator[ir.Node]:
    """Depth first from the outputs, inputs in order, as tract evaluates; the rest is dropped."""
    done: set[ir.Node] = set()
    stack = [producer for value in reversed(graph.outputs) if (producer := value.producer())]
    while stack:
        node = stack[-1]
        producers = (value.producer() for value in node.inputs if value is not None)
        waiting = next((one for one in producers if one is not None and one not in done), None)
        if waiting is not None:
            stack.append(waiting)
            continue
        stack.pop()
        if node not in done:
            done.add(node)
            yield node


def _shape(value: ir.Value) -> Shape:
    """Its shape, with 1 for every dimension that is not known."""
    dims = () if value.shape is None else tuple(value.shape)
    return tuple(dim if isinstance(dim, int) else 1 for dim in dims)


def _size(value: ir.Value) -> int:
    return prod(_shape(value))
