"""From a model to slices: rewrite groups, a weighted graph of them, a partition, sub-models, wires.

A rewrite group is a set of nodes of the normalised model that the passes turn into one operator; a
cut never parts one. Boundary tensors are therefore tensors that exist, with equal values, in the
normalised and in the prepared model, and one partition cuts both. This module alone imports slicer.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import onnx_ir as ir

import slicer
from zkprep.circuit import CircuitSpec
from zkprep.cost.loads import Loads, Prices
from zkprep.errors import Disagreement, InputError, NoCut
from zkprep.models.model import Feeds, Runner, input_specs, output_specs
from zkprep.options import SCALES
from zkprep.passes.base import Site, run_passes
from zkprep.passes.circuit.batch_axis import KeepBatchAxis
from zkprep.prepare import Prepared
from zkprep.slicing.groups import members, node_graph, rewrite_groups, weighted_graph
from zkprep.slicing.splitting import LEFT
from zkprep.slicing.weights import group_weights, loads, weigh

if not getattr(slicer, "__zkprep__", False):
    raise ImportError(
        "the installed package 'slicer' is another project's; install zkprep in an environment "
        "of its own, without the PyPI distribution 'slicer'"
    )

SLACK = 0.1
"""By what share the largest of a given number of slices may exceed the least possible."""

_APIECE = 0.1
"""CPU seconds of a slice besides its proof: its witness, its process and its verification."""

_TIE = 1e-9
"""CPU seconds per cell, far less than a cell takes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cut has to keep, and what it is for.

    Attributes:
        memory: most bytes a slice may take to prove.
        max_logrows: most rows of a slice, as a power of two.
        blocks: number of slices.
        workers: how many slices are proved side by side: the least time of all together decides
            instead of the least work.
    """

    memory: int | None = None
    max_logrows: int | None = None
    blocks: int | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: the nodes of the normalised model it covers, and its two models.

    `plain` and `prepared` have the same inputs and outputs, in the same order.
    """

    name: str
    nodes: tuple[str, ...]
    plain: ir.Model
    prepared: ir.Model

    def model(self, variant: str) -> ir.Model:
        """The slice's model of that variant."""
        return self.plain if variant == "plain" else self.prepared


@dataclass(frozen=True, slots=True)
class Wire:
    """A tensor from (slice, output position) to (slice, input position)."""

    tensor: str
    source: tuple[int, int]
    target: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Slicing:
    """The slices in executable order, the wires between them, and the model that was cut."""

    slices: tuple[Slice, ...]
    wires: tuple[Wire, ...]
    prepared: Prepared

    def whole(self, variant: str) -> ir.Model:
        """The whole model of that variant, large operators split."""
        return self.prepared.normalised if variant == "plain" else self.prepared.model

    def merged(self, index: int) -> tuple[tuple[str, ...], ...]:
        """The cut, as nodes per slice, with slice `index` (not the first) joined to that before."""
        nodes = [piece.nodes for piece in self.slices]
        return (*nodes[: index - 1], nodes[index - 1] + nodes[index], *nodes[index + 1 :])


def planned(scale: int | None = None) -> CircuitSpec:
    """The spec by which cuts are chosen, at so many bits: digits, rows and rebases come later."""
    bits = SCALES[0] if scale is None else scale
    return CircuitSpec(
        input_scale=bits, param_scale=bits, checks_boundary=False, integer_constants=True
    )


def group_graph(
    prepared: Prepared, groups: Mapping[str, str], spec: CircuitSpec
) -> "nx.DiGraph[str]":
    """The graph that cuts respect: groups with their weights."""
    graph = weighted_graph(prepared.normalised, groups)
    weigh(graph, group_weights(prepared.model, groups, spec))
    return graph


def choose_cut(
    prepared: Prepared, limits: Limits, spec: CircuitSpec
) -> tuple[tuple[str, ...], ...]:
    """The cheapest cut of the prepared model as it is, as names of normalised nodes per slice.

    Raises:
        NoCut: one operator alone exceeds the limits, or so many slices do; says how much it needs.
        InputError: more slices asked for than there are operators.
    """
    groups = rewrite_groups(prepared.normalised, prepared.sites)
    graph = group_graph(prepared, groups, spec)
    if limits.blocks is not None and limits.blocks > len(graph):
        raise InputError(
            f"--blocks asks for {limits.blocks} slices; "
            f"the model has {len(graph)} operators that a cut can part"
        )
    prices = Prices(spec, limits.memory, limits.max_logrows)
    try:
        found = slicer.cut(
            graph,
            lambda blocks: _seconds(prices, _priced(blocks, spec)),
            size=lambda blocks: Prices(spec).peaks(_priced(blocks, spec)),
            limit=math.inf if limits.memory is None else limits.memory,
            blocks=limits.blocks,
            workers=limits.workers,
            slack=SLACK,
        )
    except slicer.Infeasible as error:
        raise _no_cut(graph, error, limits, spec, prepared.sites) from error
    except slicer.SlicerError as error:
        raise InputError(str(error)) from error
    nodes = members(prepared.normalised, groups)
    return tuple(
        tuple(name for group in block.nodes for name in nodes[group])
        for block in found.partition.blocks
    )


