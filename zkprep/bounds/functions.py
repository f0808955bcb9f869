"""Nonlinear functions: by range-checked digits, by range-checked claims, by table.

A claim y is range-checked, and the circuit compares its error with that of y - 1 and y + 1.
Source: EZKL 23.0.5 `src/circuit/ops/layouts.rs`, the function named after each operator;
`src/circuit/ops/lookup.rs`.
"""

from collections.abc import Sequence
from math import e, log

from zkprep.bounds.effects import (
    LARGEST_INTEGER,
    LARGEST_SHIFT,
    Checks,
    Effect,
    Operand,
    Rule,
    divided,
    up_to,
)
from zkprep.bounds.table import Broken, Row

_SLOPE_BITS = 30
"""EZKL multiplies by a slope's scale as an integer of 32 bits, one of them the sign."""


def _by_sign(_row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """ReLU, Abs: x times what its range-checked digits say of its sign."""
    largest = min(operands[0].largest, checks.largest)
    return Effect(operands[0].largest, largest)


def _leaky(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """With a slope the result is finer by the bits that slope is given."""
    slope = float(row.said("slope"))
    plain = _by_sign(row, operands, checks)
    if slope == 0:
        return plain
    bits = row.own_scale - operands[0].scale
    if bits > _SLOPE_BITS:
        raise Broken(f"EZKL's node {row.index}, {row.kind}, has a slope of {bits} bits")
    factor = 2.0**bits * max(1.0, abs(slope)) + 1
    return Effect(max(plain.met, 2 * plain.made * factor), plain.made * factor)


def _truncated(row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    """Floor, Ceil, Round: digits to the base of the scale, the last put to 0."""
    largest = operands[0].largest + 2 * _scale(row, "scale")
    return up_to(largest)


def _reciprocal(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """|y*x - in*out| of three neighbouring y, each range-checked."""
    unit = _number(row, "input_scale") * _number(row, "output_scale")
    return Effect((checks.largest + 1) * operands[0].largest + unit, checks.largest)


def _root(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """|y*y - x*scale| of three neighbouring y, each range-checked."""
    scaled = operands[0].largest * _number(row, "scale")
    return Effect((checks.largest + 1) ** 2 + scaled, checks.largest)


def _inverse_root(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    scale, out = _number(row, "input_scale"), _number(row, "output_scale")
    root = (checks.largest + 1) ** 2 + operands[0].largest * scale
    return Effect(root + (checks.largest + 1) * checks.largest + scale * out, checks.largest)


def _softmax(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """exp(x - max x), at most 1, times the reciprocal of its sum."""
    scale, out = _scale(row, "input_scale"), _scale(row, "output_scale")
    one, total = scale + 1, (scale + 1) * operands[0].size
    met = (checks.largest + 1) * total + scale * out
    return Effect(max(2 * operands[0].largest, met), one * checks.largest)


def _constant_quotient(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """By an integer as of a rebase, by another number by table."""
    denominator = _number(row, "denom")
    if denominator % 1 == 0:
        if denominator < 1:
            raise ValueError
        return divided(operands[0].largest, denominator, checks)
    return Effect(operands[0].largest, checks.looked_up / abs(denominator) + 1)


def _within(factor: float) -> Rule:
    """A table of a function that is at most `factor`."""

    def rule(row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
        return Effect(operands[0].largest, factor * _number(row, "scale") + 1)

    return rule


def _looked_up(_row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """A table of a function that is at most its argument."""
    return Effect(operands[0].largest, checks.looked_up + 1)


def _exponential(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    scale, base = _number(row, "scale"), row.said("base")
    power = checks.looked_up / scale * abs(log(float(base) if base else e))
    largest = scale * e ** min(power, 700.0) + 1
    return Effect(operands[0].largest, min(largest, LARGEST_INTEGER))


def _table(_row: Row, operands: Sequence[Operand], _checks: Checks) -> Effect:
    return Effect(operands[0].largest, LARGEST_INTEGER)


def _number(row: Row, name: str) -> float:
    return float(row.said(name))


def _scale(row: Row, name: str) -> float:
    """A scale that EZKL holds in 64 bits."""
    scale = _number(row, name)
    if not scale <= 2.0**LARGEST_SHIFT:
        raise Broken(f"EZKL's node {row.index}, {row.kind}, is given a scale of {scale:g}")
    return scale


RULES: dict[str, Rule] = {
    **dict.fromkeys(("FLOOR", "CEIL", "ROUND", "ROUND_HALF_TO_EVEN"), _truncated),
    **dict.fromkeys(("SIGMOID", "ERF", "TANH", "SIN", "COS"), _within(1)),
    **dict.fromkeys(("ATAN", "ASIN", "ACOS"), _within(4)),
    **dict.fromkeys(("LN", "TAN", "ATANH", "COSH", "ACOSH", "SINH", "ASINH"), _table),
    "ABS": _by_sign,
    "DIV": _constant_quotient,
    "EXP": _exponential,
    "HARDSWISH": _looked_up,
    "LEAKYRELU": _leaky,
    "RECIP": _reciprocal,
    "RSQRT": _inverse_root,
    "SOFTMAX": _softmax,
    "SQRT": _root,
}
