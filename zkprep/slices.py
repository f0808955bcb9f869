"""From a model to slices: rewrite groups, a weighted graph of them, a partition, sub-models, wires.

A rewrite group is a set of nodes of the normalised model that the passes turn into one operator; a
cut never parts one. Boundary tensors are therefore tensors that exist, with equal values, in the
normalised and in the prepared model, and one partition cuts both. This module alone imports slicer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

import slicer
from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import boundary_input, boundary_output
from zkprep.cost.work import estimate, most_cells
from zkprep.errors import Disagreement, InputError, TooLarge
from zkprep.groups import (
    elements,
    group_cells,
    members,
    node_graph,
    rewrite_groups,
    values,
    weighted_graph,
)
from zkprep.model import Feeds, Runner, input_specs, output_specs
from zkprep.passes.base import Site, run_passes
from zkprep.passes.circuit.batch_axis import KeepBatchAxis

if not getattr(slicer, "__zkprep__", False):
    raise ImportError(
        "the installed package 'slicer' is another project's; install zkprep in an environment "
        "of its own, without the PyPI distribution 'slicer'"
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bytes a slice may take to prove, most rows as a power of two, number of slices."""

    memory: int | None = None
    max_logrows: int | None = None
    blocks: int | None = None


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
    """The slices in executable order and the wires between them."""

    slices: tuple[Slice, ...]
    wires: tuple[Wire, ...]

    def merged(self, index: int) -> tuple[tuple[str, ...], ...]:
        """The cut, as nodes per slice, with slice `index` joined to the one before it."""
        nodes = [piece.nodes for piece in self.slices]
        return (*nodes[: index - 1], nodes[index - 1] + nodes[index], *nodes[index + 1 :])


def choose_cut(
    normalised: ir.Model,
    prepared: ir.Model,
    sites: Iterable[Site],
    limits: Limits,
    spec: CircuitSpec,
) -> tuple[tuple[str, ...], ...]:
    """The cheapest cut under `limits`, as names of normalised nodes per slice.

    Raises:
        TooLarge: one operator alone exceeds the limits; says how much it needs.
        InputError: more slices asked for than there are operators.
    """
    groups = rewrite_groups(normalised, sites)
    graph = weighted_graph(normalised, groups)
    if limits.blocks is not None and limits.blocks > len(graph):
        raise InputError(
            f"--blocks asks for {limits.blocks} slices; "
            f"the model has {len(graph)} operators that a cut can part"
        )
    weights = group_cells(prepared, groups, spec)
    sizes = {value.name: elements(value) for value in values(normalised)}
    per_input, per_output = boundary_input(spec), boundary_output(spec)

    def cells(block: slicer.Block) -> int:
        inside = sum(weights.get(node, 0) for node in block.nodes)
        read = sum(sizes[name] for name in block.inputs)
        return inside + read * per_input + sum(sizes[name] for name in block.outputs) * per_output

    most = most_cells(spec, limits.memory, limits.max_logrows)
    try:
        partition = slicer.cut(
            graph,
            lambda block: estimate(cells(block), spec).prove_cpu_seconds,
            size=cells,
            limit=most,
            blocks=limits.blocks,
        )
    except slicer.SlicerError as error:
        alone = slicer.Partition.from_groups(
            graph, [[group] for group in slicer.topological_order(graph)]
        )
        raise _too_large(max(alone.blocks, key=cells), cells, most, spec) from error
    nodes = members(normalised, groups)
    return tuple(
        tuple(name for group in block.nodes for name in nodes[group]) for block in partition.blocks
    )


def apply_cut(normalised: ir.Model, prepared: ir.Model, cut: Sequence[Sequence[str]]) -> Slicing:
    """The slices of a cut given as names of normalised nodes, and the wires between them.

    Raises:
        InputError: the cut is no partition of the model's nodes into forward blocks.
    """
    graph = node_graph(normalised)
    try:
        partition = slicer.Partition.from_groups(graph, cut)
    except slicer.SlicerError as error:
        raise InputError(f"the cut does not fit the model: {error}") from None
    slices = tuple(
        Slice(
            name=f"{index:03d}",
            nodes=tuple(block.nodes),
            plain=_extract(normalised, block),
            prepared=_extract(prepared, block),
        )
        for index, block in enumerate(partition.blocks)
    )
    return Slicing(slices, _wires(slices))


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
    slicing: Slicing, variant: str, whole: ir.Model, feeds: Mapping[str, np.ndarray]
) -> list[tuple[Feeds, Feeds]]:
    """`run_chain`, after checking that the chained slices give exactly `whole`'s output.

    Raises:
        Disagreement: they do not, bit for bit.
    """
    results = run_chain(slicing, variant, feeds)
    chained = {name: array for _, outputs in results for name, array in outputs.items()}
    for name, expected in Runner(whole)(feeds).items():
        if not np.array_equal(chained[name], expected, equal_nan=True):
            raise Disagreement(
                f"the chained {variant} slices do not give the whole model's '{name}' exactly"
            )
    return results


def _too_large(
    block: slicer.Block, cells: Callable[[slicer.Block], int], most: int, spec: CircuitSpec
) -> TooLarge:
    """Blame the largest operator or, if that fits, the number of slices."""
    need = cells(block)
    if need <= most:
        return TooLarge(
            f"no cut into so many slices keeps each within {most:,} cells",
            hint="raise --memory or --max-logrows, or leave --blocks to zkprep",
        )
    work, rows = estimate(need, spec), -(-need // spec.num_inner_cols)
    return TooLarge(
        f"operator '{block.nodes[0]}' alone takes {need:,} cells in {rows:,} rows, about "
        f"{work.peak_bytes / 1e6:,.0f} MB to prove; within the limits a slice has {most:,} cells",
        hint=f"raise --memory to {work.peak_bytes * 1.02 / 1e6:.0f}MB, "
        f"--max-logrows to {(rows - 1).bit_length()}",
    )


def _extract(model: ir.Model, block: slicer.Block) -> ir.Model:
    """The sub-model between a block's inputs and outputs, as EZKL reads it rightly."""
    graph = ir.convenience.extract(model.graph, list(block.inputs), list(block.outputs))
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