def apply_cut(prepared: Prepared, cut: Sequence[Sequence[str]]) -> Slicing:
    """The slices of a cut given as names of normalised nodes, and the wires between them.

    Raises:
        InputError: the cut is no partition of the model's nodes into forward blocks, or parts what
            preparation made one operator.
    """
    graph = node_graph(prepared.normalised)
    try:
        partition = slicer.Partition.from_groups(graph, cut)
    except slicer.SlicerError as error:
        raise InputError(f"the cut does not fit the model: {error}") from None
    slices = tuple(
        Slice(
            name=f"{index:03d}",
            nodes=tuple(block.nodes),
            plain=_extract(prepared.normalised, block),
            prepared=_extract(prepared.model, block),
        )
        for index, block in enumerate(partition.blocks)
    )
    return Slicing(slices, _wires(slices), prepared)


def run_chain(
    slicing: Slicing, variant: str, feeds: Mapping[str, np.ndarray]
) -> list[tuple[Feeds, Feeds]]:
    """Inputs and outputs of every slice on ONNX Runtime, in order."""
    known: Feeds = dict(feeds)
    results = []
    for piece in slicing.slices:
        model = piece.model(variant)
        inputs = {spec.name: known[spec.name] for spec in input_specs(model)}
        outputs = Runner(model)(inputs)
        known.update(outputs)
        results.append((inputs, outputs))
    return results


def check_chain(
    slicing: Slicing, variant: str, feeds: Mapping[str, np.ndarray]
) -> list[tuple[Feeds, Feeds]]:
    """`run_chain`, after checking that the chained slices give exactly the whole model's output.

    Raises:
        Disagreement: they do not, bit for bit.
    """
    results = run_chain(slicing, variant, feeds)
    chained = {name: array for _, outputs in results for name, array in outputs.items()}
    for name, expected in Runner(slicing.whole(variant))(feeds).items():
        if not np.array_equal(chained[name], expected, equal_nan=True):
            raise Disagreement(
                f"the chained {variant} slices do not give the whole model's '{name}' exactly"
            )
    return results


def _no_cut(
    graph: "nx.DiGraph[str]",
    error: slicer.Infeasible,
    limits: Limits,
    spec: CircuitSpec,
    sites: Iterable[Site],
) -> NoCut:
    """Blame the largest operator or, if that fits, the number of slices."""
    one = [[node] for node in slicer.topological_order(graph)]
    blocks = slicer.Partition.from_groups(graph, one).blocks
    alone = next(block for block in blocks if block.nodes == (error.node,))
    load = _priced(slicer.loads_of(graph, [alone]), spec)
    cells = int(Prices(spec).cells(load)[0])
    rows = -(-cells // spec.num_inner_cols)
    fits = np.isfinite(Prices(spec, limits.memory, limits.max_logrows).seconds(load)).all()
    raised = f"raise --memory to {error.least * 1.02 / 1e6:.0f}MB or so"
    if fits:
        free = "" if limits.blocks is None else ", or leave --blocks to zkprep"
        return NoCut(
            "no cut into so many slices keeps each within the limits",
            least=math.ceil(error.least),
            hint=raised + ("" if limits.max_logrows is None else " or --max-logrows") + free,
        )
    whole = [site.reason for site in sites if site.rule == LEFT and error.node in site.nodes]
    return NoCut(
        f"operator '{error.node}' alone takes {cells:,} cells in {rows:,} rows, about "
        f"{error.need / 1e6:,.0f} MB to prove" + "".join(f"; {reason}" for reason in whole),
        least=math.ceil(error.least),
        hint=f"{raised}, --max-logrows to {(rows - 1).bit_length()}",
    )


def _seconds(prices: Prices, load: Loads) -> np.ndarray:
    """Prices are steps: of slices on one step those of fewer cells are to be preferred."""
    return _APIECE + prices.seconds(load) + _TIE * (load.cells + load.divided + load.checked)


def _priced(blocks: slicer.Loads, spec: CircuitSpec) -> Loads:
    """Loads as prices are asked for."""
    return loads(blocks.weights, blocks.inputs, blocks.outputs, spec)


def _extract(model: ir.Model, block: slicer.Block) -> ir.Model:
    """The sub-model between a block's inputs and outputs, as EZKL reads it rightly.

    Raises:
        InputError: the model has no such tensors, or more of it is read than the block's inputs.
    """
    try:
        graph = ir.convenience.extract(model.graph, list(block.inputs), list(block.outputs))
    except ValueError as error:
        raise InputError(f"the cut parts one operator of the prepared model: {error}") from None
    # onnx-ir collects initializers in a set of objects: bring them back into the model's order.
    weights = dict(graph.initializers)
    graph.initializers.clear()
    graph.initializers.update({n: weights[n] for n in model.graph.initializers if n in weights})
    piece = ir.Model(
        graph,
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
        domain=model.domain,
        model_version=model.model_version,
    )
    return run_passes(piece, (KeepBatchAxis(),)).model


def _wires(slices: Sequence[Slice]) -> tuple[Wire, ...]:
    produced: dict[str, tuple[int, int]] = {}
    wires = []
    for index, piece in enumerate(slices):
        for position, spec in enumerate(input_specs(piece.plain)):
            if spec.name in produced:
                wires.append(Wire(spec.name, produced[spec.name], (index, position)))
        for position, spec in enumerate(output_specs(piece.plain)):
            produced[spec.name] = (index, position)
    return tuple(wires)
