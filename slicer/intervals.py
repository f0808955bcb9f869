"""Every interval of an order as a block, its border updated node by node.

With the order and the start fixed, a node that joins at the end changes the border only by the
tensors it touches: an input appears with its first reader here when it was born before the start;
an output appears with its producer and disappears with its last reader, unless it leaves the model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from slicer.graph import Tensor
from slicer.partition import Block


class Interval(NamedTuple):
    """Nodes `start` to `stop` - 1 of an order, as a block."""

    start: int
    stop: int
    block: Block


@dataclass(frozen=True, slots=True)
class _Life:
    """A tensor from the position that bears it (-1: a model input) to the last that needs it."""

    name: str
    elements: int
    born: int
    dies: int


def intervals(
    order: Sequence[str], tensors: Sequence[Tensor], blocks: int | None
) -> Iterator[Interval]:
    """The intervals of `order`, by start and then stop.

    Args:
        order: nodes in topological order.
        tensors: of the graph.
        blocks: leaves out intervals that no partition into exactly so many intervals has; None
            leaves out none.
    """
    reads, produces = _lives(order, tensors)
    for start in range(len(order)):
        inputs: dict[str, int] = {}
        outputs: dict[str, int] = {}
        for last in range(start, len(order)):
            for life in reads[last]:
                if life.born < start:
                    inputs[life.name] = life.elements
                elif life.dies == last:
                    del outputs[life.name]
            outputs.update((life.name, life.elements) for life in produces[last])
            if _usable(start, last + 1, len(order), blocks):
                nodes = tuple(order[start : last + 1])
                block = Block(nodes, dict(sorted(inputs.items())), dict(sorted(outputs.items())))
                yield Interval(start, last + 1, block)


def _usable(start: int, stop: int, places: int, blocks: int | None) -> bool:
    """Whether the nodes left and right of the interval can make up the other `blocks` - 1."""
    if blocks is None:
        return True
    sides = (start > 0) + (stop < places)
    return sides <= blocks - 1 <= start + (places - stop)


def _lives(
    order: Sequence[str], tensors: Sequence[Tensor]
) -> tuple[list[list[_Life]], list[list[_Life]]]:
    """The tensors that each position of `order` reads, and those that it produces."""
    position = {node: index for index, node in enumerate(order)}
    reads: list[list[_Life]] = [[] for _ in order]
    produces: list[list[_Life]] = [[] for _ in order]
    for tensor in tensors:
        readers = [position[reader] for reader in tensor.readers]
        born = -1 if tensor.producer is None else position[tensor.producer]
        dies = len(order) if tensor.leaves else max(readers)
        life = _Life(tensor.name, tensor.elements, born, dies)
        for reader in readers:
            reads[reader].append(life)
        if tensor.producer is not None:
            produces[born].append(life)
    return reads, produces
