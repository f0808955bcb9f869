"""From a layout to what it takes: CPU seconds of setup and prove, peak memory of the prover.

The law is halo2's, with n rows, E the factor of the extended domain, and columns of all kinds:

    prove = s * (p0 + p1 * n * commits + p2 * n * E * (advice + 2 * lookups + products))
    setup = s * (k0 + k1 * n * (fixed + permutation) + k2 * n * E * (fixed + permutation))
    peak  = m0 + m1 * bytes of the proving key

A commitment is a multi-scalar multiplication over n points; the quotient and the key's cosets take
FFTs over n * E; the prover holds its key twice and more. The constants are a machine's. The
defaults were fitted on two shared cores: prove on 35 proofs with logrows 9 to 18 (mean error 11 %,
worst 40 % on a proof of 3 s), setup on 8 keys with logrows 15 to 17 (within 14 %), peak so that it
is seldom short (by 7 % with static tables; up to a third too much). On 11 other circuits with
logrows 10 to 12, on a machine 1.4 times as fast by both laws, the error that is left is 10 % on
average and 21 % at most. CPU seconds, because wall time depends on who else is there.
"""

from dataclasses import dataclass

from zkprep.cost.circuit import Layout


@dataclass(frozen=True, slots=True)
class Machine:
    """What the terms of the law cost on a machine.

    Attributes:
        slowness: s, CPU seconds per CPU second of the machine of the other constants.
        prove_start: p0, seconds.
        prove_commits: p1, seconds per million.
        prove_quotient: p2, seconds per million.
        setup_start: k0, seconds.
        setup_commits: k1, seconds per million.
        setup_cosets: k2, seconds per million.
        memory_start: m0, bytes.
        memory_per_key_byte: m1.
    """

    slowness: float = 1.0
    prove_start: float = 0.5
    prove_commits: float = 8.9
    prove_quotient: float = 3.0
    setup_start: float = 0.4
    setup_commits: float = 11.0
    setup_cosets: float = 1.6
    memory_start: float = 60e6
    memory_per_key_byte: float = 2.6


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
    columns = circuit.fixed + circuit.permutation
    setup = machine.setup_start + columns * (
        machine.setup_commits * points + machine.setup_cosets * domain
    )
    prove = (
        machine.prove_start
        + machine.prove_commits * points * circuit.commits
        + machine.prove_quotient * domain * polynomials
    )
    return Work(
        setup_cpu_seconds=machine.slowness * setup,
        prove_cpu_seconds=machine.slowness * prove,
        peak_bytes=round(machine.memory_start + machine.memory_per_key_byte * circuit.pk_bytes),
    )
