"""What is chosen for a slice, within which limits, and from which scales all else follows."""

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from zkprep.circuit import CircuitSpec
from zkprep.cost.circuit import Layout
from zkprep.cost.work import REFERENCE, Machine
from zkprep.errors import TooLarge

SMALLEST_LOGROWS = 8
LARGEST_LOGROWS = 23


class Point(NamedTuple):
    """What the scales of all tensors of a slice follow from."""

    input_scale: int
    param_scale: int
    multiplier: int
    descents: tuple[int, ...] = ()
    exits: tuple[int, ...] = ()
    landings: tuple[tuple[int, int], ...] = ()

    @property
    def limit(self) -> int:
        """Scale beyond which EZKL rebases."""
        return self.multiplier * max(self.input_scale, self.param_scale)


@dataclass(frozen=True, slots=True)
class Limits:
    """What every circuit has to keep.

    Attributes:
        memory: most bytes that proving may take.
        logrows: most rows, as a power of two.
        least: least rows, as a power of two.
        margin: how many times as large as the samples' the values may be.
        multiplier: largest rebase multiplier.
        lands: whether tensors may land (zkprep.tune.landings).
        machine: whose memory it is; the reference machine's, so that all choose alike.
    """

    memory: int
    logrows: int = LARGEST_LOGROWS
    least: int = SMALLEST_LOGROWS
    margin: int = 4
    multiplier: int = 16
    lands: bool = True
    machine: Machine = REFERENCE


@dataclass(frozen=True, slots=True)
class Choice:
    """A circuit of a slice and its price.

    Attributes:
        spec: the settings.
        layout: the circuit they make.
        cells: of the circuit, with its boundary.
        input_scales: of the slice's inputs.
        output_scales: of its outputs.
        seconds: CPU seconds to prove it on the reference machine.
        peak: bytes to prove it.
        headroom: how many times as large as the samples' the values may be.
        exact: whether the settings are EZKL's own, not an estimate.
    """

    spec: CircuitSpec
    layout: Layout
    cells: int
    input_scales: tuple[int, ...]
    output_scales: tuple[int, ...]
    seconds: float
    peak: int
    headroom: float
    exact: bool


class SliceTooLarge(TooLarge):
    """No circuit of the slice keeps the memory: `room` bytes are there, it takes `need`."""

    def __init__(self, name: str, need: int, room: int) -> None:
        super().__init__(
            f"slice {name} needs {ceil(need / 1e6):,} MB to prove; "
            f"the limit is {room // 10**6:,} MB",
            stage="tune",
            slice_name=name,
            hint=f"raise --memory to {ceil(need * 1.02 / 1e6)}MB or so",
        )
        self.need, self.room = need, room
