"""A slicing as reports show it: slices, prepared operators, the tensors between them."""

from collections.abc import Sequence

import onnx_ir as ir
from msgspec.structs import replace

from zkprep.circuit import CircuitSpec
from zkprep.cost.cells import predict
from zkprep.cost.loads import Prices
from zkprep.models.model import input_specs, output_specs
from zkprep.models.twins import firsts, structure
from zkprep.report.cut import Cut, CutOperator, CutSlice, CutTensor
from zkprep.report.types import SliceReport
from zkprep.slicing.groups import elements
from zkprep.slicing.slices import Slice, Slicing, planned
from zkprep.slicing.weights import whole_load


def drawn(slicing: Slicing, specs: Sequence[CircuitSpec] = ()) -> Cut:
    """The cut, predicted: each slice under its spec, or all under that by which cuts are chosen."""
    specs = specs or [planned()] * len(slicing.slices)
    home: dict[str, tuple[int, int]] = {}
    for index, (piece, spec) in enumerate(zip(slicing.slices, specs, strict=True)):
        for name, own in predict(piece.prepared, spec).items():
            home[name] = (index, own.total)
    nodes = [node for node in slicing.prepared.model.graph if str(node.name) in home]
    operators = [
        CutOperator(
            name=str(node.name),
            op=node.op_type,
            slice=home[str(node.name)][0],
            cells=home[str(node.name)][1],
        )
        for node in nodes
    ]
    first = firsts([structure(piece.prepared) for piece in slicing.slices])
    slices = [
        _slice(piece, spec, slicing.slices[twin].name if twin < index else "")
        for index, (piece, spec, twin) in enumerate(zip(slicing.slices, specs, first, strict=True))
    ]
    return Cut(slices=slices, operators=operators, tensors=_tensors(slicing, nodes))


def drawn_as_reported(
    slicing: Slicing, specs: Sequence[CircuitSpec], slices: Sequence[SliceReport]
) -> Cut:
    """The cut of a run: each slice with what was counted and, if it was proved, measured."""
    cut = drawn(slicing, specs)
    return replace(
        cut,
        slices=[
            replace(
                piece,
                cells=part.counts.cells,
                prove_cpu_seconds=(part.measured or part.predicted).prove_cpu_seconds,
                peak_bytes=(part.measured or part.predicted).peak_bytes,
                twin=part.twin,
            )
            for piece, part in zip(cut.slices, slices, strict=True)
        ],
    )


def _slice(piece: Slice, spec: CircuitSpec, twin: str) -> CutSlice:
    inputs, outputs = input_specs(piece.prepared), output_specs(piece.prepared)
    load = whole_load(piece.prepared, spec)
    prices = Prices(spec)
    return CutSlice(
        name=piece.name,
        nodes=list(piece.nodes),
        ops=len(piece.prepared.graph),
        inputs=[tensor.name for tensor in inputs],
        outputs=[tensor.name for tensor in outputs],
        cells=int(prices.cells(load)[0]),
        prove_cpu_seconds=round(float(prices.seconds(load)[0]), 3),
        peak_bytes=int(prices.peaks(load)[0]),
        twin=twin,
    )


def _tensors(slicing: Slicing, nodes: Sequence[ir.Node]) -> list[CutTensor]:
    place = {node: index for index, node in enumerate(nodes)}
    graph = slicing.prepared.model.graph
    values = [*graph.inputs, *(value for node in nodes for value in node.outputs)]
    return [
        CutTensor(
            name=str(value.name),
            elements=elements(value),
            source=place.get(producer) if (producer := value.producer()) else None,
            readers=sorted({place[one] for one in value.consumers() if one in place}),
            leaves=value.is_graph_output(),
        )
        for value in values
        if value.is_graph_output() or value.consumers()
    ]
