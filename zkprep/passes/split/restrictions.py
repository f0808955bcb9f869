"""A region of an operator's output, from regions of its inputs.

A rule says, for a region of a node's first output, which region of each input it depends on and
which attributes the operator then has: the restricted operator makes that region and nothing else,
with the same arithmetic for every element. A rule refuses with a reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from zkprep.passes.split.regions import Region


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a region of an output takes.

    Attributes:
        inputs: the region of each input; None for one that is read as it is, or left out.
        attributes: those that change.
    """

    inputs: tuple[Region | None, ...]
    attributes: Mapping[str, ir.Attr] = field(default_factory=dict)


Rule = Callable[[ir.Node, Region], Restriction | str]
