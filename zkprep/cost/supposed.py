"""The settings of a circuit of which only the size is known: EZKL has not been asked yet."""

from collections.abc import Iterable
from typing import Any

from zkprep.circuit import CircuitSpec, EinsumParams, ModuleSizes, RunArgs, Settings
from zkprep.cost.circuit import TABLE_RESERVED_ROWS

LOGROWS = range(8, 24)
"""Sizes of circuits that are considered."""

LEGS = range(1, 7)
"""Digits of an integer that are considered."""

LARGEST_TABLE = 1 << 20
"""Entries of a lookup table: EZKL keeps a table in memory, whatever fits into a column."""


def supposed_settings(
    cells: int,
    spec: CircuitSpec,
    logrows: int,
    *,
    checked: bool = True,
    shuffled: int = 0,
    tables: Iterable[Any] = (),
    lookup_range: tuple[int, int] = (-512, 512),
) -> Settings:
    """Settings of a circuit of so many cells in 2**logrows rows, whose digits fill one column.

    Args:
        cells: with those of the boundary.
        spec: scales, digits and columns; its logrows, base and lookup range are not read.
        logrows: rows, as a power of two.
        checked: whether any digit is range-checked.
        shuffled: elements that are sorted.
        tables: static tables, by operator and scale.
        lookup_range: what they hold; by default few entries, whatever a slice may look up.
    """
    base = 2**logrows - TABLE_RESERVED_ROWS
    return Settings(
        run_args=_arguments(spec, logrows, base, lookup_range),
        num_rows=cells // spec.num_inner_cols,
        total_assignments=cells,
        total_const_size=1,
        total_dynamic_col_size=0,
        num_dynamic_lookups=0,
        num_shuffles=int(shuffled > 0),
        total_shuffle_col_size=shuffled,
        einsum_params=EinsumParams(total_einsum_col_size=0),
        model_instance_shapes=[],
        model_output_scales=[],
        model_input_scales=[],
        module_sizes=ModuleSizes(polycommit=[], poseidon=(0, [])),
        required_lookups=list(tables),
        required_range_checks=[(-1, 1), (0, base - 1)] if checked else [],
        version="",
    )


def _arguments(
    spec: CircuitSpec, logrows: int, base: int, lookup_range: tuple[int, int]
) -> RunArgs:
    """What EZKL is told of such a circuit, all of it public: visibility takes no cells."""
    return RunArgs(
        input_scale=spec.input_scale,
        param_scale=spec.param_scale,
        scale_rebase_multiplier=spec.scale_rebase_multiplier,
        lookup_range=lookup_range,
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
    )
