"""Settings to columns, degree and sizes: what keys and proof weigh before any of them exists.

Everything follows from settings.json, except the fixed columns left by selector compression: those
are estimated, and read exactly from the verification key once there is one.

Symbols: n = 2**logrows, u = n - 6 usable rows, w inner columns, B blocks, T dynamic blocks, d the
degree, E the factor of the extended domain. The sizes were checked to the byte on real files.

Source: EZKL 23.0.5 `src/graph/vars.rs` ModelVars::new, `src/tensor/var.rs` new_advice and
constant_cols, `src/circuit/ops/chip.rs` configure_*, `src/circuit/table.rs`; halo2 `chunk_lookups`
(packing), `mv_lookup` and the key and proof encodings of its KZG backend.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from msgspec.structs import replace

from zkprep.circuit import BLINDING_ROWS, CircuitSpec, Settings, column_blocks
from zkprep.cost.selectors import compressed_columns

TABLE_RESERVED_ROWS = 8
"""Rows of a table column that hold no entry: [0, b - 1] fits one while b <= 2**logrows - 8."""

_POINT_BYTES = 64
_SCALAR_BYTES = 32
_HEADER_BYTES = 7
_FIXED_COLUMNS_OFFSET = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """The circuit that EZKL configures for some settings, in columns, and what it weighs in bytes.

    Attributes:
        logrows: log2 of the rows n of every column.
        inner_columns: w.
        blocks: B column blocks, each of 3 x w advice columns with u usable rows.
        dynamic_blocks: T groups of 3 advice columns that hold dynamic lookup tables and shuffles.
        dynamic_tables: lookup tables made of them (dynamic lookups and shuffles count apart).
        commitments: columns of committed boundary tensors (visibility "polycommit").
        poseidon: 1 when the circuit hashes boundary tensors.
        constants: fixed columns of constants.
        tables: fixed columns of static lookup and range tables.
        checks: static lookup operators and ranges, each with a selector per inner column and block.
        lookups: lookup arguments after packing.
        degree: of the constraint system.
        fixed: fixed columns of all kinds after selector compression.
    """

    logrows: int
    inner_columns: int
    blocks: int
    dynamic_blocks: int
    dynamic_tables: int
    commitments: int
    poseidon: int
    constants: int
    tables: int
    checks: int
    lookups: int
    degree: int
    fixed: int

    @property
    def rows(self) -> int:
        """n, rows of every column."""
        return 1 << self.logrows

    @property
    def rows_capacity(self) -> int:
        """Rows that the blocks offer to cells, B * u."""
        return self.blocks * (self.rows - BLINDING_ROWS)

    @property
    def advice(self) -> int:
        """Advice columns (`src/graph/vars.rs` ModelVars::new, `src/circuit/modules`)."""
        return self._equality_columns + 3 * self.poseidon

    @property
    def permutation(self) -> int:
        """Columns of the permutation argument: equality, constants and the instance column."""
        return self._equality_columns + self.constants + 1 + 4 * self.poseidon

    @property
    def products(self) -> int:
        """Permutation grand products (halo2 `permutation`)."""
        return -(-self.permutation // (self.degree - 2))

    @property
    def extension(self) -> int:
        """E: the quotient polynomial is computed on n * E points."""
        return 1 << (self.degree - 2).bit_length()

    @property
    def selectors(self) -> int:
        """Selectors before compression (`src/circuit/ops/chip.rs` configure, configure_lookup)."""
        return self._simple_selectors + self._complex_selectors + 3 * self.poseidon

    @property
    def commits(self) -> int:
        """Curve points of a proof: advice, lookups, products, random, quotient pieces, openings."""
        return self.advice + 2 * self.lookups + self.products + 1 + (self.degree - 1) + 2

    @property
    def evals(self) -> int:
        """Scalars of a proof: every column at every rotation it is queried at."""
        columns = self.advice + self.blocks + 4 * self.poseidon + self.fixed + self.permutation
        return columns + 3 * self.products + 3 * self.lookups

    @property
    def proof_bytes(self) -> int:
        """The raw proof; its JSON file adds the public values."""
        return _POINT_BYTES * self.commits + _SCALAR_BYTES * self.evals

    @property
    def vk_bytes(self) -> int:
        """The verification key file (raw bytes): commitments, and a bit per selector and row."""
        columns = self.fixed + self.permutation
        return _HEADER_BYTES + _POINT_BYTES * columns + self.selectors * self.rows // 8

    @property
    def pk_bytes(self) -> int:
        """The proving key file: fixed and permutation columns as values, coefficients, E cosets."""
        columns = self.fixed + self.permutation
        polynomials = columns * (2 + self.extension) + 3 * self.extension
        return self.vk_bytes + _SCALAR_BYTES * self.rows * polynomials + 24 * columns + 36

    @property
    def fixed_estimate(self) -> int:
        """Estimate of `fixed`: see zkprep.cost.selectors."""
        gates = compressed_columns(self.blocks, self.inner_columns, self.degree, self.poseidon)
        plain = self.constants + self.tables + 4 * self.poseidon
        return plain + self._complex_selectors + gates

    @property
    def _equality_columns(self) -> int:
        return 3 * self._inputs + 3 * self.dynamic_blocks + self.commitments

    @property
    def _inputs(self) -> int:
        return self.blocks * self.inner_columns

    @property
    def _simple_selectors(self) -> int:
        return (3 * self.inner_columns + 6) * self.blocks

    @property
    def _complex_selectors(self) -> int:
        return self.checks * self._inputs + self.dynamic_tables * (1 + self._inputs)


def layout(settings: Settings, fixed: int | None = None) -> Layout:
    """The layout and sizes of the circuit that EZKL builds for `settings` (Freivalds off).

    Args:
        settings: as `gen_settings` writes them.
        fixed: fixed columns, exactly, from `read_fixed_columns`: the sizes are then exact to the
            byte. By default they are estimated (zkprep.cost.selectors).
    """
    args = settings.run_args
    size = settings.total_dynamic_col_size + settings.total_shuffle_col_size
    kinds = int(settings.num_dynamic_lookups > 0) + int(settings.num_shuffles > 0)
    dynamic_blocks = column_blocks(size, 1, args.logrows) if kinds else 0
    blocks = column_blocks(settings.total_assignments, args.num_inner_cols, args.logrows)
    poseidon = int(_is_hashed(settings) and settings.module_sizes.poseidon[1][0] > 0)
    tables = [*_static_tables(settings), *[_Table(2, 2)] * (kinds * dynamic_blocks)]
    degree = max([_gate_degree(settings, poseidon), *(table.degree for table in tables)])
    made = Layout(
        logrows=args.logrows,
        inner_columns=args.num_inner_cols,
        blocks=blocks,
        dynamic_blocks=dynamic_blocks,
        dynamic_tables=kinds * dynamic_blocks,
        commitments=sum(
            column_blocks(n, 1, args.logrows) for n in settings.module_sizes.polycommit
        ),
        poseidon=poseidon,
        constants=_constant_columns(settings),
        tables=table_columns(settings),
        checks=len(settings.required_range_checks) + len(settings.required_lookups),
        lookups=sum(table.arguments(blocks * args.num_inner_cols, degree) for table in tables),
        degree=degree,
        fixed=0,
    )
    return dataclasses.replace(made, fixed=made.fixed_estimate if fixed is None else fixed)


def read_fixed_columns(vk: bytes) -> int:
    """Fixed columns of a verification key file: after format version, logrows and compression flag.

    Raises:
        ValueError: the bytes are too short to be a verification key.
    """
    if len(vk) < _HEADER_BYTES:
        raise ValueError(f"a verification key has at least {_HEADER_BYTES} bytes, not {len(vk)}")
    return int.from_bytes(vk[_FIXED_COLUMNS_OFFSET:_HEADER_BYTES], "little")


def with_logrows(settings: Settings, logrows: int, decomp_base: int) -> Settings:
    """The settings of the same circuit at other logrows and digit base, without asking EZKL.

    Cells do not depend on either; the range check of digits becomes [0, decomp_base - 1]. What is
    left as it was: `total_const_size`, where a power of either base may coincide with another
    constant (off by legs - 1 at most); the flush of dynamic tables to the end of a column; and the
    one repeated cell at a block's end that EZKL counts when w = 1.
    """
    old = settings.run_args.decomp_base
    ranges = [
        (low, decomp_base - 1 if (low, high) == (0, old - 1) else high)
        for low, high in settings.required_range_checks
    ]
    args = replace(settings.run_args, logrows=logrows, decomp_base=decomp_base)
    return replace(settings, run_args=args, required_range_checks=ranges)


def with_layout(settings: Settings, spec: CircuitSpec) -> Settings:
    """`with_logrows` at the logrows and digit base of `spec`, and with its lookup range."""
    moved = with_logrows(settings, spec.logrows, spec.decomp_base)
    return replace(moved, run_args=replace(moved.run_args, lookup_range=spec.lookup_range))


@dataclass(frozen=True, slots=True)
class _Table:
    """A lookup table: degree of one input expression, degree of the table expression."""

    input_degree: int
    table_degree: int

    @property
    def degree(self) -> int:
        return max(3, self.table_degree + 2) + self.input_degree

    def arguments(self, inputs: int, degree: int) -> int:
        """Arguments for `inputs` inputs: each takes more while it stays within the degree."""
        held = 1
        while self._argument_degree(held) + self.input_degree <= degree:
            held += 1
        return -(-inputs // held)

    def _argument_degree(self, held: int) -> int:
        return max(3 + held, self.table_degree + held * self.input_degree + 2)


def _static_tables(settings: Settings) -> Iterator[_Table]:
    """One table per column of every lookup operator and range (`src/circuit/table.rs`)."""
    for width in chain(*_table_widths(settings)):
        yield from [_Table(width + 1, 1)] * width


def table_columns(settings: Settings) -> int:
    """Operators share their input columns; each has its own outputs. Ranges share nothing."""
    lookups, ranges = _table_widths(settings)
    return max(lookups, default=0) + sum(lookups) + sum(ranges)


def _table_widths(settings: Settings) -> tuple[list[int], list[int]]:
    """Columns of each lookup operator's table and of each range's."""
    entries = (1 << settings.run_args.logrows) - TABLE_RESERVED_ROWS

    def width(bounds: tuple[int, int]) -> int:
        return abs(bounds[1] - bounds[0]) // entries + 1

    lookup_range = settings.run_args.lookup_range
    lookups = [width(lookup_range)] * len(settings.required_lookups)
    return lookups, [width(bounds) for bounds in settings.required_range_checks]


def _gate_degree(settings: Settings, poseidon: int) -> int:
    """A dot product over w columns has degree w + 2, choosing among c table columns c + 1."""
    width = max(chain(*_table_widths(settings)), default=1)
    dot = settings.run_args.num_inner_cols + 2
    return max(dot, 3, 6 if poseidon else 0, width + 1 if width > 1 else 0)


def _constant_columns(settings: Settings) -> int:
    """Fixed columns of distinct constants (`src/tensor/var.rs` constant_cols)."""
    if settings.total_const_size == 0:
        return int(_is_hashed(settings))
    return column_blocks(settings.total_const_size, 1, settings.run_args.logrows)


def _is_hashed(settings: Settings) -> bool:
    args = settings.run_args
    sides: tuple[Any, ...] = (args.input_visibility, args.output_visibility, args.param_visibility)
    return any("Hashed" in side for side in sides)
