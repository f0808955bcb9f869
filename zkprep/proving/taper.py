"""Fewer bits towards the end of a chain: what is rounded late has few layers left to grow in.

A value rounded to s bits after the binary point is off by 2**-(s+1) at most, and every layer behind
it may make that more. So how many bits a slice needs depends on what comes after it: with the last
slices coarser than the first, a chain is as fine as before at its outputs. How far the scale may
fall ONNX Runtime says: it runs the chain with every slice's inputs and constants rounded, which is
most of what EZKL's integers do to them; EZKL's own witness decides afterwards, as always.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from zkprep.models.model import Feeds, Runner
from zkprep.proving.fidelity import errors
from zkprep.proving.trial import View

FEWEST_BITS = 4
SAMPLES = 4
"""On how many samples the chain is run here; the witness is compared on all."""

SHARE = 0.6
"""Of the tolerance that rounding may take; divisions and tables take the rest."""


def tapered(
    views: Sequence[View], outputs: Sequence[str], scale: int, tolerance: float
) -> list[int]:
    """Bits after the binary point for each slice: at first `scale`, never more than before it.

    Args:
        views: the slices in executable order.
        outputs: the tensors in which the chain ends.
        scale: that of the model's inputs, at which the whole chain is fine enough.
        tolerance: largest error of the outputs, as a share of their range.
    """
    chain, bits = _Chain(views, outputs), [scale] * len(views)
    allowed = max(SHARE * tolerance, chain.error(bits))
    for coarser in range(scale - 1, FEWEST_BITS - 1, -1):
        low, high = 0, len(views)
        while low < high:
            start = (low + high) // 2
            if chain.error(_lowered(bits, start, coarser)) <= allowed:
                high = start
            else:
                low = start + 1
        if high == len(views):
            break
        bits = _lowered(bits, high, coarser)
    return bits


def _lowered(bits: Sequence[int], start: int, coarser: int) -> list[int]:
    return [one if index < start else min(one, coarser) for index, one in enumerate(bits)]


@dataclass(slots=True)
class _Chain:
    """The slices on ONNX Runtime, rounded."""

    views: Sequence[View]
    outputs: Sequence[str]
    _runners: dict[tuple[int, int | None], Runner] = field(default_factory=dict)
    _exact: list[dict[str, NDArray[Any]]] = field(init=False)

    def __post_init__(self) -> None:
        """Run once without rounding: what the rest is compared with."""
        self._exact = [self._run(one, [None] * len(self.views)) for one in self._samples()]

    def error(self, bits: Sequence[int]) -> float:
        """The largest on the samples, as a share of the outputs' range."""
        pairs = zip(self._samples(), self._exact, strict=True)
        return max(errors(self._run(one, bits), exact).relative_error for one, exact in pairs)

    def _samples(self) -> range:
        return range(min(SAMPLES, len(self.views[0].samples)))

    def _run(self, sample: int, bits: Sequence[int | None]) -> dict[str, NDArray[Any]]:
        made: dict[str, NDArray[Any]] = {}
        for index, (view, few) in enumerate(zip(self.views, bits, strict=True)):
            read = {name: made.get(name, value) for name, value in view.samples[sample].items()}
            made |= self._runner(index, few)(_rounded(read, few))
        return {name: made[name] for name in self.outputs}

    def _runner(self, index: int, bits: int | None) -> Runner:
        if (index, bits) not in self._runners:
            model = self.views[index].model
            self._runners[index, bits] = Runner(model if bits is None else _coarse(model, bits))
        return self._runners[index, bits]


def _coarse(model: ir.Model, bits: int) -> ir.Model:
    """The model with its constants rounded; integers are as they were."""
    rounded = model.clone()
    for value in rounded.graph.initializers.values():
        if value.const_value is not None:
            array = _round(value.const_value.numpy(), bits)
            value.const_value = ir.tensor(array, name=value.name)
    return rounded


def _rounded(feeds: Mapping[str, NDArray[Any]], bits: int | None) -> Feeds:
    return dict(feeds) if bits is None else {n: _round(v, bits) for n, v in feeds.items()}


def _round(array: NDArray[Any], bits: int) -> NDArray[Any]:
    if array.dtype.kind != "f":
        return array
    return np.asarray(np.round(array * 2.0**bits) / 2.0**bits, dtype=array.dtype)
