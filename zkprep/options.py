"""What a user can ask of a preparation; one value that every verb shares."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from zkprep.errors import InputError
from zkprep.room import available_memory

MEMORY_SHARE = 0.8
TOLERANCE = 0.01
"""Largest error of a circuit's output where no other is asked for."""

SCALES = (8, 9, 10, 11, 12, 13, 14, 16, 18, 20)
"""Scales that are tried in turn where none is asked for."""

ENOUGH = 16
"""The scale that does for nearly all: finer ones are tried where it misses what has to be kept."""


class Baselines(StrEnum):
    """What to do with the variants a preparation is compared with."""

    PROVE = "prove"
    COUNT = "count"
    NONE = "none"


class Link(StrEnum):
    """How a link is checked: equal values, or equal commitments to them."""

    PUBLIC = "public"
    POLYCOMMIT = "polycommit"


class InputVisibility(StrEnum):
    """Whether a verifier sees the model's inputs."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Links:
    """How links are checked: everywhere, and by tensor where that is said."""

    everywhere: Link = Link.PUBLIC
    tensors: Mapping[str, Link] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a preparation.

    Attributes:
        dims: values of named dimensions.
        scale: bits after the binary point, of inputs and constants alike; None: as few as the
            tolerance needs.
        tolerance: largest error of a circuit's output, as a share of the output's range. Only
            where it is larger than TOLERANCE may the largest element be another than the model's.
        memory: most bytes that proving a slice may take; None: 80 % of what is available.
        max_logrows: a slice's rows fit into 2**max_logrows.
        blocks: number of slices.
        workers: how many slices are to be proved side by side: the cut is then the one of least
            time instead of least work.
        max_proof_bytes: most bytes of all raw proofs together.
        samples: more inputs to tune for and to keep the tolerance on (`zkprep.models.inputs`).
        baselines: what to do with the variants `plain` and `ezkl`: prove them too, only count
            them, or leave them out.
        keep_head: prove Softmax, LogSoftmax, Sigmoid and ArgMax at the model's end too; otherwise
            the verifier evaluates them.
        links: how the tensors between slices are seen, and so compared, by a verifier.
        input_visibility: whether a verifier sees the model's inputs.
        allow_test_srs: generate a test-only SRS where the ceremony's cannot be had.
        calibrate: measure what proofs cost on this machine before the first one is made on it;
            no part of what is asked of a run.
    """

    dims: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    scale: int | None = None
    tolerance: float = TOLERANCE
    memory: int | None = None
    max_logrows: int | None = None
    blocks: int | None = None
    workers: int | None = None
    max_proof_bytes: int | None = None
    samples: Path | None = None
    baselines: Baselines = Baselines.COUNT
    keep_head: bool = False
    links: Links = Links()
    input_visibility: InputVisibility = InputVisibility.PUBLIC
    allow_test_srs: bool = True
    calibrate: bool = field(default=True, repr=False, compare=False)

    @property
    def keeps_argmax(self) -> bool:
        """Whether the largest element of every output has to be the model's."""
        return self.tolerance <= TOLERANCE

    def __post_init__(self) -> None:
        """Refuse what no preparation can be asked for.

        Raises:
            InputError: an option is out of its range.
        """
        for name, value, low, high in (
            ("--scale", self.scale, 1, 30),
            ("--max-logrows", self.max_logrows, 6, 26),
            ("--blocks", self.blocks, 1, 10_000),
            ("--workers", self.workers, 1, 10_000),
            ("--max-proof-bytes", self.max_proof_bytes, 1, 10**12),
        ):
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} is {value}; it must be from {low} to {high}")
        if self.blocks is not None and self.workers is not None:
            raise InputError("--blocks and --workers were given; each alone decides the cut")
        if not 0 < self.tolerance < 1:
            raise InputError(f"--tolerance is {self.tolerance}; it must be between 0 and 1")


def memory_limit(options: Options) -> int:
    """Most bytes that proving a slice may take: what was asked for, or a share of what is free."""
    if options.memory is not None:
        return options.memory
    return int(MEMORY_SHARE * available_memory())


_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parse_memory(text: str | None) -> int | None:
    """Bytes of "8GiB", "500MB" or "1000000"; None stays None.

    Raises:
        InputError: not an amount of memory.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text.strip().lower())
    units = _UNITS | _BINARY_UNITS
    if match is None or match[2] not in units or float(match[1]) * units[match[2]] < 1:
        raise InputError(
            f"'{text}' is no amount of memory: expected such as 8GiB, 500MB or 1000000"
        )
    return int(float(match[1]) * units[match[2]])


def parse_dims(pairs: Iterable[str]) -> dict[str, int]:
    """{"batch": 1} of ["batch=1"].

    Raises:
        InputError: not NAME=VALUE with a positive whole number, or a name given twice.
    """
    dims: dict[str, int] = {}
    for pair in pairs:
        name, _, value = pair.rpartition("=")
        if not name or not re.fullmatch(r"[1-9]\d{0,8}", value):
            raise InputError(f"--dim '{pair}' is not NAME=VALUE with a positive whole number")
        if name in dims:
            raise InputError(f"--dim sets '{name}' twice")
        dims[name] = int(value)
    return dims


def parse_links(given: Iterable[str]) -> Links:
    """How links are checked, of ["polycommit", "a=public"].

    Raises:
        InputError: not MODE or TENSOR=MODE with a mode that there is, or said twice.
    """
    everywhere: Link | None = None
    tensors: dict[str, Link] = {}
    for text in given:
        tensor, _, mode = text.rpartition("=")
        if mode not in list(Link):
            modes = " or ".join(Link)
            raise InputError(f"--link '{text}' is not MODE or TENSOR=MODE, where MODE is {modes}")
        if tensor in tensors or (not tensor and everywhere is not None):
            named = f"'{tensor}' is" if tensor else "links are"
            raise InputError(f"--link says twice how {named} checked")
        if tensor:
            tensors[tensor] = Link(mode)
        else:
            everywhere = Link(mode)
    return Links(everywhere or Link.PUBLIC, tensors)
