"""What every step of a run needs, in one value."""

from dataclasses import dataclass

from zkprep.backends.base import Backend
from zkprep.model import Feeds
from zkprep.options import Options
from zkprep.prepare import Prepared
from zkprep.store import Run


@dataclass(frozen=True, slots=True)
class Job:
    """What every step of a run needs.

    Attributes:
        run: the run directory, open.
        backend: the prover.
        prepared: the model before and after preparation.
        feeds: the user's input, by name.
        samples: more inputs, within the ranges of the user's, to tune for and to compare on.
        options: what the user asked for.
        scale: bits after the binary point, of the model's inputs and of all constants.
    """

    run: Run
    backend: Backend
    prepared: Prepared
    feeds: Feeds
    samples: tuple[Feeds, ...]
    options: Options
    scale: int
