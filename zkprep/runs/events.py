"""What a run tells while it lasts: one value per event, for the display and for --events."""

import time
from collections.abc import Callable
from typing import Literal

import msgspec

Kind = Literal["note", "plan", "start", "memory", "kept", "done", "retry", "failed", "draining"]


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something that happened to a stage, or to the run as a whole.

    Attributes:
        kind: `note` something worth a line; `plan` so much is left to do; `start`, `done`, `failed`
            of a stage, `retry` it starts over; `kept` it was done before; `memory` what its worker
            holds; `draining` no further stage starts.
        slice: variant, slice and, if there are several, input: "prepared/003", "prepared/003/001".
        stage: "setup", "prove", ...
        threads: that a stage started with.
        seconds: wall time that a stage took; of a plan, that all is expected to take.
        cpu_seconds: that a stage took; predicted, at its start.
        bytes: peak memory of a stage; predicted, at its start; held now; of a plan, its limit.
        stages: of a plan, how many are left.
        reason: why a stage failed or starts over; what a note says.
        at: seconds since 1970.
    """

    kind: Kind
    slice: str = ""
    stage: str = ""
    threads: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    bytes: int = 0
    stages: int = 0
    reason: str = ""
    at: float = msgspec.field(default_factory=time.time)


Notify = Callable[[Event], None]
"""Told of every event, from any thread, one at a time."""


def silent(_event: Event) -> None:
    """Tell nobody."""
