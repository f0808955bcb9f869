"""From a layout to what it takes: CPU seconds of setup and prove, peak memory of the prover.

The law is halo2's, with n rows, k = log2 n, E the factor of the extended domain, and columns of
all kinds; `polynomials` = advice + 2 * lookups + products:

    prove = s * (p0 + p1 * n * commits / k + p2 * n * E * polynomials + p3 * commits)
    setup = s * (k0 + (k1 * n + k2 * n * E + k3) * (fixed + permutation))
    peak  = m0 + b * (m1 * bytes of the proving key + (m2 + m3 * E) * 32 * n * polynomials)

A commitment is a multi-scalar multiplication over n points, whose windows grow with k; the quotient
and the key's cosets take FFTs over n * E; p3 and k3 are what a column costs however short it is.
The prover holds its key, and each polynomial once as it is and once extended. The constants are a
machine's. The defaults were fitted on two shared cores to 33 proofs with logrows 8 to 14, 1 to 7
inner columns and E = 4 and 8, together with 11 older ones with logrows 12 to 17: prove is off by
3 % in the mean of the former and 15 % at worst of all, setup by 4 % and 14 %, peak by 1 % and 6 %
(18 % too much without any lookup). CPU seconds, because wall time depends on who else is there.
"""

from dataclasses import dataclass

from zkprep.cost.circuit import Layout

_SCALAR_BYTES = 32


@dataclass(frozen=True, slots=True)
class Machine:
    """What the terms of the law cost on a machine.

    Attributes:
        slowness: s, CPU seconds per CPU second of the machine of the other constants.
        prove_start: p0, seconds.
        prove_commits: p1, seconds per million.
        prove_quotient: p2, seconds per million.
        prove_column: p3, seconds.
        setup_start: k0, seconds.
        setup_commits: k1, seconds per million.
        setup_cosets: k2, seconds per million.
        setup_column: k3, seconds.
        memory_start: m0, bytes.
        bulk: b, bytes beyond m0 per byte of the machine of the other constants.
        memory_key: m1.
        memory_polynomials: m2.
        memory_cosets: m3.
    """

    slowness: float = 1.0
    prove_start: float = 0.17
    prove_commits: float = 185.0
    prove_quotient: float = 2.34
    prove_column: float = 5.1e-4
    setup_start: float = 0.25
    setup_commits: float = 10.5
    setup_cosets: float = 1.72
    setup_column: float = 2.8e-3
    memory_start: float = 27e6
    bulk: float = 1.0
    memory_key: float = 1.24
    memory_polynomials: float = 0.94
    memory_cosets: float = 1.54


REFERENCE = Machine()
"""The machine of the default constants."""


@dataclass(frozen=True, slots=True)
class Work:
    """Predicted CPU seconds, and peak resident bytes of prove, which needs more than setup."""

    setup_cpu_seconds: float
    prove_cpu_seconds: float
    peak_bytes: int


def predict(circuit: Layout, machine: Machine = REFERENCE) -> Work:
    """What setting up and proving a circuit takes on `machine`."""
    points = circuit.rows / 1e6
    domain = points * circuit.extension
    polynomials = circuit.advice + 2 * circuit.lookups + circuit.products
    setup = machine.setup_start + (circuit.fixed + circuit.permutation) * (
        machine.setup_commits * points + machine.setup_cosets * domain + machine.setup_column
    )
    prove = (
        machine.prove_start
        + machine.prove_commits * points * circuit.commits / circuit.logrows
        + machine.prove_quotient * domain * polynomials
        + machine.prove_column * circuit.commits
    )
    held = machine.memory_polynomials + machine.memory_cosets * circuit.extension
    bulk = machine.memory_key * circuit.pk_bytes + held * _SCALAR_BYTES * circuit.rows * polynomials
    peak = machine.memory_start + machine.bulk * bulk
    return Work(machine.slowness * setup, machine.slowness * prove, round(peak))
