"""By which constants a report predicts CPU seconds and memory: a fit to the machine, or none."""

from typing import Annotated

import msgspec

_Error = Annotated[float, msgspec.Meta(ge=0)]
_Factor = Annotated[float, msgspec.Meta(gt=0)]


class Constants(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fit of the law of work to the machine, by which a report predicts (zkprep.cost.machine).

    Attributes:
        slowness: CPU seconds per CPU second of the reference machine.
        memory_start: bytes of a prover that has nothing to prove.
        bulk: bytes beyond these per byte of the reference machine.
        time_error: largest relative error of CPU seconds over the probes.
        memory_error: largest relative error of peak bytes.
        busy: whether others used the machine while it was measured.
    """

    slowness: _Factor
    memory_start: float
    bulk: _Factor
    time_error: _Error
    memory_error: _Error
    busy: bool
