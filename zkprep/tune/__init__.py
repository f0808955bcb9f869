"""The cheapest circuits that hold a chain's values, chosen by calculation before anything is built.

Soundness is not a choice: Freivalds stays off and parameters stay fixed whatever is chosen here
(zkprep.circuit), and boundary range checks are left to the verifier, who does check them (rule 5 of
zkprep.verifying.chain). What is chosen decides cost and precision alone.
"""

from zkprep.tune.chain import ScaleConflict, proof_bytes, tuned
from zkprep.tune.choice import LARGEST_LOGROWS, Choice, Limits, Point, SliceTooLarge
from zkprep.tune.circuits import Circuits
from zkprep.tune.demand import LARGEST_OUTPUT, Demand
from zkprep.tune.entry import entries
from zkprep.tune.explain import Saving, explain
from zkprep.tune.plain import plain
from zkprep.tune.precision import refined

__all__ = [
    "LARGEST_LOGROWS",
    "LARGEST_OUTPUT",
    "Choice",
    "Circuits",
    "Demand",
    "Limits",
    "Point",
    "Saving",
    "ScaleConflict",
    "SliceTooLarge",
    "entries",
    "explain",
    "plain",
    "proof_bytes",
    "refined",
    "tuned",
]
