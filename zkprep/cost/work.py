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

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

from zkprep.circuit import CircuitSpec, EinsumParams, ModuleSizes, RunArgs, Settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS, Layout, layout

LOGROWS = range(10, 24)
"""Sizes that `estimate` considers."""

LARGEST_CELLS = 1 << 36
"""What `most_cells` answers when nothing limits it."""

_PRECISION_BITS = 7


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


def estimate(cells: int, spec: CircuitSpec) -> Work:
    """The least work of a circuit of which only the number of cells is known: for choosing cuts.

    It looks up and shuffles nothing, and its digits fill one table column; `spec.logrows` and
    `spec.decomp_base` are not read, because they are chosen later, for the slice. Cells are rounded
    up by less than 2 %, so that many cuts can be asked for.
    """
    step = 1 << max(0, cells.bit_length() - _PRECISION_BITS)
    return _estimate(-(-cells // step) * step, spec)


def most_cells(spec: CircuitSpec, memory: int | None, max_logrows: int | None) -> int:
    """The most cells that `memory` bytes can prove and 2**max_logrows rows can hold."""
    most = LARGEST_CELLS if max_logrows is None else spec.num_inner_cols << max_logrows
    if memory is None or estimate(most, spec).peak_bytes <= memory:
        return most
    peaks = range(most)
    return max(1, bisect_right(peaks, memory, key=lambda n: estimate(n, spec).peak_bytes) - 1)


@cache
def _estimate(cells: int, spec: CircuitSpec) -> Work:
    works = (predict(layout(_of_cells(cells, spec, logrows))) for logrows in LOGROWS)
    return min(works, key=lambda work: work.prove_cpu_seconds)


def _of_cells(cells: int, spec: CircuitSpec, logrows: int) -> Settings:
    """Settings of a circuit of linear operators and ReLUs that has so many cells."""
    base = 2**logrows - TABLE_RESERVED_ROWS
    return Settings(
        run_args=RunArgs(
            input_scale=spec.input_scale,
            param_scale=spec.param_scale,
            scale_rebase_multiplier=spec.scale_rebase_multiplier,
            lookup_range=spec.lookup_range,
            logrows=logrows,
            num_inner_cols=spec.num_inner_cols,
            input_visibility="Public",
            output_visibility="Public",
            param_visibility="Fixed",
            decomp_base=base,
            decomp_legs=spec.decomp_legs,
            ignore_range_check_inputs_outputs=not spec.checks_boundary,
            rebase_frac_zero_constants=spec.integer_constants,
            disable_freivalds=True,
        ),
        num_rows=cells // spec.num_inner_cols,
        total_assignments=cells,
        total_const_size=1,
        total_dynamic_col_size=0,
        num_dynamic_lookups=0,
        num_shuffles=0,
        total_shuffle_col_size=0,
        einsum_params=EinsumParams(total_einsum_col_size=0),
        model_instance_shapes=[],
        model_output_scales=[],
        model_input_scales=[],
        module_sizes=ModuleSizes(polycommit=[], poseidon=(0, [])),
        required_lookups=[],
        required_range_checks=[(-1, 1), (0, base - 1)],
        version="",
    )
