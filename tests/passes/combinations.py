"""Patterns in combinations that the survey does not have; each says what must be left."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx

from benchmarks.fusion.building import Net

Build = Callable[[Net], str]


@dataclass(frozen=True)
class Case:
    """A model, the operators that fusion leaves of it, and what one of the reasons says."""

    build: Build
    left: list[str]
    reason: str
    options: dict[str, Any]

    def model(self) -> onnx.ModelProto:
        """The model, without a recorded shape between its operators."""
        net = Net(**self.options)
        made = net.model(self.build(net))
        del made.graph.value_info[:]
        return made


CASES: dict[str, Case] = {}


def case(left: str, reason: str = "", **options: Any) -> Callable[[Build], Build]:
    """Register a builder by its name; the options are those of its Net."""

    def register(build: Build) -> Build:
        assert build.__name__ not in CASES
        CASES[build.__name__] = Case(build, left.split(), reason, options)
        return build

    return register
