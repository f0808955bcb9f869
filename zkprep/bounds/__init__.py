"""Can a value of a circuit leave the field? The worst that values in range can do, by EZKL's graph.

Between two range checks a circuit adds and multiplies modulo p. Where no value can reach p/2, for
any inputs that pass their checks, it computes with integers, and what is proved is what it seems.
"""

from zkprep.bounds.circuits import Circuit, Wrapping, wrapping

__all__ = ["Circuit", "Wrapping", "wrapping"]
