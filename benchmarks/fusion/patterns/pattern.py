"""One pattern of the survey: a model, and how few nodes an exact fusion leaves of it.

Nodes are counted with model-local functions inlined and with those of every branch; Constant nodes
are data and do not count.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import onnx.inliner

from benchmarks.fusion.building import DIFFERENT, Net, Size

Build = Callable[[Net, Size], str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A model that fuses to `ideal` nodes, or a trap (`ideal` None) that has to stay."""

    family: str
    name: str
    build: Build
    ideal: int | None
    options: dict[str, Any] = field(default_factory=dict)
    external: bool = False

    @property
    def is_trap(self) -> bool:
        """Whether nothing may be fused."""
        return self.ideal is None

    def model(self, size: Size = DIFFERENT) -> onnx.ModelProto:
        """The model in that size, the same every time."""
        net = Net(**self.options)
        outputs = self.build(net, size)
        return net.model(*([outputs] if isinstance(outputs, str) else outputs))

    def write(self, folder: Path, size: Size = DIFFERENT) -> Path:
        """The model as a file in `folder`, its weights in a second one if the pattern says so."""
        path = folder / "model.onnx"
        model = self.model(size)
        if self.external:
            keep = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
            onnx.save(model, path, **keep)
        else:
            onnx.save(model, path)
        return path


class Family:
    """Patterns of one kind, in the order they are added."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.patterns: list[Pattern] = []

    def add(
        self,
        name: str,
        ideal: int | None,
        build: Build,
        *,
        external: bool = False,
        **options: Any,
    ) -> None:
        """Add a pattern; `options` are those of `Net`."""
        self.patterns.append(Pattern(self.name, name, build, ideal, options, external))

    def trap(self, name: str, build: Build, **options: Any) -> None:
        """Add a pattern that has to stay."""
        self.add(name, None, build, **options)


def count_nodes(model: onnx.ModelProto) -> int:
    """Nodes of every graph of `model`, functions inlined, Constants left out."""
    return sum(node.op_type != "Constant" for node in every_node(model))


def every_node(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes of every graph of `model`, functions inlined."""
    flat = onnx.inliner.inline_local_functions(model) if model.functions else model
    yield from _of_graph(flat.graph)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _of_graph(attribute.g)
