"""What every step of a run needs, in one value."""

from dataclasses import dataclass

from zkprep.backends.base import Backend
from zkprep.execute.task import Executor
from zkprep.models.model import Feeds
from zkprep.options import SCALES, Options
from zkprep.prepare import Prepared
from zkprep.runs.store import Run


@dataclass(frozen=True, slots=True)
class Fit:
    """At which scale, and how boldly, circuits are chosen.

    Attributes:
        scale: bits after the binary point, of the model's inputs and, unless it says less, of all.
        margin: how many times as large as in the samples values may be.
        multiplier: largest scale, as a multiple of a slice's own, that its rebases may wait for.
        lands: whether tensors may be divided where that is cheapest.
        tapered: whether later slices may have fewer bits than `scale`.
        coarse: whether constants may have fewer bits than `scale`, slice by slice.
        whole: whether the model stays one slice.
    """

    scale: int = SCALES[0]
    margin: int = 4
    multiplier: int = 16
    lands: bool = True
    tapered: bool = False
    coarse: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What every step of a run needs.

    Attributes:
        run: the run directory, open.
        backend: the prover.
        executor: where it proves.
        prepared: the model before and after preparation.
        inputs: the user's inputs, by name; circuits are fitted to the first.
        samples: more inputs, within the ranges of the user's, to tune for and to compare on.
        given: more inputs that the user gave, on which the tolerance has to be kept: `--samples`,
            and those to be proved that a fit to the others did not hold.
        options: what the user asked for.
        fit: at which scale, and how boldly, circuits are chosen.
    """

    run: Run
    backend: Backend
    executor: Executor
    prepared: Prepared
    inputs: tuple[Feeds, ...]
    samples: tuple[Feeds, ...]
    options: Options
    given: tuple[Feeds, ...] = ()
    fit: Fit = Fit()

    @property
    def feeds(self) -> Feeds:
        """The first of the user's inputs."""
        return self.inputs[0]

    @property
    def scale(self) -> int:
        """Bits after the binary point, of the model's inputs and of all constants."""
        return self.fit.scale
