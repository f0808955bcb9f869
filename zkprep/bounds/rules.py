"""What each of EZKL's nodes does to the largest |integer| of what it reads."""

from collections.abc import Sequence
from math import inf

from zkprep.bounds import arithmetic, functions
from zkprep.bounds.effects import Checks, Effect, Operand, divided, up_to
from zkprep.bounds.table import Broken, Row, Unread

_RULES = {**arithmetic.RULES, **functions.RULES}

_LARGEST_DIVISOR = 2.0**126
"""EZKL holds a divisor as an integer of 128 bits, one of them the sign."""


def effect(row: Row, operands: Sequence[Operand], checks: Checks) -> Effect:
    """What the node `row` does, its division back to a scale included.

    Raises:
        Unread: no rule is known for it.
        Broken: it is given a scale that EZKL cannot hold.
    """
    rule = _RULES.get(row.kind)
    if rule is None:
        raise Unread(f"EZKL's {row.kind}")
    try:
        own = rule(row, operands, checks)
    except OverflowError:
        return up_to(inf)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise Unread(f"EZKL's {row.kind} of this form") from None
    if row.divisor > _LARGEST_DIVISOR:
        raise Broken(f"EZKL's node {row.index}, {row.kind}, is divided by more than it can hold")
    back = divided(own.made, row.divisor, checks)
    return Effect(max(own.met, back.met), back.made)
