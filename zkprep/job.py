"""What every step of a run needs, in one value."""

from dataclasses import dataclass

from zkprep.backends.base import Backend
from zkprep.model import Feeds
from zkprep.options import Options
from zkprep.prepare import Prepared
from zkprep.store import Run


@dataclass(frozen=True, slots=True)
class Job:
    """A run, its prover, the prepared model, the user's input by name, and the options."""

    run: Run
    backend: Backend
    prepared: Prepared
    feeds: Feeds
    options: Options
