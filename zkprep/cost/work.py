"""From a layout to what it takes: CPU seconds of setup and prove, peak memory of the prover.

Linear in the columns times the rows (every term of a KZG prover is): inverse FFTs and multi-scalar
multiplications go with n * commits, coset FFTs and gate evaluations with n * E * polynomials. Peak
memory is linear in the proving key. The constants are a fit to 35 proofs of EZKL 23.0.5 with k from
9 to 18 on one machine (mean error 11 %, worst 40 % on a proof of 3 s; setup within 35 % on 24;
memory within 15 %): they are the machine's, the law is halo2's.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

from zkprep.circuit import CircuitSpec, EinsumParams, ModuleSizes, RunArgs, Settings
from zkprep.cost.circuit import Layout, layout


@dataclass(frozen=True, slots=True)
class Machine:
    """What the law's terms cost on a machine: CPU seconds per million, bytes per byte of key."""

    prove_start: float = 0.5
    prove_commits: float = 8.9
    prove_extension: float = 3.0
    setup_start: float = 0.4
    setup_extension: float = 2.7
    memory_start: float = 60e6
    memory_per_key_byte: float = 2.6


@dataclass(frozen=True, slots=True)
class Work:
    """Predicted CPU seconds, and peak resident bytes of the larger of setup and prove."""

    setup_cpu_seconds: float
    prove_cpu_seconds: float
    peak_bytes: int


REFERENCE = Machine()


def predict(circuit: Layout, machine: Machine = REFERENCE) -> Work:
    """What setting up and proving a circuit takes on `machine`."""
    rows = circuit.rows / 1e6
    polynomials = circuit.advice + 2 * circuit.lookups + circuit.products
    columns = circuit.fixed + circuit.permutation
    return Work(
        setup_cpu_seconds=machine.setup_start
        + machine.setup_extension * rows * circuit.extension * columns,
        prove_cpu_seconds=machine.prove_start
        + machine.prove_commits * rows * circuit.commits
        + machine.prove_extension * rows * circuit.extension * polynomials,
        peak_bytes=int(machine.memory_start + machine.memory_per_key_byte * circuit.pk_bytes),
    )


SMALLEST_LOGROWS, LARGEST_LOGROWS = 10, 23
LARGEST_CELLS = 1 << 36
_PRECISION_BITS = 7


def estimate(cells: int, spec: CircuitSpec) -> Work:
    """The work of a circuit of which only the number of cells is known, at its best logrows.

    For choosing cuts, so within 1 % (cells are rounded up): digits fill one table column, and
    nothing looks up or shuffles.
    """
    step = 1 << max(0, cells.bit_length() - _PRECISION_BITS)
    return _estimate(-(-cells // step) * step, spec)


def most_cells(spec: CircuitSpec, memory: int | None, max_logrows: int | None) -> int:
    """The most cells that `memory` bytes can prove and 2**max_logrows rows can hold."""
    most = LARGEST_CELLS
    if max_logrows is not None:
        most = min(most, spec.num_inner_cols << max_logrows)
    if memory is None or estimate(most, spec).peak_bytes <= memory:
        return most
    return max(
        1, bisect_right(range(most), memory, key=lambda cells: estimate(cells, spec).peak_bytes) - 1
    )


@cache
def _estimate(cells: int, spec: CircuitSpec) -> Work:
    layouts = (
        layout(_of_cells(cells, spec, logrows))
        for logrows in range(SMALLEST_LOGROWS, LARGEST_LOGROWS + 1)
    )
    return min(map(predict, layouts), key=lambda work: work.prove_cpu_seconds)


def _of_cells(cells: int, spec: CircuitSpec, logrows: int) -> Settings:
    """Settings of a circuit of ReLUs and linear operators with so many cells."""
    base = 2**logrows - 8
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
