"""Slice by slice: what can be met at most, given what their inputs may be.

A public input is in the range that the verifier checks, a private one in that the circuit checks. A
committed link nobody checks: it is what the slices that make it put out at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from zkprep.bounds.constants import largest_constant
from zkprep.bounds.effects import LARGEST_INTEGER, LARGEST_SHIFT, Checks, Operand
from zkprep.bounds.rules import effect
from zkprep.bounds.table import Broken, Row, Unread, rows
from zkprep.circuit import CircuitSpec

LIMIT = 2.0**252
"""Below p/2, which is 1.5 times as large: room for what floats round."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One slice as its circuit has it.

    Attributes:
        model: with its descents.
        spec: its circuit's.
        table: EZKL's table of it, when asked.
        feeds: numbers of the slices whose outputs it reads.
    """

    model: ir.Model
    spec: CircuitSpec
    table: Callable[[], str]
    feeds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A slice of which it is not known that no value leaves the field.

    Attributes:
        slice: its number.
        reason: what is not known, or what goes wrong where.
        refused: whether there are values with which it may go wrong, as far as can be told.
    """

    slice: int
    reason: str
    refused: bool


def wrapping(circuits: Sequence[Circuit]) -> tuple[Wrapping, ...]:
    """The slices in which a value might leave the field, in order."""
    found: list[Wrapping] = []
    puts_out: list[float] = []
    for index, circuit in enumerate(circuits):
        entering = float(circuit.spec.largest_value)
        if circuit.spec.input_visibility == "polycommit":
            entering = max(puts_out[feed] for feed in circuit.feeds)
        left = float("inf")
        try:
            left = largest_output(circuit, entering)
        except Unread as error:
            found.append(Wrapping(index, f"no bound is known of {error}", refused=False))
        except Broken as error:
            found.append(Wrapping(index, str(error), refused=True))
        puts_out.append(left)
    return tuple(found)


def largest_output(circuit: Circuit, entering: float) -> float:
    """The largest |integer| that a circuit puts out, of inputs of at most `entering`.

    Raises:
        Unread: something in it is not known.
        Broken: a value may leave the field.
    """
    if not entering < LIMIT:
        raise Unread("what it reads")
    largest = largest_constant(circuit.model)
    checks = Checks(
        float(circuit.spec.largest_value), float(max(map(abs, circuit.spec.lookup_range)))
    )
    made: dict[int, Operand] = {}
    for row in rows(circuit.table()):
        made[row.index] = Operand(_made(row, made, checks, largest, entering), row.scale, row.dims)
    return max(one.largest for one in made.values())


def _made(
    row: Row, made: dict[int, Operand], checks: Checks, constant: float, entering: float
) -> float:
    """The largest |integer| of a node's result."""
    if row.kind == "INPUT":
        return entering
    if row.kind == "CONST":
        return min(constant * 2.0**row.scale + 1, LARGEST_INTEGER)
    try:
        operands = [made[number] for number in row.reads]
    except KeyError as error:
        raise Unread(f"EZKL's node {error}") from None
    if not operands:
        raise Unread(f"EZKL's {row.kind} of nothing")
    found = effect(row, _raised(row, operands) if row.rescaled else operands, checks)
    met = max(found.met, found.made)
    if not met < LIMIT:
        size = f"2**{int(met).bit_length()}" if met < float("inf") else "any size"
        raise Broken(f"EZKL's node {row.index}, {row.kind}, may meet values of {size}")
    return found.made


def _raised(row: Row, operands: Sequence[Operand]) -> list[Operand]:
    """All at the largest scale among them, by multipliers of 64 bits: beyond, they are 0."""
    top = max(one.scale for one in operands)
    if top - min(one.scale for one in operands) > LARGEST_SHIFT:
        raise Broken(f"EZKL's node {row.index}, {row.kind}, reads scales too far apart")
    return [Operand(one.largest * 2.0 ** (top - one.scale), top, one.dims) for one in operands]
